"""What a change to definitions means, and who must act: compare two sets of definitions by id. Pure."""

from __future__ import annotations

from registry.changes.compare import (
    GUARDS,
    Changed,
    Comparison,
    Side,
    compare,
    failing,
)
from registry.changes.meaning import meaning
from registry.changes.table import TABLE, Level, Party

__all__ = [
    "GUARDS",
    "TABLE",
    "Changed",
    "Comparison",
    "Level",
    "Party",
    "Side",
    "compare",
    "failing",
    "meaning",
]
