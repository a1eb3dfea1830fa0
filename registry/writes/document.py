"""The document that a request asks for, from the current one; pure.

Documents are the data of a file: `id`, `definition` and the keys around it. They are never changed in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from registry.model.diff import MISSING, Change, diff
from registry.model.pointer import steps_of
from registry.writes.requests import Operation

_Document = Mapping[str, Any]


def new_document(body: _Document, number: int, order: Iterable[str]) -> dict[str, Any]:
    """Return the document of a new definition; `order` is that of the keys in the kind's schema."""
    keys = {**dict.fromkeys(key for key in order if key in body), **dict.fromkeys(body)}
    return {"id": number, **{key: body[key] for key in keys if key not in ("id", "name")}}


def intended_document(operation: Operation, document: _Document, body: _Document) -> dict[str, Any]:
    """Return what PUT or PATCH make of a document; `body` may have `name`, which is not part of it.

    PUT and PATCH both replace the keys that the body names. A merge patch is applied as in RFC 7396.
    """
    named = {key: value for key, value in body.items() if key != "name"}
    return merge_patch(document, named) if operation is Operation.MERGE else {**document, **named}


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the result of a JSON Merge Patch (RFC 7396, section 2)."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge_patch(found.get(key), value)
    return found


class EditConflict(NamedTuple):
    """A field that two clients changed: the value now, and the requested one (`MISSING`: there is none)."""

    pointer: str
    current: Any
    requested: Any

    @property
    def body(self) -> dict[str, Any]:
        """The conflict as plain data; a value that is missing has no key."""
        values = {"current": self.current, "requested": self.requested}
        return {"pointer": self.pointer, **{key: one for key, one in values.items() if one is not MISSING}}


def merged_edits(
    seen: _Document, current: _Document, requested: _Document
) -> tuple[dict[str, Any], Sequence[EditConflict]]:
    """Apply the difference of two documents to a third one, and return it with the conflicts.

    `requested` is the edit of a client that has seen `seen`, and `current` has later edits of others. Two
    edits of one field conflict even with equal values: both may count up the same number.
    """
    theirs, ours = diff(dict(seen), dict(current)), diff(dict(seen), dict(requested))
    conflicts = [
        EditConflict(one.pointer, _value_at(current, one.pointer), one.new)
        for one in ours
        if any(_overlap(one.pointer, other.pointer) for other in theirs)
    ]
    return (dict(current), conflicts) if conflicts else (_with_changes(dict(current), ours), ())


def _overlap(one: str, other: str) -> bool:
    # The added `/` keeps `/a` and `/ab` apart. The field `/a` overlaps with everything below it.
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _value_at(document: Any, pointer: str) -> Any:
    # Lists are compared as a whole (`diff`), so a pointer never leads into one.
    for step in steps_of(pointer):
        if not isinstance(document, Mapping) or step not in document:
            return MISSING
        document = document[step]
    return document


def _with_changes(document: dict[str, Any], changes: Iterable[Change]) -> dict[str, Any]:
    for change in changes:
        document = _with_value(document, steps_of(change.pointer), change.new)
    return document


def _with_value(document: Any, steps: Sequence[str], value: Any) -> dict[str, Any]:
    found = dict(document) if isinstance(document, Mapping) else {}
    step, *below = steps
    if below:
        found[step] = _with_value(found.get(step), below, value)
    elif value is MISSING:
        found.pop(step, None)
    else:
        found[step] = value
    return found
