"""Find what a source has otherwise than an earlier snapshot of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from registry.history.reader import continue_history
from registry.model.definition import is_ledger_path
from registry.snapshot.changes import SnapshotChanges
from registry.snapshot.ledger import find_tombstones, read_own_ledger

if TYPE_CHECKING:
    from collections.abc import Collection

    from registry.git import Repository
    from registry.history.archive import History
    from registry.ids import Ledger
    from registry.load.loader import Loaded
    from registry.load.lookups import DefinitionChanges
    from registry.load.source import Source
    from registry.snapshot.snapshot import Snapshot
    from registry.snapshot.tombstones import TombstoneChanges


class _Commits(NamedTuple):
    """The newest commit, and the history up to it."""

    commit: str
    commit_time: str
    history: History


def changes_since(
    snapshot: Snapshot,
    source: Source,
    loaded: Loaded,
    changes: DefinitionChanges,
    *,
    paths: Collection[str] | None,
) -> SnapshotChanges | None:
    """Return what `source` has otherwise than `snapshot`: the definitions in `changes`, and new commits.

    `loaded` is all of the source. With `paths`, only these may have changed since, and git's index and HEAD
    have not. None where the source does not continue the snapshot: the ledger has other lines than before, a
    branch was reset or switched, the clone is shallow, or names of authors changed. Raises GitError where
    git fails.
    """
    repository, before = source.repository, snapshot.uncommitted
    if repository is None or before is None or snapshot.is_fork or not snapshot.history_complete:
        return None
    prefix = repository.prefix_of(source.root)
    checked = [prefix + path for path in paths] if paths is not None else [prefix or "."]
    # Git looks for changed files while the ledger and the commits are read.
    status = repository.begin_changed_paths(*checked) if checked else None
    try:
        has_ledger = paths is None or any(map(is_ledger_path, paths))
        ledger = _continued_ledger(snapshot, source) if has_ledger else snapshot.ledger
        commits = _continued_commits(snapshot, source, repository, prefix) if ledger is not None else None
        if ledger is None or commits is None:
            return None
        found = status.paths() if status is not None else {}
    finally:
        if status is not None:
            status.close()
    kept = before - frozenset(paths) if paths is not None else frozenset()
    uncommitted = kept | {path[len(prefix) :] for path in found}
    tombstones: TombstoneChanges = {(one.kind, one.id): None for one in snapshot.tombstones}
    now = find_tombstones(source, loaded, ledger, snapshot.kinds, commits.history)
    tombstones |= {(one.kind, one.id): one for one in now}
    return SnapshotChanges(
        changes, ledger, commits.history, commits.commit, commits.commit_time, uncommitted, tombstones
    )


def _continued_ledger(snapshot: Snapshot, source: Source) -> Ledger | None:
    """Return the ledger of the source, or None if it does not start with all lines of the snapshot's."""
    own = read_own_ledger(source, snapshot.settings)
    known = snapshot.ledger.entries
    if own.problems or own.ledger.entries[: len(known)] != known:
        return None
    return own.ledger


def _continued_commits(
    snapshot: Snapshot, source: Source, repository: Repository, prefix: str
) -> _Commits | None:
    """Return the commits of the source, or None if they do not continue those of the snapshot."""
    commit, history = source.commit, snapshot.history
    if commit is None or snapshot.commit is None or history is None:
        return None
    if commit == snapshot.commit:
        return _Commits(commit, snapshot.commit_time or "", history)
    mailmap = repository.mailmap(commit)
    continued = continue_history(repository, prefix, history, snapshot.commit, commit)
    if continued is None or repository.cut() or mailmap.digest != snapshot.mailmap_digest:
        return None
    if mailmap:
        continued.show_authors(mailmap.name)
    return _Commits(commit, repository.commit_time(commit), continued)
