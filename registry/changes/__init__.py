"""What a change to definitions means, and who must act: compare two sets of definitions by id. Pure."""

from __future__ import annotations

from registry.changes.compare import (
    GUARDS,
    Changed,
    Comparison,
    Side,
    What,
    compare,
    failing,
    judged_by_settings,
)
from registry.changes.meaning import Meaning, meaning
from registry.changes.table import TABLE, ChangeRule, Level, Party

__all__ = [
    "GUARDS",
    "TABLE",
    "ChangeRule",
    "Changed",
    "Comparison",
    "Level",
    "Meaning",
    "Party",
    "Side",
    "What",
    "compare",
    "failing",
    "judged_by_settings",
    "meaning",
]
