"""Which write servers of a repository are running, and what they were doing.

Each server has a file `registry/servers/<name>` in the git directory and holds an flock on it. Its git
processes inherit the open file, so the lock ends only when the last of them has ended, however the server
was killed. Until then nothing of it may be removed: an orphaned `git update-ref` would rename a lock file
that belongs to another process by now.

The content is one JSON object a line: who the server is, its git processes, its packs, and the publication
in progress. It helps recovery after a kill, so it is not synced to the disk.
"""

import errno
import fcntl
import json
import os
import re
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from registry.errors import UsageError
from registry.git.error import GitWriteError, WriteFailure, system_failure
from registry.git.refs import RefUpdate

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_POLL_S = 0.02
# Git processes of a killed server read the end of their input and end within milliseconds.
_ORPHAN_LIMIT_S = 1.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ServerRecord(NamedTuple):
    """What the file of a server says."""

    identity: dict[str, Any]
    processes: tuple[tuple[int, str], ...] = ()
    packs: frozenset[str] = frozenset()
    unfinished: tuple[RefUpdate, ...] = ()
    """The publication that was started and not reported as finished."""

    @property
    def is_elsewhere(self) -> bool:
        """True for a server on another machine, whose lock may be invisible here."""
        here = _identity()
        return bool(self.identity) and all(
            self.identity.get(key) != here[key] for key in ("host", "boot") if here[key]
        )

    @property
    def is_visible(self) -> bool:
        """True when the process of the server is running and can be seen from here.

        Processes in another container are not, although they hold locks.
        """
        return bool(self.identity) and _is_process(self.identity)


class ServerFile:
    """The locked file of a running server."""

    def __init__(self, path: Path, handle: int, previous: ServerRecord) -> None:
        """Use `claim`."""
        self.path = path
        self.fd = handle
        self.previous = previous
        """What a server of this name that no longer runs has left."""
        self._header_bytes = 0

    @classmethod
    def claim(cls, folder: Path, name: str, limit_s: float) -> "ServerFile":
        """Lock the file of the server `name`. Git processes of a dead server of this name are ended first.

        Raises GitWriteError (LOCKED) when a server of this name is running, UsageError for a name that cannot
        be part of a ref.
        """
        if not _NAME.match(name):
            raise UsageError(f"{name!r} cannot be the name of a server", "letters, digits, `-` and `_`")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls._claim(folder / name, time.monotonic() + limit_s)
        except OSError as error:
            raise system_failure("the server cannot be registered", error) from error

    @classmethod
    def _claim(cls, path: Path, deadline: float) -> "ServerFile":
        orphans_end = time.monotonic() + _ORPHAN_LIMIT_S
        while True:
            handle = open_locked(path)
            if handle is not None:
                return cls(path, handle, read_record(path))
            record = read_record(path)
            now = time.monotonic()
            if now > orphans_end and not _is_running(record.identity):
                _kill(record.processes)
            if now > deadline:
                raise GitWriteError(
                    f"a server named {path.name} is running, process {record.identity.get('pid', '?')} "
                    f"on {record.identity.get('host', '?')}",
                    WriteFailure.LOCKED,
                    "give each server a name of its own",
                )
            time.sleep(_POLL_S)

    def begin(self) -> None:
        """Forget the previous server, and write who this server is. Raises OSError."""
        os.ftruncate(self.fd, 0)
        self._append(_identity() | {"pid": os.getpid(), "started": _started(os.getpid())})
        self._header_bytes = os.fstat(self.fd).st_size

    def forget_packs(self) -> None:
        """Forget processes and packs: fast-import has ended. Raises OSError."""
        os.ftruncate(self.fd, self._header_bytes)

    def note_process(self, pid: int) -> None:
        """Record a git process of this server. Raises OSError."""
        self._append({"git": pid, "started": _started(pid)})

    def note_packs(self, names: Sequence[str]) -> None:
        """Record packs that fast-import keeps: file names without suffix. Raises OSError."""
        if names:
            self._append({"packs": list(names)})

    def note_publication(self, updates: Sequence[RefUpdate]) -> None:
        """Record the start of a publication; () its end. Raises OSError."""
        self._append({"publish": [list(update) for update in updates]})

    def _append(self, fact: dict[str, Any]) -> None:
        size = os.fstat(self.fd).st_size
        line = json.dumps(fact, separators=(",", ":")).encode() + b"\n"
        try:
            # A full disk can store a part of the line, which would also damage the next one.
            if os.pwrite(self.fd, line, size) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.fd, size)
            raise

    def close(self) -> None:
        """Remove the file, and release the lock. Does nothing the second time."""
        if self.fd >= 0:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self.release()

    def release(self) -> None:
        """Release the lock, and leave the file for the next start."""
        os.close(self.fd)
        self.fd = -1


def open_locked(path: Path) -> int | None:
    """Open a file and lock it for this process and those that inherit it; None if it is locked.

    Raises OSError.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(handle, path):
            return handle
    except BlockingIOError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _is_at(handle: int, path: Path) -> bool:
    """False when another process has removed the file between opening and locking."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def read_record(path: Path) -> ServerRecord:
    """Read the file of a server; an unreadable line is skipped."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return ServerRecord({})
    identity: dict[str, Any] = {}
    processes: list[tuple[int, str]] = []
    packs: set[str] = set()
    unfinished: tuple[RefUpdate, ...] = ()
    for line in lines:
        try:
            fact = json.loads(line)
            if "pid" in fact:
                identity = fact
            elif "git" in fact:
                processes.append((int(fact["git"]), str(fact["started"])))
            elif "packs" in fact:
                packs.update(map(str, fact["packs"]))
            else:
                unfinished = tuple(RefUpdate(*update) for update in fact["publish"])
        except (ValueError, TypeError, KeyError):
            continue
    return ServerRecord(identity, tuple(processes), frozenset(packs), unfinished)


def _identity() -> dict[str, Any]:
    """This machine. Containers of one machine have the same boot id, and one lock table."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return {"host": socket.gethostname(), "boot": boot}


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot, which no other process of its id shares."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # proc(5): field 22; the name in brackets can contain spaces


def _is_running(identity: dict[str, Any]) -> bool:
    """True unless it is certain that the server has ended."""
    if not identity or identity.get("boot") != _identity()["boot"]:
        return True
    return _is_process(identity)


def _is_process(identity: dict[str, Any]) -> bool:
    return bool(identity.get("started")) and _started(identity["pid"]) == identity["started"]


def _kill(processes: Sequence[tuple[int, str]]) -> None:
    for pid, started in processes:
        # The id alone could be that of another process by now.
        if started and _started(pid) == started:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
