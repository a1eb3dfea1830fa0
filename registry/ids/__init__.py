"""The ledger and the assignment of ids. Pure: `registry.indexing.indexer` writes what is planned here."""

from registry.ids.edits import insert_id, replace_id
from registry.ids.ledger import (
    Ledger,
    LedgerEntry,
    Mark,
    append,
    append_entries,
    chain,
    encode,
    find_entries,
    mark_of,
    owner_of,
    parse_ledger,
    parse_ledger_files,
)
from registry.ids.plan import Assignment, Plan, plan
from registry.ids.replay import Refusal, ReplayedFile, Step, replay
from registry.ids.segments import (
    all_lines,
    in_safe_order,
    plan_append,
    plan_rewrite,
    segment_path,
    split_open,
)
from registry.ids.verify import verify

__all__ = [
    "Assignment",
    "Ledger",
    "LedgerEntry",
    "Mark",
    "Plan",
    "Refusal",
    "ReplayedFile",
    "Step",
    "all_lines",
    "append",
    "append_entries",
    "chain",
    "encode",
    "find_entries",
    "in_safe_order",
    "insert_id",
    "mark_of",
    "owner_of",
    "parse_ledger",
    "parse_ledger_files",
    "plan",
    "plan_append",
    "plan_rewrite",
    "replace_id",
    "replay",
    "segment_path",
    "split_open",
    "verify",
]
