"""What every source of files offers: typed paths, bytes and settings."""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from registry.errors import UsageError
from registry.git.location import git_directories_in
from registry.load.settings import SETTINGS_PATH, Settings, parse_settings
from registry.load.yaml import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence
    from pathlib import Path

    from registry.git import Oversize, Repository
    from registry.model.problem import Problem


class FileTooLargeError(UsageError):
    """A file of the registry exceeds the size limit and was not read; `size` is in bytes."""

    def __init__(self, path: str, size: int, at_most: int) -> None:
        """Describe the file at `path`, which has `size` bytes and may have `at_most` bytes."""
        super().__init__(
            f"{path} has {size:,} bytes; the maximum is {at_most:,}",
            "check that it is the right file; make it smaller, or remove it",
        )
        self.size = size


class EntryType(Enum):
    """The type of a path; only regular files are read."""

    FILE = "file"
    LINK = "symbolic link"
    SUBMODULE = "submodule"
    GIT_DIRECTORY = "git directory"
    OTHER = "special file"


class SourceEntry(NamedTuple):
    """One path of a source, relative to the registry's root, with `/` as separator."""

    path: str
    type: EntryType


class Source(Protocol):
    """Interface that the loader needs: a list of paths and their bytes."""

    root: Path

    @property
    def settings(self) -> Settings:
        """The settings in `registry.yaml`, parsed once; a setting with a problem has its default value."""

    @property
    def settings_problems(self) -> tuple[Problem, ...]:
        """The problems found in `registry.yaml`."""

    @property
    def commit(self) -> str | None:
        """The commit that is read, or the HEAD commit of the work tree; None when there is none."""

    @property
    def repository(self) -> Repository | None:
        """The git repository that contains the source, or None."""

    @property
    def is_work_tree(self) -> bool:
        """True when files can differ from the commit."""

    def entries(self, folder: str, but: Container[str] = ()) -> list[SourceEntry]:
        """Return every path below `folder` in byte order, except those in `but`.

        The result is empty if there is no such folder.
        """

    def type_of(self, path: str) -> EntryType | None:
        """Return the type of the path; None if it does not exist or is behind a symbolic link."""

    def read(self, path: str, *, at_most: int = MAX_BYTES) -> bytes | None:
        """Return the bytes of one file, or None if there is no such regular file.

        Links to folders are not followed. Raises FileTooLargeError for a file of more than `at_most` bytes,
        without reading it.
        """

    def read_many(
        self, paths: Iterable[str], *, at_most: int = MAX_BYTES
    ) -> Iterator[tuple[str, bytes | Oversize | None]]:
        """Yield paths with their bytes, in the order given.

        For a file of more than `at_most` bytes only its size is returned.
        """

    def largest_file(self, folders: Sequence[str]) -> int:
        """Return the size in bytes of the largest file below `folders`; 0 if there is none."""


class WithSettings:
    """The settings of a source, read and parsed on first use."""

    def read(self, path: str, *, at_most: int = MAX_BYTES) -> bytes | None:
        """Read one file as in `Source.read`."""
        raise NotImplementedError

    @cached_property
    def _parsed_settings(self) -> tuple[Settings, tuple[Problem, ...]]:
        return parse_settings(self.read(SETTINGS_PATH))

    @property
    def settings(self) -> Settings:
        """The settings in `registry.yaml`."""
        return self._parsed_settings[0]

    @property
    def settings_problems(self) -> tuple[Problem, ...]:
        """The problems found in `registry.yaml`."""
        return self._parsed_settings[1]


def with_git_directories(found: list[SourceEntry]) -> list[SourceEntry]:
    """Return the entries with a special type for each `HEAD` of a possible git directory."""
    if not any(entry.path[-4:].lower() == "head" for entry in found):
        return found
    heads = set(git_directories_in(entry.path for entry in found))
    return [entry._replace(type=EntryType.GIT_DIRECTORY) if entry.path in heads else entry for entry in found]
