"""Everything known about one source, immutable: definitions, ids, history. All output is rendered from it.

The modules `take`, `one` and `since` read sources, all others are pure.
"""

from registry.snapshot.changes import SnapshotChanges, apply_changes, with_edit
from registry.snapshot.recent import RecentRevision, recent_revisions
from registry.snapshot.snapshot import BrokenFile, Preview, Snapshot
from registry.snapshot.tombstones import Tombstone

__all__ = [
    "BrokenFile",
    "Preview",
    "RecentRevision",
    "Snapshot",
    "SnapshotChanges",
    "Tombstone",
    "apply_changes",
    "recent_revisions",
    "with_edit",
]
