"""The definitions that changed last, and the newest revisions; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from heapq import nsmallest
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from registry.history.archive import Revisions
    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot.snapshot import Snapshot
    from registry.snapshot.tombstones import Tombstone

MOST_RECENT = 100
_BEGINNING = datetime.fromtimestamp(0, UTC)

D = TypeVar("D", "Definition", "Tombstone")


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


def most_recent(changed: Iterable[tuple[D, Revision | None]]) -> tuple[D, ...]:
    """Return the definitions that changed last, newest first, from all with their newest change.

    What is not committed comes first. Definitions without a change are not included.
    """
    keyed = ((_key(one, change), one) for one, change in changed if change is not None)
    return tuple([one for _, one in nsmallest(MOST_RECENT, keyed, key=lambda pair: pair[0])])


def recent_revisions(snapshot: Snapshot) -> tuple[RecentRevision, ...]:
    """Return the newest revisions of all definitions, at most MOST_RECENT, newest first.

    What is not committed comes first. Revisions that only assign an id are not included.
    """
    # A definition that did not change last has no such revision.
    deleted = most_recent((one, one.revisions.newest_change) for one in snapshot.tombstones)
    found = chain(
        *(_changes_of(one, snapshot.revisions_of(one)) for one in snapshot.recent),
        *(_changes_of(one, one.revisions) for one in deleted),
    )
    return tuple(nsmallest(MOST_RECENT, found, key=lambda one: _key(one.of, one.revision)))


def _changes_of(of: Definition | Tombstone, revisions: Revisions) -> Iterator[RecentRevision]:
    every = [*revisions]
    # Older ones cannot be among the newest of all.
    for place in range(max(0, len(every) - 2 * MOST_RECENT), len(every)):
        if not every[place].only_assigns_id:
            yield RecentRevision(of, every[place], every[place - 1] if place else None, len(every))


def _key(one: Definition | Tombstone, change: Revision) -> tuple[bool, float, str, str, int]:
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
