"""Which revision last set each field of a definition; pure."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from registry.diff import MISSING, escape, same, steps_of
from registry.history import Revision
from registry.snapshot import Snapshot


class Origin(NamedTuple):
    """One field with its value now, and the revision that gave it that value. `pointer` is a JSON Pointer."""

    pointer: str
    value: Any
    revision: Revision


def blame(snapshot: Snapshot, revisions: Sequence[Revision]) -> tuple[Origin, ...]:
    """The fields of the newest of `revisions` (oldest first) that has a content, in the order of the file.

    A list is one field, as in `registry diff`. What a branch set and its merge did not take is passed over.
    """
    last = next((place for place in range(len(revisions) - 1, -1, -1) if revisions[place].blob is not None), None)
    document = snapshot.document_of(revisions[last]) if last is not None else None
    if document is None:
        return ()
    open_fields = dict(_leaves(document, ""))
    found: dict[str, Revision] = {}
    for revision in reversed(revisions[: (last or 0) + 1]):
        then = snapshot.document_of(revision)
        if not open_fields or then is None:
            continue
        touched = [""] if revision.old_blob is None else [change.pointer for change in snapshot.changes_of(revision)]
        for pointer, value in list(open_fields.items()):
            is_touched = any(pointer == one or pointer.startswith(f"{one}/") for one in touched)
            if is_touched and same(_at(then, pointer), value):
                found[pointer] = revision
                del open_fields[pointer]
    # Where history is cut, the oldest revision that is known has set the rest.
    oldest = next(one for one in revisions if one.blob is not None)
    return tuple(Origin(pointer, value, found.get(pointer, oldest)) for pointer, value in _leaves(document, ""))


def _leaves(node: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{pointer}/{escape(key)}")
    else:
        yield pointer, node


def _at(document: Any, pointer: str) -> Any:
    for step in steps_of(pointer):
        if not isinstance(document, dict) or step not in document:
            return MISSING
        document = document[step]
    return document
