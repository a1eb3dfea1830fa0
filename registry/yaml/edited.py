"""A file after one edit of one line, read by looking at that line: most revisions of a file are just that.

Both files are in the usual form (see `lines`). The line holds a key with a value, in maps by indentation alone. For whatever
else differs there is no answer, and the caller reads the file.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from registry.yaml.lines import MOST_BYTES, UnusualFormError, read_lines

_WITH_VALUE = re.compile(rb"( *)([A-Za-z_][A-Za-z0-9_.-]*): +[^ #]")
_OPEN = re.compile(rb"( *)([A-Za-z_][A-Za-z0-9_.-]*): *(?: #.*)?\Z")
_NOTHING = re.compile(rb" *(?:#.*)?\Z")


class Edit(NamedTuple):
    """The data after the edit, which has all parts but the maps on the way in common with that before it; and what was edited."""

    data: dict[str, Any]
    path: tuple[str, ...]
    old: Any
    new: Any


def edited(before: bytes, data: dict[str, Any], after: bytes) -> Edit | None:
    """What `read_lines(after)` gives, seen from `before` with its `data` (as `read_lines` gave it); None where that takes reading."""
    lines = _lines_that_differ(before.split(b"\n"), after.split(b"\n")) if len(after) <= MOST_BYTES else None
    values = _values_in(lines.old, lines.new) if lines is not None else None
    path = _path_of(lines.old, lines.above) if lines is not None and values is not None else None
    if values is None or path is None:
        return None
    old, new = values
    changed = data.copy()
    holder = changed
    for step in path[:-1]:
        inner = holder.get(step)
        if not isinstance(inner, dict):
            return None
        holder[step] = holder = inner.copy()
    if path[-1] not in holder or holder[path[-1]] != old or type(holder[path[-1]]) is not type(old):
        return None
    holder[path[-1]] = new
    return Edit(changed, path, old, new)


class _Lines(NamedTuple):
    """A line before and after, and those above it."""

    old: bytes
    new: bytes
    above: list[bytes]


def _lines_that_differ(old: list[bytes], new: list[bytes]) -> _Lines | None:
    """The only line that differs; None where none does, or more."""
    if len(old) != len(new):
        return None
    place = next((number for number, (one, other) in enumerate(zip(old, new, strict=True)) if one != other), None)
    if place is None or old[place + 1 :] != new[place + 1 :]:
        return None
    return _Lines(old[place], new[place], old[:place])


def _values_in(old: bytes, new: bytes) -> tuple[Any, Any] | None:
    """The values in two lines that hold the same key; None for maps, and where it takes more to read them."""
    before, after = _WITH_VALUE.match(old), _WITH_VALUE.match(new)
    if before is None or after is None or before.groups() != after.groups():
        return None
    key = before[2].decode()
    try:
        values = tuple(read_lines(line.lstrip(b" ") + b"\n")[key] for line in (old, new))
    except UnusualFormError:
        return None
    return None if any(isinstance(value, dict) for value in values) else (values[0], values[1])


def _path_of(line: bytes, above: Sequence[bytes]) -> tuple[str, ...] | None:
    """The keys that lead to the value in a line, as the lines above it say; None where that is not plain to see.

    Each of them stands in a line of its own with nothing behind it, the uppermost at the first column: so the line is in no
    list, and in no text of several lines, whose head has something behind its key.
    """
    found = _WITH_VALUE.match(line)
    if found is None:
        return None
    path = [found[2].decode()]
    column = len(found[1])
    for other in reversed(above):
        if not column:
            break
        indentation = len(other) - len(other.lstrip(b" "))
        if indentation < column and not _NOTHING.match(other):
            parent = _OPEN.match(other)
            if parent is None:
                return None
            path.append(parent[2].decode())
            column = indentation
    return tuple(reversed(path)) if not column else None
