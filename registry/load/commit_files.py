"""A commit as a source of files: read from git objects, without a checkout."""

import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path

from registry.errors import UsageError
from registry.git import Oversize, Repository
from registry.load.source_files import (
    EntryType,
    FileTooLargeError,
    SourceEntry,
    WithSettings,
    with_git_directories,
)
from registry.load.yaml import MAX_BYTES


class Commit(WithSettings):
    """The files of one commit."""

    is_work_tree = False

    def __init__(self, root: Path, repository: Repository, commit: str) -> None:
        """`root` is the registry's folder; its path within the repository selects the subtree to read."""
        self.root = root
        self.repository = repository
        self.commit = commit
        prefix = repository.prefix_of(root)
        self._entries: dict[str, tuple[EntryType, str]] = {}
        for mode, blob, path in repository.list_tree(commit, prefix):
            relative = path[len(prefix) :]
            if any(step in ("", ".", "..", ".git") for step in relative.split("/")):
                raise UsageError(
                    f"commit {commit[:12]} contains the path {relative!r}, which cannot exist in a checkout"
                )
            self._entries[relative] = (_type_of_mode(mode), blob)

    def with_blobs(self, blobs: Mapping[str, str | None]) -> "Commit":
        """Return the same files, except that those at some paths have other blobs, or do not exist (None)."""
        found = copy(self)
        found._entries = {path: entry for path, entry in self._entries.items() if path not in blobs}
        found._entries |= {path: (EntryType.FILE, blob) for path, blob in blobs.items() if blob is not None}
        return found

    def blobs(self) -> dict[str, str]:
        """The blob id of each regular file, by path."""
        return {path: blob for path, (kind, blob) in self._entries.items() if kind is EntryType.FILE}

    def entries(self, folder: str, but: Container[str] = ()) -> list[SourceEntry]:
        """Return every path below `folder` in byte order, except those in `but`.

        The result is `folder` itself if it is not a folder.
        """
        kind_of_folder = self._entries.get(folder, (EntryType.FILE, ""))[0]
        if kind_of_folder is not EntryType.FILE:
            return [SourceEntry(folder, kind_of_folder)]
        start = folder.rstrip("/") + "/"
        found = [
            SourceEntry(path, kind)
            for path, (kind, _) in self._entries.items()
            if path.startswith(start) and path not in but
        ]
        found.sort(key=lambda entry: os.fsencode(entry.path))
        return with_git_directories(found)

    def type_of(self, path: str) -> EntryType | None:
        """Return the type of the path; None if it does not exist or is behind a symbolic link."""
        found = self._entries.get(path)
        if found is not None:
            return found[0]
        return EntryType.OTHER if any(one.startswith(f"{path}/") for one in self._entries) else None

    def read(self, path: str, *, at_most: int = MAX_BYTES) -> bytes | None:
        """Return the bytes of one regular file. Raises FileTooLargeError for more than `at_most` bytes."""
        found = next(self.read_many([path], at_most=at_most))[1]
        if isinstance(found, Oversize):
            raise FileTooLargeError(path, found.size, at_most)
        return found

    def read_many(
        self, paths: Iterable[str], *, at_most: int = MAX_BYTES
    ) -> Iterator[tuple[str, bytes | Oversize | None]]:
        """Yield paths with their bytes, read by one git process.

        For a file of more than `at_most` bytes only its size is returned.
        """
        wanted = [(path, self._entries.get(path)) for path in paths]
        blobs = [entry[1] for _, entry in wanted if entry and entry[0] is EntryType.FILE]
        contents = self.repository.read_blobs(blobs, at_most=at_most)
        for path, entry in wanted:
            yield path, next(contents)[1] if entry and entry[0] is EntryType.FILE else None

    def largest_file(self, folders: Sequence[str]) -> int:
        """Return the size in bytes of the largest file below `folders`; 0 if there is none."""
        prefix = self.repository.prefix_of(self.root)
        return self.repository.largest_file(self.commit, [f"{prefix}{folder}/" for folder in folders])


def _type_of_mode(mode: str) -> EntryType:
    if mode in ("100644", "100755", "100664"):
        return EntryType.FILE
    return {"120000": EntryType.LINK, "160000": EntryType.SUBMODULE}.get(mode, EntryType.OTHER)
