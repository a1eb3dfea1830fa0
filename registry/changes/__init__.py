"""What a change to definitions means, and who must act: compare two sets of definitions by id. Pure."""

from __future__ import annotations

from registry.changes.compare import (
    GUARDS,
    Changed,
    Comparison,
    DefinitionState,
    Side,
    compare,
    failing,
    meanings_between,
)
from registry.changes.meaning import meaning
from registry.changes.table import TABLE, Level, Party

__all__ = [
    "GUARDS",
    "TABLE",
    "Changed",
    "Comparison",
    "DefinitionState",
    "Level",
    "Party",
    "Side",
    "compare",
    "failing",
    "meaning",
    "meanings_between",
]
