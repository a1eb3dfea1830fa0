"""The revisions of current definitions, with one more for what is not committed; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.history.archive import NO_REVISIONS, History, Revisions
from registry.model.diff import Change, diff
from registry.model.revision import Revision

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from registry.history.blobs import BlobReader
    from registry.model.definition import Definition

_MOST_CHANGES = 500


def current_revisions(
    definition: Definition, history: History | None, uncommitted: Collection[str] | None
) -> Revisions:
    """Return the revisions of a definition, with one more if its file differs from the last commit.

    `uncommitted` are the paths that may differ, None for all.
    """
    kind, _, number, document = definition[:4]
    known = history.of(kind, number, document.path) if history is not None else NO_REVISIONS
    if uncommitted is None or document.path in uncommitted:
        return _with_uncommitted(definition, known)
    return known


def is_newest(definition: Definition, known: Revisions) -> bool:
    """True when the file of a definition is that of its newest revision."""
    last = known.newest
    return last is not None and last.blob == definition.blob and known.path == definition.path


def _with_uncommitted(definition: Definition, known: Revisions) -> Revisions:
    """The revisions with one more for what lies in the work tree, where that differs from the last one."""
    if is_newest(definition, known):
        return known
    last = known.newest
    return known.with_one_more(
        Revision(
            len(known) + 1,
            None,
            "",
            "",
            "uncommitted",
            definition.name,
            definition.blob,
            last.blob if last else None,
        )
    )


class RevisionChanges:
    """The fields that revisions changed; found on demand, and kept for the next request."""

    def __init__(self) -> None:
        """Start without any."""
        # A page and an answer ask for the same, one after the other.
        self._known: dict[tuple[str, str, tuple[str, ...]], list[Change]] = {}

    def of(self, revision: Revision, contents: BlobReader) -> list[Change]:
        """Return the fields that one revision changed, against the state before it; none for the first and
        for a deletion.

        Of a merge only those that no parent has so: what one parent has was reported where it was made. Where
        a merge has nothing else, the fields in which it differs from the first parent from which it differs.
        """
        old, new, others = revision.old_blob, revision.blob, revision.other_blobs
        if new is None or old is None or (new == old and not others):
            return []
        key = (old, new, others)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_CHANGES:
                self._known.clear()
            found = self._known[key] = _find_changes(contents, old, new, others)
        return found


def _find_changes(contents: BlobReader, old_blob: str, blob: str, other_blobs: Iterable[str]) -> list[Change]:
    against = [_changes(contents, parent, blob) for parent in (old_blob, *other_blobs)]
    own = against[0]
    for theirs in against[1:]:
        pointers = [f"{change.pointer}/" for change in theirs]
        own = [
            one
            for one in own
            if any(
                f"{one.pointer}/".startswith(their) or their.startswith(f"{one.pointer}/")
                for their in pointers
            )
        ]
    return own or next(filter(None, against), [])


def _changes(contents: BlobReader, before: str, after: str) -> list[Change]:
    old, new = contents.get(before), contents.get(after)
    return diff(old, new) if old is not None and new is not None else []
