"""Everything known about one source, immutable: definitions, ids, history. All output is rendered from it."""

from registry.snapshot.changes import SnapshotChanges, apply_changes, changes_since, with_edit
from registry.snapshot.one import take_snapshot_of_one
from registry.snapshot.snapshot import BrokenFile, Preview, Snapshot
from registry.snapshot.take import take_snapshot
from registry.snapshot.tombstones import Tombstone

__all__ = [
    "BrokenFile",
    "Preview",
    "Snapshot",
    "SnapshotChanges",
    "Tombstone",
    "apply_changes",
    "changes_since",
    "take_snapshot",
    "take_snapshot_of_one",
    "with_edit",
]
