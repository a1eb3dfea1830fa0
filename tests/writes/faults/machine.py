"""A write server that tests kill, stop and restart: one process group, one port, one log."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.nginx import free_port, wait_for
from tests.support.waiting import PATIENCE_S
from tests.support.writing import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]


class Machine:
    """`registry serve --write` of one bare repository, at an address that stays the same."""

    def __init__(self, bare: Path, users: Path, *options: str) -> None:
        """Prepare a server; `options` are those of the command."""
        self.bare = bare
        self.users = users
        self.port = free_port()
        self.log = bare.parent / f"serve-{self.port}.log"
        self._command = ["serve", "--write", "-C", str(bare), "--users", str(users), "--port", str(self.port)]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        """Variables of the server besides PATH."""
        self.prefix: list[str] = []
        """Words before the command, which they execute in their own process."""
        self.starts = 0
        self.slowest_s = 0.0
        self.started_at = 0.0
        self.slowest_write_s = 0.0
        """From a start to the first write that was acknowledged after it."""

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process, or the last one."""
        assert self._process is not None
        return self._process

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Client:
        """A new client."""
        return Client(self.address)

    def start(self, fault: str = "") -> None:
        """Start the server and wait until it listens.

        `fault` is an argument of `tests.writes.faults.interrupted`.
        """
        self.started_at = begin = time.monotonic()
        module = ["tests.writes.faults.interrupted", fault] if fault else ["registry"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", *module, *self._command],
                cwd=ROOT,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"], **self.environment},
                start_new_session=True,
            )
        self.starts += 1
        wait_for(self.port, self._process)
        self.slowest_s = max(self.slowest_s, time.monotonic() - begin)

    def run(self) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end, for a server that must refuse to start."""
        return run_registry(*self._command)

    def git_processes(self) -> list[psutil.Process]:
        """The git processes of the server."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [one for one in children if one.name().startswith("git")]
        return []

    def kill(self) -> None:
        """Kill the server alone: its git processes see the end of their input."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def kill_git(self) -> None:
        """Kill the git processes of the server."""
        for one in self.git_processes():
            with suppress(psutil.NoSuchProcess):
                one.kill()

    def kill_all(self) -> None:
        """Kill the server and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def end(self) -> int:
        """End the server by SIGTERM; returns its exit status."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGCONT)
            self.process.terminate()
        return self.process.wait(PATIENCE_S)


def git(bare: Path, *arguments: str, check: bool = True) -> str:
    """What git prints about a repository."""
    found = subprocess.run(
        ["git", "--git-dir", str(bare), *arguments], check=check, capture_output=True, timeout=PATIENCE_S
    )
    return found.stdout.decode()


def run_registry(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a registry command to its end."""
    command: Sequence[str] = [sys.executable, "-m", "registry", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
