"""What a change to definitions means, and to whom: two sets of definitions to findings, by id; pure."""

from registry.changes.compare import GUARDS, Changed, Comparison, Side, What, compare, failing, judged_by_settings
from registry.changes.meaning import Meaning, meaning
from registry.changes.table import TABLE, Level, Party, Row

__all__ = [
    "GUARDS",
    "TABLE",
    "Changed",
    "Comparison",
    "Level",
    "Meaning",
    "Party",
    "Row",
    "Side",
    "What",
    "compare",
    "failing",
    "judged_by_settings",
    "meaning",
]
