"""A new definition that can be checked before its file is written."""

import os
from collections.abc import Container
from pathlib import Path

from registry.errors import UsageError
from registry.git import Oversize
from registry.load.kinds import Kind
from registry.load.source import EntryType, SourceEntry, WorkTree
from registry.model.definition import definition_path
from registry.scaffold.start import Start, definition_text


class Proposed(WorkTree):
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


def propose_definition(root: Path, kind: Kind, name: str, start: Start) -> Proposed:
    """Return the file of a new definition, with comments, without writing it.

    Raises UsageError if the file exists.
    """
    path = definition_path(kind.name, name)
    if os.path.lexists(root / path):
        raise UsageError(f"{path} already exists", "choose another name, or edit that file")
    return Proposed(root, path, definition_text(path, kind, name, start).encode("utf-8", "surrogateescape"))
