"""Repack in the background: many small packs become few, and no object is removed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from registry.git.environment import SYNCED
from registry.git.error import first_line
from registry.git.process import Git
from registry.git.running import kill_group
from registry.git.server_file import open_locked

# A short search for deltas: fast-import stores deltas inside of one pack only, so each write of a client that
# is alone stores its folders and the open segment of the ledger whole. With it, such a write takes 1.7 KiB
# instead of 8. Where batches are large, most deltas are there already: git's usual window of 10 takes
# 20 times the processor time of none, and saves 1 % then.
_WORDS = ("repack", "-q", "-d", "-l", "--geometric=2", "--write-midx", "--window=4")
_SETTINGS = (*SYNCED, ("pack.threads", "1"), ("repack.writeBitmaps", "false"))
_NICENESS = 10
_LONGEST_S = 1800.0
_CLOSE_LIMIT_S = 2.0
_END_LIMIT_S = 3.0


class Repacking:
    """At most one `git repack` at a time for a repository, by whichever server starts it first."""

    def __init__(self, git: Git, lock: Path, log: Callable[[str], None]) -> None:
        """`lock` is a file that the git process keeps locked. `log` receives failures."""
        self._git = git
        self._lock = lock
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = 0.0

    def start(self) -> None:
        """Start unless it is running. A failure is logged: writes go on without it."""
        self.poll()
        if self._process is not None:
            return
        try:
            handle = open_locked(self._lock)
            if handle is None:
                return
            try:
                self._process = self._git.start(*_WORDS, settings=_SETTINGS, pass_fds=[handle])
            finally:
                os.close(handle)
        except OSError as error:
            self._log(f"git repack did not start: {error}")
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None  # `communicate` would flush it
        self._deadline = time.monotonic() + _LONGEST_S
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICENESS)

    def poll(self) -> None:
        """Take note of the end, and end a process that takes too long. Returns at once."""
        process = self._process
        if process is None:
            return
        if process.poll() is None and time.monotonic() > self._deadline:
            kill_group(process)
        if process.poll() is not None:
            self._collect(process)

    def wait(self, limit_s: float) -> None:
        """Wait for the end of the running process, at most `limit_s` seconds."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(limit_s)
            self.poll()

    def _collect(self, process: subprocess.Popen[bytes]) -> None:
        _, errors = process.communicate()
        if process.returncode:
            self._log(f"git repack failed: {first_line(errors.decode('utf-8', 'replace'))}")
        self._process = None

    def close(self) -> None:
        """Wait a moment for the process, and end it. It can leave temporary files then."""
        self.wait(_CLOSE_LIMIT_S)
        process = self._process
        if process is not None:
            kill_group(process, signal.SIGTERM)
            try:
                process.wait(_END_LIMIT_S)
            except subprocess.TimeoutExpired:
                kill_group(process)
            process.communicate()
            self._process = None
