"""A new definition that can be checked before its file is written."""

import os
from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

from registry.errors import ProblemsError, UsageError
from registry.files.atomic_write import create_files
from registry.git import Oversize
from registry.load.kinds import Kind
from registry.load.source import EntryType, SourceEntry, WorkTree
from registry.model.definition import definition_path
from registry.model.problem import Problem, Severity, has_errors
from registry.pipeline import Checked, check_source
from registry.scaffold.start import Start, definition_text


class _Proposed(WorkTree):
    """The work tree with one additional file that is not written yet."""

    def __init__(self, root: Path, path: str, data: bytes) -> None:
        """`data` is the content of the file at `path`, relative to `root`."""
        super().__init__(root)
        self.path, self.data = path, data

    def entries(self, folder: str, but: Container[str] = ()) -> list[SourceEntry]:
        """Return every path below `folder`, in byte order, without those in `but`."""
        found = super().entries(folder, but)
        if self.path.startswith(f"{folder}/") and self.path not in but:
            found.append(SourceEntry(self.path, EntryType.FILE))
            found.sort(key=lambda entry: os.fsencode(entry.path))
        return found

    def _read(self, path: str, at_most: int) -> bytes | Oversize | None:
        return self.data if path == self.path else super()._read(path, at_most)


class Created(NamedTuple):
    """A new file: its path relative to the registry, and the problems in it, none of them an error."""

    path: str
    problems: tuple[Problem, ...]


def create_definition(root: Path, kind: Kind, name: str, start: Start, before: Checked) -> Created:
    """Write the file of a new definition, with comments, unless it would add an error to the registry.

    `before` is the registry without the file. Raises UsageError if the file exists, and ProblemsError if the
    file would have errors or cause some in other files.
    """
    proposed = _propose(root, kind, name, start)
    known = set(before.problems)
    found = [problem for problem in check_source(proposed).problems if problem not in known]
    if has_errors(found):
        raise ProblemsError(
            [one for one in found if one.severity is Severity.ERROR],
            proposed.read,
            "nothing was written: the new definition would have errors",
        )
    create_files(root, {proposed.path: proposed.data})
    return Created(proposed.path, tuple(one for one in found if one.span.path == proposed.path))


def _propose(root: Path, kind: Kind, name: str, start: Start) -> _Proposed:
    """Return the file of a new definition, with comments, without writing it.

    Raises UsageError if the file exists.
    """
    path = definition_path(kind.name, name)
    if os.path.lexists(root / path):
        raise UsageError(f"{path} already exists", "choose another name, or edit that file")
    return _Proposed(root, path, definition_text(path, kind, name, start).encode("utf-8", "surrogateescape"))
