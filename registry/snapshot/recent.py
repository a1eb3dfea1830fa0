"""The definitions that changed last; pure."""

from __future__ import annotations

from datetime import datetime
from heapq import nsmallest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.model.definition import Definition
    from registry.model.revision import Revision

MOST_RECENT = 100

_Key = tuple[bool, float, str, str]


def most_recent(changed: Iterable[tuple[Definition, Revision | None]]) -> tuple[Definition, ...]:
    """Return the definitions that changed last, newest first, from all with their newest change.

    What is not committed comes first. Definitions without a change are not included.
    """
    keyed = ((_key(one, change), one) for one, change in changed if change is not None)
    return tuple([one for _, one in nsmallest(MOST_RECENT, keyed, key=lambda pair: pair[0])])


def _key(one: Definition, change: Revision) -> _Key:
    return change.commit is not None, -_time(change.date), one.kind, one.name


def _time(date: str) -> float:
    try:
        return datetime.fromisoformat(date).timestamp()
    except (ValueError, OverflowError):  # git accepts any number of seconds
        return 0.0
