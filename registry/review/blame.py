"""Find the revision that last set each field of a definition. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from registry.model.diff import field_at, same
from registry.model.pointer import escape_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry.model.revision import Revision
    from registry.snapshot import Snapshot


class Origin(NamedTuple):
    """One field with its current value and the revision that set it. `pointer` is a JSON Pointer."""

    pointer: str
    value: Any
    revision: Revision


def blame(snapshot: Snapshot, revisions: Sequence[Revision]) -> tuple[Origin, ...]:
    """Return the origin of each field, in file order, of the newest revision that has content.

    `revisions` are ordered from oldest to newest. Each field is traced back through earlier states to the
    first revision that has the current value. At a merge, the trace follows the first parent that has the
    same value. A list counts as one field, as in `registry diff`.
    """
    last = next(
        (place for place in range(len(revisions) - 1, -1, -1) if revisions[place].blob is not None), None
    )
    document = snapshot.document_of(revisions[last]) if last is not None else None
    if last is None or document is None:
        return ()
    found: dict[str, Revision] = {}
    # Fields that have their current value at a revision, by the position of the revision.
    followed: dict[int, dict[str, Any]] = {last: dict(_leaves(document, ""))}
    for place in range(last, -1, -1):
        fields = followed.pop(place, {})
        for parent, before in _parents(snapshot, revisions, place):
            passed = {
                pointer: value for pointer, value in fields.items() if same(field_at(before, pointer), value)
            }
            followed.setdefault(parent, {}).update(passed)
            fields = {pointer: value for pointer, value in fields.items() if pointer not in passed}
        found.update(dict.fromkeys(fields, revisions[place]))
    return tuple(Origin(pointer, value, found[pointer]) for pointer, value in _leaves(document, ""))


def _parents(snapshot: Snapshot, revisions: Sequence[Revision], place: int) -> Iterator[tuple[int, Any]]:
    """Yield the position and document of each parent revision.

    Parents that are unknown or unreadable are skipped.
    """
    revision = revisions[place]
    for blob in (revision.old_blob, *revision.other_blobs):
        parent = (
            next((number for number in range(place - 1, -1, -1) if revisions[number].blob == blob), None)
            if blob
            else None
        )
        document = snapshot.document_of(revisions[parent]) if parent is not None else None
        if parent is not None and document is not None:
            yield parent, document


def _leaves(node: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{pointer}/{escape_step(key)}")
    else:
        yield pointer, node
