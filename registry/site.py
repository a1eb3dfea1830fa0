"""Files to a generation on disk, made current by one rename: a reader never sees half of a site.

`site` is a symbolic link into `.site.generations/` beside it. Each build writes a new generation folder, then renames a
new link over the old one. The last three generations stay, for readers that are in the middle of one.
"""

import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

from registry.errors import RefusedError, RegistryError, UsageError
from registry.render.file import File

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.sharedctypes import Synchronized

_KEPT = 3
_NAME = re.compile(r"[0-9]{6,}\Z")
_LOCK_TIMEOUT_S = 600
# From this many groups on, a second process pays for its start.
_WORTH_SHARING = 20


class Written(NamedTuple):
    """What was written: how many files, and the generation's folder."""

    files: int
    folder: Path


class Site:
    """One place that a registry is built to."""

    def __init__(self, out: Path) -> None:
        """`out` is the address that a web server serves: a link, or nothing yet."""
        self.out = out
        self.generations = out.parent / f".{out.name}.generations"

    @property
    def current(self) -> Path | None:
        """The folder that is served now, or None."""
        return self.out.resolve() if self.out.is_symlink() and self.out.exists() else None

    def prepare(self) -> None:
        """See that the site can be written at all, before the work is done. Raises UsageError or RefusedError."""
        if not self.out.is_symlink() and self.out.exists():
            if not self.out.is_dir() or any(self.out.iterdir()):
                raise RefusedError(f"{self.out} is there and was not made by `registry build`", "remove it, or name another place with --out")
            self.out.rmdir()
        if self.out.is_symlink() and self.out.readlink().parent.name != self.generations.name:
            raise RefusedError(f"{self.out} is a link that `registry build` did not make", "remove it, or name another place with --out")
        try:
            self.generations.mkdir(parents=True, exist_ok=True)
            probe = self.generations / ".probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(f"{self.generations} cannot be written: {error.strerror}", "name another place with --out") from error

    def write(self, groups: Sequence[Iterable[File]]) -> Written:
        """Write a whole new generation and make it the current one. On any error the last good one stays.

        Each of `groups` must be able to be made without the others: where the system can fork, two processes share them.
        """
        self.prepare()
        try:
            with FileLock(self.generations / ".lock", timeout=_LOCK_TIMEOUT_S):
                return self._write(groups)
        except Timeout as error:
            raise UsageError(f"another build has been writing to {self.out} for {_LOCK_TIMEOUT_S} s", "wait for it, or end it") from error
        except OSError as error:
            raise UsageError(f"the site cannot be written to {error.filename or self.out}: {error.strerror}", "the last good site stays") from error

    def _write(self, groups: Sequence[Iterable[File]]) -> Written:
        # Whatever is unfinished here was left behind by a build that was killed: we hold the lock.
        for left in self.generations.glob("*.partial"):
            shutil.rmtree(left)
        names = sorted(entry.name for entry in self.generations.iterdir() if _NAME.match(entry.name))
        name = f"{int(names[-1]) + 1 if names else 1:06d}"
        partial = self.generations / f"{name}.partial"
        # Readable for a web server that runs as another user, whatever the umask of whoever builds.
        umask = os.umask(0o022)
        try:
            partial.mkdir()
            count = _write_groups(partial, groups)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        finally:
            os.umask(umask)
        folder = self.generations / name
        partial.rename(folder)
        self._make_current(name)
        for old in names[: 1 - _KEPT]:
            shutil.rmtree(self.generations / old, ignore_errors=True)
        return Written(count, folder)

    def _make_current(self, name: str) -> None:
        link = self.generations / ".next"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(self.generations.name, name))
        link.replace(self.out)


def _write_groups(folder: Path, groups: Sequence[Iterable[File]]) -> int:
    """Make and write all groups, with a child process that takes every group it finds not taken yet.

    The child shares everything we hold without copying it: only where the system can fork, and only when no other thread
    runs (it could inherit a lock that nobody will ever release).
    """
    if not hasattr(os, "fork") or sys.platform == "darwin" or threading.active_count() > 1 or len(groups) < _WORTH_SHARING:
        return sum(_write_files(folder, group) for group in groups)
    context = multiprocessing.get_context("fork")
    taken = context.Value("l", 0)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_write_and_tell, args=(folder, groups, taken, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        count = _write_untaken(folder, groups, taken)
        try:
            told = ours.recv()
        except EOFError as error:
            raise UsageError("a process that wrote the site was killed", "is there enough memory?") from error
        if isinstance(told, BaseException):
            raise told
    finally:
        child.kill()
        child.join()
        ours.close()
    return count + int(told)


def _write_untaken(folder: Path, groups: Sequence[Iterable[File]], taken: "Synchronized[int]") -> int:
    """Write group after group, each one that no other process has taken; gives the number of files."""
    count = 0
    while True:
        with taken.get_lock():
            mine = taken.value
            taken.value += 1
        if mine >= len(groups):
            return count
        count += _write_files(folder, groups[mine])


def _write_and_tell(folder: Path, groups: Sequence[Iterable[File]], taken: "Synchronized[int]", told: "Connection") -> None:
    """In the child: how many files were written, or the error that stopped it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends us
    try:
        told.send(_write_untaken(folder, groups, taken))
    except (OSError, RegistryError) as error:
        told.send(error)


def _write_files(folder: Path, files: Iterable[File]) -> int:
    """Write all files below `folder`, which is new; twins are further names of the same file."""
    made = {""}
    top = f"{folder}/"
    count = 0

    def make(parent: str) -> None:
        if parent not in made:
            make(parent.rpartition("/")[0])
            with suppress(FileExistsError):  # another group has files there too
                os.mkdir(top + parent)  # noqa: PTH102 - a Path for each of a hundred thousand files costs a second
            made.add(parent)

    for file in files:
        make(file.path.rpartition("/")[0])
        # Exclusive: two files for one address are a bug, never the later one over the earlier.
        handle = os.open(top + file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
        try:
            rest = memoryview(file.body)
            while rest:
                rest = rest[os.write(handle, rest) :]
        finally:
            os.close(handle)
        count += 1
        for twin in file.twins:
            make(twin.rpartition("/")[0])
            _link(top + file.path, top + twin)
            count += 1
    return count


def _link(path: str, twin: str) -> None:
    try:
        os.link(path, twin)
    except OSError:
        # No hard links here (some network mounts), or too many of one file.
        shutil.copyfile(path, twin)
