"""What a change to definitions means, and to whom: two sets of definitions to findings, by id; pure."""

from registry.changes.compare import Changed, Comparison, Side, What, compare, failing
from registry.changes.meaning import Meaning
from registry.changes.table import TABLE, Level, Party, Row

__all__ = ["TABLE", "Changed", "Comparison", "Level", "Meaning", "Party", "Row", "Side", "What", "compare", "failing"]
