"""The ledger, and who gets which id; pure. `registry.index` writes what is planned here."""

from registry.ids.edits import insert_id, replace_id
from registry.ids.ledger import Ledger, LedgerEntry, Mark, append, mark_of, parse_ledger
from registry.ids.plan import Assignment, Plan, plan
from registry.ids.verify import verify

__all__ = ["Assignment", "Ledger", "LedgerEntry", "Mark", "Plan", "append", "insert_id", "mark_of", "parse_ledger", "plan", "replace_id", "verify"]
