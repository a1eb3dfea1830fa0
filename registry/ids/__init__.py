"""The ledger, and who gets which id; pure. `registry.index` writes what is planned here."""

from registry.ids.edits import insert_id, replace_id
from registry.ids.ledger import Ledger, LedgerEntry, Mark, append, mark_of, parse_ledger
from registry.ids.plan import Assignment, Decision, Plan, decide, plan
from registry.ids.replay import File, Refusal, Step, replay
from registry.ids.verify import verify

__all__ = [
    "Assignment",
    "Decision",
    "File",
    "Ledger",
    "LedgerEntry",
    "Mark",
    "Plan",
    "Refusal",
    "Step",
    "append",
    "decide",
    "insert_id",
    "mark_of",
    "parse_ledger",
    "plan",
    "replace_id",
    "replay",
    "verify",
]
