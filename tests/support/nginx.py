"""A real nginx on a free port, with the configuration that `registry nginx` writes."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import PATIENCE_S, eventually


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until something answers on `port`."""

    def answers() -> bool:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(answers, "an answer of the server")


@contextmanager
def answering(process: "subprocess.Popen[bytes]", port: int) -> Iterator[str]:
    """Wait until a server answers, give its address, and end it afterwards."""
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def nginx(server_block: str, port: int, folder: Path) -> Iterator[str]:
    """Run nginx with one server block; gives the address it answers on."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    assert program, "nginx is not installed: scripts/install-test-tools"
    folder.mkdir()
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As root nginx would serve as another user, who may not read the test's folder.
    user = "user root;\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"{user}daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}\n{server_block}}}\n"
    )
    process = subprocess.Popen(
        [program, "-e", f"{folder}/error.log", "-p", str(folder), "-c", str(configuration)]
    )
    with answering(process, port) as address:
        yield address
