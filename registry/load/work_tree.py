"""The work tree as a source of files."""

import os
import stat
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from shlex import quote

from registry.errors import RefusedError, UsageError
from registry.files.safe_paths import link_on_the_way
from registry.git import IndexEntry, Oversize, Repository, find_work_tree, may_hide_files, open_repository
from registry.load.file_stats import UNREADABLE, WATCHED, Facts, TreeScan, facts_of
from registry.load.source_files import (
    EntryType,
    FileTooLargeError,
    SourceEntry,
    WithSettings,
    with_git_directories,
)
from registry.load.yaml import MAX_BYTES


class WorkTree(WithSettings):
    """The files on disk below `root`; links are never followed."""

    is_work_tree = True

    def __init__(self, root: Path) -> None:
        """`root` is the folder that contains `definitions/`."""
        self.root = root
        self._repository: Repository | None = None
        self._looked = False
        self._scan: TreeScan | None = None
        self._behind_link: dict[str, bool] = {}

    def use(self, scan: TreeScan) -> None:
        """Use an existing, recent scan of this folder, so that files are not scanned twice.

        Facts taken before a file is read are never newer than its content: in the worst case the file is read
        again in the next run.
        """
        if UNREADABLE not in scan.facts.values():
            self._scan = scan

    @property
    def repository(self) -> Repository | None:
        """The repository, opened on first use: `registry check` works without git."""
        if not self._looked:
            self._repository, self._looked = open_repository(self.root), True
        return self._repository

    @cached_property
    def commit(self) -> str | None:
        """The commit of HEAD, or None.

        The value of the first use is kept, so that all reads are of one commit.
        """
        return self.repository.head() if self.repository else None

    @cached_property
    def submodules(self) -> frozenset[str]:
        """Folders that are submodules in git, checked out or not, relative to `root`.

        Raises RefusedError when files of the registry are not checked out (sparse checkout) or are missing
        but marked as assume-unchanged: they would be read as deleted.
        """
        work_tree = find_work_tree(self.root)
        if work_tree is None or not may_hide_files(work_tree.git_dir) or self.repository is None:
            return frozenset()
        prefix = self.repository.prefix_of(self.root)
        entries = self.repository.index_entries([f"{prefix}{name}" for name in WATCHED])
        absent = [
            one
            for one in entries
            if (one.is_skipped or one.is_assumed) and not (self.root / one.path[len(prefix) :]).exists()
        ]
        if absent:
            raise _absence(absent)
        found = (one.path[len(prefix) :] for one in entries if one.is_submodule)
        return frozenset(
            path for path in found if (self.root / path).is_dir() and not (self.root / path).is_symlink()
        )

    def entries(self, folder: str, but: Container[str] = ()) -> list[SourceEntry]:
        """Return every path below `folder` in byte order, except those in `but`.

        The result is `folder` itself if it is not a folder.
        """
        found: list[SourceEntry] = []
        top = self.root / folder
        if top.is_symlink():
            return [SourceEntry(folder, EntryType.LINK)]
        if self._scan is not None and folder in WATCHED:
            facts, start = self._scan.facts, f"{folder}/"
            paths = in_byte_order([path for path in facts if path not in but and path.startswith(start)])
            nested = {
                path.partition("/.git/")[0].removesuffix("/.git") for path in paths if _is_git_entry(path)
            }
            found = with_git_directories([SourceEntry(path, _type_of(facts[path])) for path in paths])
            return _with_submodules(found, folder, self.submodules | nested)
        if top.is_dir():
            self._walk(str(top), folder, found)
        found = [entry for entry in found if entry.path not in but]
        found.sort(key=lambda entry: os.fsencode(entry.path))
        return _with_submodules(with_git_directories(found), folder, self.submodules)

    def _walk(self, folder: str, prefix: str, found: list[SourceEntry]) -> None:
        before = len(found)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    path = f"{prefix}/{entry.name}"
                    if entry.name == ".git":  # a separate repository, which git adds as a submodule
                        found[before:] = [SourceEntry(prefix, EntryType.SUBMODULE)]
                        return
                    if entry.is_symlink():
                        found.append(SourceEntry(path, EntryType.LINK))
                    elif entry.is_dir():
                        self._walk(entry.path, path, found)
                    else:
                        found.append(
                            SourceEntry(path, EntryType.FILE if entry.is_file() else EntryType.OTHER)
                        )
        except PermissionError as error:
            raise UsageError(f"{folder} cannot be read: {error.strerror}", "check its permissions") from error

    def type_of(self, path: str) -> EntryType | None:
        """Return the type of the path; None if it does not exist or is behind a symbolic link."""
        if self._is_behind_link(path):
            return None
        try:
            mode = (self.root / path).lstat().st_mode
        except OSError:
            return None
        if stat.S_ISREG(mode):
            return EntryType.FILE
        return EntryType.LINK if stat.S_ISLNK(mode) else EntryType.OTHER

    def _is_behind_link(self, path: str) -> bool:
        """True when a folder between the root and `path` is a link; checked once per folder."""
        folder = path.rpartition("/")[0]
        known = self._behind_link.get(folder)
        if known is None:
            known = link_on_the_way(self.root, folder) is not None
            self._behind_link[folder] = known
        return known

    def read(self, path: str, *, at_most: int = MAX_BYTES) -> bytes | None:
        """Return the bytes of one regular file. Raises FileTooLargeError for more than `at_most` bytes."""
        found = self._read(path, at_most)
        if isinstance(found, Oversize):
            raise FileTooLargeError(path, found.size, at_most)
        return found

    def _read(self, path: str, at_most: int) -> bytes | Oversize | None:
        if self._is_behind_link(path):
            return None
        # O_NONBLOCK: opening a named pipe must not block until another process writes to it.
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NOFOLLOW", 0)
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
        )
        try:
            # creating a Path costs half as much as reading a file
            handle = os.open(f"{self.root}/{path}", flags)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if (self.root / path).is_symlink():
                return None
            raise UsageError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return None
            if status.st_size > at_most:
                return Oversize(status.st_size)
            # Allocate the exact size: a buffer for the largest file takes twice as long as reading a typical
            # one.
            data = os.read(handle, status.st_size + 1)
            # the read was partial, or the file has grown
            while len(data) != status.st_size and len(data) <= at_most:
                more = os.read(handle, at_most + 1 - len(data))
                if not more:
                    break
                data += more
            return data if len(data) <= at_most else Oversize(len(data))
        finally:
            os.close(handle)

    def read_many(
        self, paths: Iterable[str], *, at_most: int = MAX_BYTES
    ) -> Iterator[tuple[str, bytes | Oversize | None]]:
        """Yield paths with their bytes; for a file of more than `at_most` bytes only its size is returned."""
        for path in paths:
            yield path, self._read(path, at_most)

    def largest_file(self, folders: Sequence[str]) -> int:
        """Return the size in bytes of the largest file below `folders`; 0 if there is none."""
        entries = (entry for folder in folders for entry in self.entries(folder))
        paths = [entry.path for entry in entries if entry.type is EntryType.FILE]
        facts = self.facts(paths)
        return max((facts[path][0] for path in paths if path in facts), default=0)

    def facts(self, paths: Iterable[str]) -> Mapping[str, Facts]:
        """Return the stat facts of the existing files among `paths`; the result may contain others."""
        if self._scan is not None:
            return self._scan.facts
        found = {}
        for path in paths:
            with suppress(OSError):
                # a Path costs more than the stat call
                found[path] = facts_of(os.stat(f"{self.root}/{path}", follow_symlinks=False))  # noqa: PTH116
        return found

    def looked_ns(self) -> int:
        """The time of the file scan in nanoseconds; starts a scan if there was none."""
        return self._scan.time_ns if self._scan is not None else time.time_ns()


class EditedWorkTree(WorkTree):
    """The work tree with other bytes in one file, which need not exist."""

    def __init__(self, root: Path, path: str, data: bytes) -> None:
        """`data` is the content of the file at `path`, relative to `root`."""
        super().__init__(root)
        self.path, self.data = path, data

    def entries(self, folder: str, but: Container[str] = ()) -> list[SourceEntry]:
        """Return every path below `folder` in byte order, except those in `but`."""
        found = super().entries(folder, but)
        is_inside = self.path.startswith(f"{folder}/") and self.path not in but
        if is_inside and all(entry.path != self.path for entry in found):
            found.append(SourceEntry(self.path, EntryType.FILE))
            found.sort(key=lambda entry: os.fsencode(entry.path))
        return found

    def _read(self, path: str, at_most: int) -> bytes | Oversize | None:
        return self.data if path == self.path else super()._read(path, at_most)


def _absence(absent: Sequence[IndexEntry]) -> RefusedError:
    """Return the error for files that are in the index and not in the work tree."""
    first = absent[0]
    more = f" and {len(absent) - 1:,} more files" if len(absent) > 1 else ""
    if first.is_skipped:
        return RefusedError(
            f"{first.path}{more}: not checked out (sparse checkout), so it would count as deleted",
            "git sparse-checkout disable, or read a commit if the command has the option: --source HEAD",
        )
    return RefusedError(
        f"{first.path}{more}: missing, but marked assume-unchanged in git, so it would count as deleted",
        f"git update-index --no-assume-unchanged {quote(first.path)}; "
        "then restore the file, or commit its deletion",
    )


def _is_git_entry(path: str) -> bool:
    return "/.git" in path and (path.endswith("/.git") or "/.git/" in path)


def _with_submodules(found: list[SourceEntry], folder: str, submodules: frozenset[str]) -> list[SourceEntry]:
    """Return the entries with these submodules and without their files, which a commit does not contain."""
    inside = {path for path in submodules if path == folder or path.startswith(f"{folder}/")}
    if not inside:
        return found
    outer = {
        path for path in inside if not any(f"{path}/".startswith(f"{other}/") for other in inside - {path})
    }
    starts = tuple(f"{path}/" for path in outer)
    kept = [entry for entry in found if entry.path not in outer and not entry.path.startswith(starts)]
    return sorted(
        [*kept, *(SourceEntry(path, EntryType.SUBMODULE) for path in outer)],
        key=lambda entry: os.fsencode(entry.path),
    )


def in_byte_order(paths: Iterable[str]) -> list[str]:
    """Sort paths as git does."""
    found = sorted(paths)
    # Code points sort like UTF-8, except for the surrogates that represent invalid bytes.
    return found if "".join(found).isascii() else sorted(found, key=os.fsencode)


def _type_of(facts: Facts) -> EntryType:
    if facts[0] >= 0:
        return EntryType.FILE
    return EntryType.LINK if -facts[0] == stat.S_IFLNK else EntryType.OTHER
