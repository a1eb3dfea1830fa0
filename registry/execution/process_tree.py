"""All processes that a program has started, so that none of them outlives its run.

On Linux, orphans become children of this process while a program runs (`PR_SET_CHILD_SUBREAPER`), so that
processes in sessions of their own (`setsid`) are found, too. Elsewhere only the process group is known:
what leaves it stays.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

_PROC = Path("/proc")
_IS_LINUX = sys.platform == "linux"
_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37  # linux/prctl.h
_MOMENT_S = 0.02
# How long killed processes may take to disappear: they may wait for the disk in the kernel.
_END_LIMIT_S = 5.0


class _Process(NamedTuple):
    parent: int
    is_zombie: bool


class ProcessTree:
    """A started process, which leads a session, and its descendants. Made by `watched_tree` only."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        wrappers: int,
        earlier: frozenset[int],
        terminate: Callable[[], None] | None = None,
    ) -> None:
        """`earlier` are the children that this process had before.

        `terminate` sends SIGTERM to a program on another machine, of which this tree is only the client.
        """
        self._terminate = terminate
        self._process = process
        self._wrappers = wrappers
        self._earlier = earlier

    def terminate(self) -> None:
        """Send SIGTERM to all processes except those that the launcher put above the program."""
        if self._terminate is not None:
            self._terminate()
            return
        if not _IS_LINUX:
            self._signal_group(signal.SIGTERM)
            return
        for number, depth in self._members().items():
            if depth >= self._wrappers:
                _signal(number, signal.SIGTERM)

    def kill(self) -> None:
        """End all processes at once, and wait until they are gone, at most for some seconds."""
        self._signal_group(signal.SIGKILL)
        deadline = time.monotonic() + _END_LIMIT_S
        while time.monotonic() < deadline:
            alive = self._members() if _IS_LINUX else {}
            for number in alive:
                _signal(number, signal.SIGKILL)
            # Releases the process and the orphans that it left.
            is_running = self._process.poll() is None
            for number in self._adopted(_processes()) if _IS_LINUX else ():
                with suppress(ChildProcessError):
                    os.waitpid(number, os.WNOHANG)
            if not alive and not is_running:
                return
            time.sleep(_MOMENT_S)

    def _signal_group(self, number: int) -> None:
        if self._process.poll() is None or not _IS_LINUX:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _members(self) -> dict[int, int]:
        """Return the running processes of the tree, each with its distance from the started process.

        An orphan counts as a process of the program: distance `wrappers`.
        """
        processes = _processes()
        children: dict[int, list[int]] = {}
        for number, one in processes.items():
            children.setdefault(one.parent, []).append(number)
        level = dict.fromkeys(self._adopted(processes), self._wrappers)
        if self._process.returncode is None:
            level[self._process.pid] = 0
        found: dict[int, int] = {}
        while level:
            found |= level
            level = {
                child: found[number] + 1
                for number in level
                for child in children.get(number, ())
                if child not in found
            }
        return {
            number: depth
            for number, depth in found.items()
            if number in processes and not processes[number].is_zombie
        }

    def _adopted(self, processes: Mapping[int, _Process]) -> list[int]:
        """Return the orphans that became children of this process."""
        known = self._earlier | {self._process.pid}
        return [
            number for number, one in processes.items() if one.parent == os.getpid() and number not in known
        ]


def kill_children_since(earlier: frozenset[int]) -> None:
    """End all processes that became children of this process since `adopting_orphans` gave `earlier`.

    For a start that an interrupt cut off: which process was started is not known then.
    """
    deadline = time.monotonic() + _END_LIMIT_S
    while _IS_LINUX and time.monotonic() < deadline:
        processes = _processes()
        new = [
            number for number, one in processes.items() if one.parent == os.getpid() and number not in earlier
        ]
        if not new:
            return
        # Their own children are adopted, and found in the next round.
        for number in new:
            _signal(number, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(number, os.WNOHANG)
        time.sleep(_MOMENT_S)


@contextmanager
def adopting_orphans() -> Iterator[frozenset[int]]:
    """Adopt orphans of processes that are started while the context lasts.

    Gives the children that this process has before. No other process may be started meanwhile: it would count
    as an orphan of the program.
    """
    before = _set_subreaper(1)
    try:
        yield frozenset(
            number for number, one in (_processes() if _IS_LINUX else {}).items() if one.parent == os.getpid()
        )
    finally:
        _set_subreaper(before)


def _set_subreaper(value: int) -> int:
    """Set whether orphans are adopted; returns the earlier value. Does nothing where Linux is missing."""
    if not _IS_LINUX:
        return 0
    with suppress(OSError, AttributeError):  # a C library without prctl: orphans are not found then
        library = ctypes.CDLL(None, use_errno=True)
        earlier = ctypes.c_int(0)
        library.prctl(_GET_CHILD_SUBREAPER, ctypes.byref(earlier), 0, 0, 0)
        library.prctl(_SET_CHILD_SUBREAPER, value, 0, 0, 0)
        return earlier.value
    return 0


def _processes() -> dict[int, _Process]:
    """Return all processes of this machine that can be seen, by number."""
    found = {}
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
                # The name, in parentheses, can contain anything.
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
                found[int(folder.name)] = _Process(int(fields[1]), fields[0] in (b"Z", b"X"))
    return found


def _signal(number: int, which: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(number, which)
