"""What a look at a registry's files tells, without reading any: enough to know that something changed, and which paths."""

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

# What a site is made from, relative to the registry's root.
WATCHED = ("definitions", "schema", "site_templates", "samples", "registry.yaml")
# Time stamps of files have steps: a few milliseconds here, a second or two on others' disks.
_STEP_NS = 50_000_000
_COARSE_STEP_NS = 2_100_000_000

Facts = tuple[int, int, int, int]
"""Size, time of the last write and of the last change of anything (nanoseconds), inode; of a folder, a link or a device its mode."""
UNREADABLE: Facts = (-1, 0, 0, 0)
"""The facts of a folder that cannot be looked into."""


class FileStats:
    """Facts of some paths, all looked at after `time_ns`."""

    def __init__(self, facts: Mapping[str, Facts], time_ns: int) -> None:
        """Facts by path."""
        self.facts = facts
        self.time_ns = time_ns

    @cached_property
    def digest(self) -> str:
        """The same for the same facts, in any process."""
        everything = sorted(self.facts.items())
        try:
            told = orjson.dumps(everything)
        except TypeError:  # a name that is not UTF-8; ten times as slow
            told = repr(everything).encode()
        return hashlib.blake2b(told, digest_size=16).hexdigest()

    @cached_property
    def is_settled(self) -> bool:
        """True when a write after this look would show: none was shortly before."""
        return all(is_settled(mtime, self.time_ns) for _, mtime, _, _ in self.facts.values())


class TreeScan:
    """Facts of everything watched, by path relative to the root; and of git's own files, by absolute path."""

    def __init__(self, watched: FileStats, git: FileStats) -> None:
        """Both looks of one moment."""
        self.facts, self.git, self.time_ns = watched.facts, git.facts, watched.time_ns
        self._looks = (watched, git)

    @property
    def digest(self) -> str:
        """The same for the same facts, in any process."""
        return " ".join(look.digest for look in self._looks)

    @property
    def is_settled(self) -> bool:
        """True when a write after this scan would show: none was shortly before."""
        return all(look.is_settled for look in self._looks)

    def changed_since(self, before: "TreeScan") -> set[str]:
        """The watched paths that came, went, or differ."""
        return {path for path, facts in self.facts.items() if before.facts.get(path) != facts} | (
            before.facts.keys() - self.facts.keys()
        )


def is_settled(mtime_ns: int, now_ns: int) -> bool:
    """True when a file was written long enough ago that a further write would show in its time."""
    return mtime_ns < now_ns - (_COARSE_STEP_NS if mtime_ns % 1_000_000_000 == 0 else _STEP_NS)


def scan(root: Path, git_files: Iterable[Path] = ()) -> TreeScan:
    """Look at every file now. Whatever cannot be looked at is not there."""
    return TreeScan(_look_at_watched(root), _look_at_git(git_files))


class PendingScan:
    """A look at every file by a process of its own, while this one does other work; ask for its `scan` in any case."""

    def __init__(self, root: Path) -> None:
        """Starts at once, where a process can be forked."""
        self._root = root
        self._child = Child(partial(_summed_up, root)) if can_fork() else None

    def scan(self, git_files: Iterable[Path] = ()) -> TreeScan:
        """What `scan` gives; git's files are looked at now."""
        return TreeScan(self._watched(), _look_at_git(git_files))

    def _watched(self) -> FileStats:
        if self._child is None:
            return _look_at_watched(self._root)
        with suppress(UsageError):
            facts, time_ns, digest, settled = self._child.result()
            found = FileStats(facts, time_ns)
            found.__dict__.update(digest=digest, is_settled=settled)
            return found
        return _look_at_watched(self._root)  # the process was killed


def _summed_up(root: Path) -> tuple[dict[str, Facts], int, str, bool]:
    """In the other process: the facts with everything that takes time to compute from them."""
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
                        continue  # it went away
    except OSError:
        facts[name] = UNREADABLE  # that is a fact, too


@contextmanager
def _entries(folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """What is in a folder, looked at from within: the way from the top to each of ten thousand files takes a third of the time."""
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
    """What a look at one path told."""
    kind = status.st_size if stat.S_ISREG(status.st_mode) else -stat.S_IFMT(status.st_mode)
    return (kind, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
