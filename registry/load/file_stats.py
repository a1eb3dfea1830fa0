"""File metadata (stat) of a registry: detects changes and changed paths without reading any file."""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path

import orjson

from registry.errors import UsageError
from registry.runtime import Child, can_fork

# The files that a site is built from, relative to the registry's root.
WATCHED = ("definitions", "schema", "site_templates", "samples", "registry.yaml")
# File timestamps have limited resolution: a few milliseconds here, one or two seconds on other file systems.
_STEP_NS = 50_000_000
_COARSE_STEP_NS = 2_100_000_000

Facts = tuple[int, int, int, int]
"""Size, mtime and ctime (nanoseconds) and inode; for a folder, a link or a device its mode."""
UNREADABLE: Facts = (-1, 0, 0, 0)
"""The facts of an unreadable folder."""


class FileStats:
    """Stat facts of a set of paths, all taken after `time_ns`."""

    def __init__(self, facts: Mapping[str, Facts], time_ns: int) -> None:
        """Store facts by path."""
        self.facts = facts
        self.time_ns = time_ns

    @cached_property
    def digest(self) -> str:
        """Digest of the facts; equal facts give equal digests in every process."""
        everything = sorted(self.facts.items())
        try:
            encoded = orjson.dumps(everything)
        except TypeError:  # the name is not UTF-8; this path is ten times slower
            encoded = repr(everything).encode()
        return hashlib.blake2b(encoded, digest_size=16).hexdigest()

    @cached_property
    def is_settled(self) -> bool:
        """True when every later write will change the facts: no file was written shortly before the scan."""
        return all(is_settled(mtime, self.time_ns) for _, mtime, _, _ in self.facts.values())


class TreeScan:
    """Facts of all watched files by path relative to the root, and of git's own files by absolute path."""

    def __init__(self, watched: FileStats, git: FileStats) -> None:
        """Combine two sets of facts taken at the same time."""
        self.facts, self.git, self.time_ns = watched.facts, git.facts, watched.time_ns
        self._looks = (watched, git)

    @property
    def digest(self) -> str:
        """Digest of the facts; equal facts give equal digests in every process."""
        return " ".join(look.digest for look in self._looks)

    @property
    def is_settled(self) -> bool:
        """True when every later write will change the facts: no file was written shortly before the scan."""
        return all(look.is_settled for look in self._looks)

    def changed_since(self, before: "TreeScan") -> set[str]:
        """Return the watched paths that were added, removed or changed."""
        return {path for path, facts in self.facts.items() if before.facts.get(path) != facts} | (
            before.facts.keys() - self.facts.keys()
        )


def is_settled(mtime_ns: int, now_ns: int) -> bool:
    """True when a file is old enough that another write would change its timestamp."""
    # A time in whole seconds suggests a file system without fractions (FAT has steps of two seconds).
    return mtime_ns < now_ns - (_COARSE_STEP_NS if mtime_ns % 1_000_000_000 == 0 else _STEP_NS)


def scan(root: Path, git_files: Iterable[Path] = ()) -> TreeScan:
    """Scan all files now. Paths that cannot be read count as missing."""
    return TreeScan(_look_at_watched(root), _look_at_git(git_files))


class PendingScan:
    """A scan of all files in a child process, concurrent with other work. Callers must always call `scan`."""

    def __init__(self, root: Path) -> None:
        """Start the scan at once if the platform can fork."""
        self._root = root
        self._child = Child(partial(_summed_up, root)) if can_fork() else None

    def scan(self, git_files: Iterable[Path] = ()) -> TreeScan:
        """Return the result of `scan`; git's files are scanned in this process when this is called."""
        return TreeScan(self._watched(), _look_at_git(git_files))

    def _watched(self) -> FileStats:
        if self._child is None:
            return _look_at_watched(self._root)
        with suppress(UsageError):
            facts, time_ns, digest, settled = self._child.result()
            found = FileStats(facts, time_ns)
            found.__dict__.update(digest=digest, is_settled=settled)
            return found
        return _look_at_watched(self._root)  # the child process was killed


def _summed_up(root: Path) -> tuple[dict[str, Facts], int, str, bool]:
    """Return the facts and the values that are expensive to compute from them. Runs in the child process."""
    found = _look_at_watched(root)
    return dict(found.facts), found.time_ns, found.digest, found.is_settled


def _look_at_watched(root: Path) -> FileStats:
    now = time.time_ns()
    facts: dict[str, Facts] = {}
    for name in WATCHED:
        _look(f"{root}/{name}", name, facts)
    return FileStats(facts, now)


def _look_at_git(files: Iterable[Path]) -> FileStats:
    now = time.time_ns()
    facts: dict[str, Facts] = {}
    for path in files:
        try:
            status = path.stat()
        except OSError:
            continue
        facts[str(path)] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return FileStats(facts, now)


def _look(path: str, name: str, facts: dict[str, Facts]) -> None:
    try:
        status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - called often
    except OSError:
        return
    if stat.S_ISDIR(status.st_mode):
        _walk(path, name, facts)
    else:
        facts[name] = facts_of(status)


def _walk(folder: str, name: str, facts: dict[str, Facts]) -> None:
    try:
        with _entries(folder) as entries:
            for entry in entries:
                inner = f"{name}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    _walk(f"{folder}/{entry.name}", inner, facts)
                else:
                    try:
                        facts[inner] = facts_of(entry.stat(follow_symlinks=False))
                    except OSError:
                        continue  # the file was removed meanwhile
    except OSError:
        facts[name] = UNREADABLE  # unreadable is a fact as well


@contextmanager
def _entries(folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Yield the entries of a folder, with the folder as working directory.

    Resolving the full path of each of 10,000 files would take a third of the time.
    """
    if os.scandir not in os.supports_fd:
        with os.scandir(folder) as entries:
            yield entries
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(handle) as entries:
            yield entries
    finally:
        os.close(handle)


def facts_of(status: os.stat_result) -> Facts:
    """Convert the stat result of one path to facts."""
    # The size of a folder or link says nothing and differs between file systems. Its type is what matters: a
    # file that becomes a link must count as changed.
    kind = status.st_size if stat.S_ISREG(status.st_mode) else -stat.S_IFMT(status.st_mode)
    return (kind, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
