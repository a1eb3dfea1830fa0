"""`serve` and `watch` on a machine in a bad way: no events, few open files, a deleted folder, nobody who reads what they say."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from registry.server.connections import connection_limit
from tests.support.nginx import free_port
from tests.support.repo import RepoBuilder
from tests.support.seeds import in_soak
from tests.support.served import eventually, get

PATIENCE_S = 120.0
EDITED = "title: A\nowners: [t]\ndefinition: {{exec: /bin/{}}}\n"


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.commit("add")
    return repo


class Running:
    """A command that goes on, and what it said."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, port: int) -> None:
        self.process, self.log, self.port = process, log, port

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def eventually(self, holds: Callable[[], bool], what: str) -> None:
        def is_so() -> bool:
            assert self.process.poll() is None, self.said
            with suppress(OSError):
                return holds()
            return False

        eventually(is_so, f"{what}: {self.said}", PATIENCE_S)

    def shows(self, text: str, root: Path) -> bool:
        if self.port:
            return text.encode() in get(f"http://127.0.0.1:{self.port}/process_definition/a/")
        return text.encode() in (root / "site/process_definition/a/index.html").read_bytes()


@contextmanager
def running(
    command: str,
    root: Path,
    setup: Callable[[], None] | None = None,
    prefix: Sequence[str] = (),
    **options: Any,
) -> Iterator[Running]:
    port = free_port() if command == "serve" else 0
    words = [
        *prefix,
        sys.executable,
        "-u",
        "-m",
        "registry",
        command,
        *(["--port", str(port)] if port else []),
    ]
    log = root.parent / f"{command}.log"
    with log.open("wb") as file:
        streams = {"stdout": file, "stderr": file, **options}
        process = subprocess.Popen(
            words,
            cwd=root,
            env={"PATH": os.environ["PATH"]},
            preexec_fn=setup,  # noqa: PLW1509
            **streams,
        )
    found = Running(process, log, port)
    try:
        yield found
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
    assert "Traceback" not in found.said
    assert "bug:" not in found.said


# In a user namespace of its own the limit can be set without taking instances away from other tests.
NO_INOTIFY = ("unshare", "--user", "--map-root-user", "sh", "-c")
SET_LIMIT = "echo 0 > /proc/sys/user/max_inotify_instances"


def can_forbid_inotify() -> bool:
    """Return True if a process can be started that gets no inotify instance."""
    try:
        return subprocess.run([*NO_INOTIFY, SET_LIMIT], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def gone(said: str) -> int:
    """How often it was said that the folder is gone."""
    return said.count("is not a folder") + said.count("cannot read the repository")


@pytest.mark.parametrize("command", ["serve", "watch"])
class TestGoingOn:
    @pytest.mark.skipif(not can_forbid_inotify(), reason="needs Linux with user namespaces")
    def test_without_events_the_files_are_polled_and_that_is_said(
        self, registry: RepoBuilder, command: str
    ) -> None:
        prefix = (*NO_INOTIFY, f'{SET_LIMIT}; exec "$@"', "sh")
        with running(command, registry.root, prefix=prefix) as found:
            found.eventually(lambda: "no file events" in found.said, "the note")
            found.eventually(lambda: found.shows("/bin/a", registry.root), "the first state")
            registry.define("a", EDITED.format("edited"))
            found.eventually(lambda: found.shows("/bin/edited", registry.root), "the edit")

    def test_a_folder_that_is_deleted_and_made_again_is_followed(
        self, registry: RepoBuilder, tmp_path: Path, command: str
    ) -> None:
        shutil.copytree(registry.root, tmp_path / "copy")
        with running(command, registry.root) as found:
            found.eventually(lambda: found.shows("/bin/a", registry.root), "the first state")
            shutil.rmtree(registry.root)
            found.eventually(lambda: gone(found.said) > 0, "the note")
            time.sleep(3)  # for what would be said again and again
            assert gone(found.said) <= 3
            shutil.move(tmp_path / "copy", registry.root)
            registry.define("a", EDITED.format("again"))
            found.eventually(lambda: found.shows("/bin/again", registry.root), "the new folder")

    def test_nobody_who_reads_what_is_said_is_no_reason_to_stop(
        self, registry: RepoBuilder, command: str
    ) -> None:
        reader, writer = os.pipe()
        with running(command, registry.root, stdout=writer, stderr=writer) as found:
            os.close(writer)
            found.eventually(lambda: found.shows("/bin/a", registry.root), "the first state")
            os.close(reader)
            for number in range(3):
                registry.define("a", EDITED.format(f"edit-{number}"))
                found.eventually(
                    lambda number=number: found.shows(f"/bin/edit-{number}", registry.root),  # type: ignore[misc]
                    "the edit",
                )


@pytest.mark.parametrize("command", ["serve --port 0", "watch", "build"])
@pytest.mark.parametrize("limit", [12, 40, *in_soak(20, 64)])
def test_with_few_open_files_it_works_or_says_what_is_missing(
    registry: RepoBuilder, command: str, limit: int
) -> None:
    words = [sys.executable, "-m", "registry", *command.replace("--port 0", f"--port {free_port()}").split()]
    process = subprocess.Popen(
        words,
        cwd=registry.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"]},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),  # noqa: PLW1509
    )
    try:
        said, _ = process.communicate(timeout=8)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (0, 2, 130, -signal.SIGINT), said
    assert ("Traceback" in said, "bug:" in said) == (False, False), said
    assert process.returncode != 2 or "open files" in said


@pytest.mark.parametrize("command", ["serve", "watch"])
def test_ctrl_c_at_any_moment_of_the_start_ends_it_without_a_traceback(
    registry: RepoBuilder, command: str
) -> None:
    for wait in (0.05, 0.15, 0.3, 0.5, 0.8):
        words = [
            sys.executable,
            "-m",
            "registry",
            command,
            *(["--port", str(free_port())] if command == "serve" else []),
        ]
        process = subprocess.Popen(
            words, cwd=registry.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
        # Python itself may be interrupted before a line of ours has run; that is not ours to prevent.
        if "Traceback" in said:
            assert "registry/__main__" not in said, said
            assert "registry/cli" not in said, said
        else:
            assert process.returncode in (0, 130, -signal.SIGINT), said


def test_there_are_never_more_connections_than_files_that_can_be_open() -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "from registry.server.connections import connection_limit; print(connection_limit())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert int(done.stdout) == 32
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert connection_limit() >= 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
