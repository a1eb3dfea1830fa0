"""A change together with its meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from registry.changes.table import TABLE, Level, Party
from registry.model.diff import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of one change. `old` and `new` are JSON values with credentials hidden, or `MISSING`.

    `reason` is the reason from the table plus details of this change. `note` explains a level that differs
    from the table.
    """

    rule: str
    level: Level
    parties: tuple[Party, ...]
    pointer: str
    old: Any
    new: Any
    reason: str
    note: str = ""

    @property
    def title(self) -> str:
        """A short title of the change."""
        return TABLE[self.rule].title

    @property
    def action(self) -> str:
        """What the parties must do, or ""."""
        return TABLE[self.rule].action if self.level is not Level.SAFE else ""

    @property
    def sort_key(self) -> tuple[int, list[str], str, str]:
        """Sort by level (most severe first), party, rule and pointer."""
        order = list(Party)
        return self.level.rank, [str(order.index(party)) for party in self.parties], self.rule, self.pointer


def meaning(
    rule: str,
    pointer: str,
    old: Any = MISSING,
    new: Any = MISSING,
    *,
    parties: Iterable[Party] = (),
    more: str = "",
) -> Meaning:
    """Return the meaning for a row of the table.

    `parties` overrides the row's; `more` is appended to its reason.
    """
    row = TABLE[rule]
    reason = f"{row.reason}; {more}" if more else row.reason
    return Meaning(rule, row.level, tuple(parties) or row.parties, pointer, old, new, reason)


def lowered(one: Meaning, note: str) -> Meaning:
    """Return the meaning with its level lowered by one."""
    levels = list(Level)
    return (
        replace(one, level=levels[min(one.level.rank + 1, 2)], note=note)
        if one.level is not Level.SAFE
        else one
    )
