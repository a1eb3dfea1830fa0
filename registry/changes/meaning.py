"""One change with what it means."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from registry.changes.table import TABLE, Level, Party
from registry.model.diff import MISSING


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one change means. `old` and `new` are values as JSON has them, credentials hidden, `MISSING` where there is none.

    `reason` is the table's, with what is known of this case; `note` says why the level is not the table's.
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
        """The change in a few words."""
        return TABLE[self.rule].title

    @property
    def action(self) -> str:
        """What the parties must do; "" when nothing."""
        return TABLE[self.rule].action if self.level is not Level.SAFE else ""

    @property
    def sort_key(self) -> tuple[int, list[str], str, str]:
        """Gravest first, by party, then by place."""
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
    """A row of the table for one place; `parties` narrows those of the row, `more` is added to its reason."""
    row = TABLE[rule]
    reason = f"{row.reason}; {more}" if more else row.reason
    return Meaning(rule, row.level, tuple(parties) or row.parties, pointer, old, new, reason)


def lowered(one: Meaning, note: str) -> Meaning:
    """The same, one level less grave."""
    levels = list(Level)
    return (
        replace(one, level=levels[min(one.level.rank + 1, 2)], note=note)
        if one.level is not Level.SAFE
        else one
    )
