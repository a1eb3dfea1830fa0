"""A real sshd on a free port of this machine, with keys of its own, which lets the current user in."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.nginx import free_port
from tests.support.waiting import eventually

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


class Sshd(NamedTuple):
    """A running server: the folder with its keys, its port, and the command that connects, as in RSYNC_RSH."""

    folder: Path
    port: int
    connect: str

    @property
    def host(self) -> str:
        """The address."""
        return "127.0.0.1"


@contextmanager
def sshd(folder: Path, settings: Sequence[str] = ()) -> Iterator[Sshd]:
    """Run sshd with its files in a new folder. `settings` are further lines of sshd_config."""
    program = shutil.which("sshd", path=_PATH)
    assert program, "sshd is not installed: make test-engines installs it"
    folder.mkdir(mode=0o700)
    for name in ("host", "key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd separates privileges there
    port = free_port()
    lines = (
        "ListenAddress 127.0.0.1",
        f"Port {port}",
        f"HostKey {folder}/host",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "PidFile none",
        "UsePAM no",
        "PasswordAuthentication no",
        "StrictModes no",
        *settings,
    )
    (folder / "sshd_config").write_text("".join(f"{line}\n" for line in lines))
    host_key = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", f"{folder}/sshd_config"], stdout=log, stderr=log
        )
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(answers, "sshd")
        connect = (
            f"ssh -F none -p {port} -i {folder}/key -o UserKnownHostsFile={folder}/known_hosts "
            "-o IdentitiesOnly=yes -o IdentityAgent=none"
        )
        yield Sshd(folder, port, connect)
    finally:
        process.terminate()
        process.wait()
