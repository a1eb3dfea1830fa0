"""The ledger and the assignment of ids. Pure: `registry.indexing.indexer` writes what is planned here."""

from registry.ids.edits import insert_id, replace_id
from registry.ids.ledger import (
    Ledger,
    LedgerEntry,
    Mark,
    append,
    append_entries,
    chain,
    mark_of,
    parse_ledger,
)
from registry.ids.plan import Assignment, Decision, Plan, decide, plan
from registry.ids.replay import Refusal, ReplayedFile, Step, replay
from registry.ids.verify import verify

__all__ = [
    "Assignment",
    "Decision",
    "Ledger",
    "LedgerEntry",
    "Mark",
    "Plan",
    "Refusal",
    "ReplayedFile",
    "Step",
    "append",
    "append_entries",
    "chain",
    "decide",
    "insert_id",
    "mark_of",
    "parse_ledger",
    "plan",
    "replace_id",
    "replay",
    "verify",
]
