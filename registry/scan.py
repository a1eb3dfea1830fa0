"""What a look at a registry's files tells, without reading any: enough to know that something changed, and which paths."""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

# What a site is made from, relative to the registry's root.
WATCHED = ("definitions", "schema", "site_templates", "samples", "registry.yaml")
# Time stamps of files have steps: a few milliseconds here, a second or two on others' disks.
_STEP_NS = 50_000_000
_COARSE_STEP_NS = 2_100_000_000

Facts = tuple[int, int, int, int]
"""Size, time of the last write and of the last change of anything (nanoseconds), inode; of a folder, a link or a device its mode."""
UNREADABLE: Facts = (-1, 0, 0, 0)
"""The facts of a folder that cannot be looked into."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Facts by path: of everything watched, relative to the root, and of git's own files (absolute). Taken at `time_ns`."""

    facts: Mapping[str, Facts]
    git: Mapping[str, Facts]
    time_ns: int

    @property
    def digest(self) -> str:
        """The same for the same facts, in any process."""
        everything = [sorted(self.facts.items()), sorted(self.git.items())]
        try:
            told = orjson.dumps(everything)
        except TypeError:  # a name that is not UTF-8; ten times as slow
            told = repr(everything).encode()
        return hashlib.blake2b(told, digest_size=16).hexdigest()

    @property
    def is_settled(self) -> bool:
        """True when a write after this scan would show: none was shortly before."""
        return all(is_settled(mtime, self.time_ns) for _, mtime, _, _ in (*self.facts.values(), *self.git.values()))

    def changed_since(self, before: "Scan") -> set[str]:
        """The watched paths that came, went, or differ."""
        return {path for path, facts in self.facts.items() if before.facts.get(path) != facts} | (before.facts.keys() - self.facts.keys())


def is_settled(mtime_ns: int, now_ns: int) -> bool:
    """True when a file was written long enough ago that a further write would show in its time."""
    return mtime_ns < now_ns - (_COARSE_STEP_NS if mtime_ns % 1_000_000_000 == 0 else _STEP_NS)


def scan(root: Path, git_files: Iterable[Path] = ()) -> Scan:
    """Look at every file now. Whatever cannot be looked at is not there."""
    now = time.time_ns()
    facts: dict[str, Facts] = {}
    for name in WATCHED:
        _look(f"{root}/{name}", name, facts)
    git: dict[str, Facts] = {}
    for path in git_files:
        try:
            status = path.stat()
        except OSError:
            continue
        git[str(path)] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return Scan(facts, git, now)


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
