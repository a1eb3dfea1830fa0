"""What a fix works with: a file with its text and document, the place of a finding, and edits of the text.

Every fix states its effect twice, as edits of the text and as changes of the document, so that the one can be
verified by the other.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.load.yaml.source_text import SourceText
from registry.model.pointer import steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from registry.load import yaml
    from registry.load.kinds import Kind
    from registry.model.problem import Problem

Path_ = tuple[str | int, ...]


class Edit(NamedTuple):
    """Replacement of the characters from `start` to `end` with `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Fix of one finding: edits of the text, and their effect on the document.

    `values` are new values by path. `renames` are new last steps by JSON Pointer. The finding is that of
    `rule` at `pointer`.
    """

    rule: str
    pointer: str
    edits: tuple[Edit, ...]
    values: tuple[tuple[Path_, Any], ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)

    @property
    def renames_key(self) -> bool:
        return bool(self.renames) and not self.values


class FindingPlace(NamedTuple):
    """A finding with its location: the text with offsets, the value, and the map or list that contains it."""

    problem: Problem
    text: str
    start: int
    end: int
    path: Path_
    value: Any
    around: Any
    file: EditableFile

    @property
    def raw(self) -> str:
        return self.text[self.start : self.end]

    def fix(self, new: str, *values: tuple[Path_, Any], renames: Mapping[str, str] | None = None) -> Fix:
        """Return a fix that replaces the text of the finding with `new`."""
        return Fix(
            self.problem.rule,
            self.problem.pointer,
            (Edit(self.start, self.end, new),),
            values,
            renames or {},
        )


class EditableFile:
    """A readable file: its text and document."""

    def __init__(self, data: bytes, document: yaml.ParsedDocument, kind: Kind) -> None:
        self.source = SourceText(data)
        self.text = self.source.text
        self.document = document
        self.kind = kind

    def range(self, place: yaml.Place) -> tuple[int, int]:
        """Return the offsets of the start and the end of a value."""
        line, column, end_line, end_column = place
        return self.source.offset(line, column), self.source.offset(end_line, end_column)

    def line_before(self, offset: int) -> str:
        """Return the text of a line up to `offset`."""
        return self.text[self.source.line_start(offset) : offset]

    def line_after(self, offset: int) -> str:
        """Return the rest of a line from `offset` on."""
        return self.text[offset : self.source.line_end(offset)].rstrip("\r\n")


def with_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the bytes after `edits`, which do not overlap."""
    source = SourceText(data)
    text = source.text
    for edit in sorted(edits, reverse=True):  # from the end: offsets before an edit stay valid
        text = text[: edit.start] + edit.text + text[edit.end :]
    return source.encoded(text)


def document_after(document: Any, fixes: Sequence[Fix]) -> Any:
    """Return the document that `fixes` intend."""
    document = copy.deepcopy(document)
    for fix in fixes:
        for path, value in fix.values:
            _at(document, path[:-1])[path[-1]] = value
    renames = [
        (_path_in(document, old), new) for fix in fixes if fix.renames_key for old, new in fix.renames.items()
    ]
    for steps, new in sorted(
        renames, key=lambda one: -len(one[0])
    ):  # inner ones first: their paths use the old names
        around = _at(document, steps[:-1])
        around[new] = around.pop(steps[-1])
    return document


def _at(node: Any, path: Sequence[str | int]) -> Any:
    """Return the value at a path, or None if there is none."""
    for step in path:
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def _path_in(document: Any, pointer: str) -> Path_:
    """Return the keys and indexes of a JSON Pointer; indexes of lists in the document are numbers."""
    path: list[str | int] = []
    for step in steps_of(pointer):
        is_index = isinstance(document, list) and step.isdecimal()
        path.append(int(step) if is_index else step)
        document = _at(document, path[-1:])
    return tuple(path)


def finding_place(problem: Problem, file: EditableFile) -> FindingPlace:
    """Return the location of a finding in the file that it is about."""
    start, end = file.range(problem.span[1:])
    if file.text[start:end] == "[":
        end = _end_of_list(file.text, start)  # the span of a list covers only its start
    document = file.document.data
    path = _path_in(document, problem.pointer)
    return FindingPlace(
        problem, file.text, start, end, path, _at(document, path), _at(document, path[:-1]), file
    )


def _end_of_list(text: str, start: int) -> int:
    """Return the end of the flow list that starts at `start`.

    Returns the offset after its opening bracket when the list is not closed on the same line.
    """
    found = re.compile(r"""\[(?:[^\[\]"'\n#]|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')*\]""").match(text, start)
    return found.end() if found else start + 1
