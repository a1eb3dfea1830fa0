"""The definitions that changed last, and the newest revisions; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from heapq import nsmallest
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from registry.history.archive import Revisions
    from registry.load.lookups import QualifiedName
    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot.snapshot import Snapshot
    from registry.snapshot.tombstones import Tombstone

MOST_RECENT = 100
# A table keeps more, so that it can be continued after definitions in it were removed.
_KEPT = 2 * MOST_RECENT
_BEGINNING = datetime.fromtimestamp(0, UTC)

D = TypeVar("D", "Definition", "Tombstone")
_Key: TypeAlias = "tuple[bool, float, str, str, int]"


class RecentRevision(NamedTuple):
    """A revision of the definition `of`, which has `total` revisions; `before` is the one before it."""

    of: Definition | Tombstone
    revision: Revision
    before: Revision | None
    total: int

    @property
    def time(self) -> datetime:
        """The author's date."""
        return _time(self.revision.date)


class RecentDefinitions:
    """The definitions that changed last, newest first, with what they are sorted by.

    `is_complete`: there are no others with a change.
    """

    def __init__(self, keyed: Sequence[tuple[_Key, Definition]], *, is_complete: bool) -> None:
        """Take the definitions in order."""
        self._keyed = keyed
        self._is_complete = is_complete

    @classmethod
    def of(cls, snapshot: Snapshot) -> RecentDefinitions:
        """Find those of a snapshot among all definitions."""
        keyed = nsmallest(_KEPT, _keyed(snapshot.definitions, snapshot), key=_first)
        return cls(keyed, is_complete=len(keyed) < _KEPT)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The newest ones, at most MOST_RECENT."""
        return tuple([one for _, one in self._keyed[:MOST_RECENT]])

    def after(self, snapshot: Snapshot, changed: Collection[QualifiedName]) -> RecentDefinitions | None:
        """Return those of a later snapshot in which only the definitions at these places are different.

        Returns None if all definitions have to be read for that: too few are known.
        """
        kept = [pair for pair in self._keyed if (pair[1].kind, pair[1].name) not in changed]
        new = _keyed(filter(None, map(snapshot.by_name.get, changed)), snapshot)
        found = sorted((*kept, *new), key=_first)
        if not self._is_complete:
            # One that sorts after the last known one can also sort after one that is not known.
            last = kept[-1][0] if kept else ()
            found = [pair for pair in found if pair[0] <= last]
            if len(found) < MOST_RECENT:
                return None
        return RecentDefinitions(found[:_KEPT], is_complete=self._is_complete and len(found) < _KEPT)


def _keyed(some: Iterable[D], snapshot: Snapshot) -> Iterator[tuple[_Key, D]]:
    """Yield each definition that has a change, with its place in the order."""
    for one in some:
        change = snapshot.revisions_of_any(one).newest_change
        if change is not None:
            yield _key(one, change), one


def _first(pair: tuple[_Key, object]) -> _Key:
    return pair[0]


def recent_revisions(snapshot: Snapshot) -> tuple[RecentRevision, ...]:
    """Return the newest revisions of all definitions, at most MOST_RECENT, newest first.

    What is not committed comes first. Revisions that only assign an id are not included.
    """
    # A definition that did not change last has no such revision.
    deleted = nsmallest(MOST_RECENT, _keyed(snapshot.tombstones, snapshot), key=_first)
    found = chain(
        *(_changes_of(one, snapshot.revisions_of(one)) for one in snapshot.recent),
        *(_changes_of(one, one.revisions) for _, one in deleted),
    )
    return tuple(nsmallest(MOST_RECENT, found, key=lambda one: _key(one.of, one.revision)))


def _changes_of(of: Definition | Tombstone, revisions: Revisions) -> Iterator[RecentRevision]:
    every = [*revisions]
    # Older ones cannot be among the newest of all.
    for place in range(max(0, len(every) - 2 * MOST_RECENT), len(every)):
        if not every[place].only_assigns_id:
            yield RecentRevision(of, every[place], every[place - 1] if place else None, len(every))


def _key(one: Definition | Tombstone, change: Revision) -> _Key:
    """Return what definitions are sorted by. What is not committed comes first."""
    return (
        change.commit is not None,
        -_time(change.date).timestamp(),
        one.kind,
        one.name,
        -change.number,
    )


def _time(date: str) -> datetime:
    try:
        found = datetime.fromisoformat(date)
    except ValueError:  # git accepts any number of seconds
        return _BEGINNING
    return found if found.tzinfo else found.replace(tzinfo=UTC)
