"""The revisions of one definition, from the commits that changed its file.

A full history takes seconds for 50,000 commits; this one takes about the time of `git log` for one path.
Commits are read in rounds: those that changed the paths of the definition's known names, then those that
changed the paths to which renames and ids lead from there, until no path is new. The first round also lists
the commits that changed the folders of its paths: a later round for the same folders searches only these. The
builder gets the commits with all their changes, and so finds the same revisions as in a full history.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import NamedTuple

from registry.git import CommitOrder, LogCommit, LogRow, PathLog, Repository
from registry.history.archive import History
from registry.history.blobs import id_in
from registry.history.builder import HistoryBuilder, is_definition_row, relative_row
from registry.history.reader import begin_log
from registry.load.yaml import MAX_BYTES
from registry.model.definition import DEFINITIONS_FOLDER, definition_path, kind_and_name

NamesOf = Callable[[str, int], Iterable[str]]
"""Returns the known names, current and former, of the definition of a kind with an id."""

# With more paths, a full history takes less time.
_MOST_PATHS = 100
# The files of other definitions in a larger commit are read only if one of them can have got the id there.
_MANY_ROWS = 500


class _Rows(NamedTuple):
    """The changes of one commit: those of known paths, and the others."""

    own: list[LogRow]
    others: list[LogRow]


def _blobs_in(row: LogRow) -> Iterator[str]:
    """Yield the blobs of a change: those of the parents, then the new one."""
    return (blob for blob in (row.old_blob, *row.other_blobs, row.blob) if blob is not None)


class PathReader:
    """Reads the commits that changed some paths of a repository, up to one commit."""

    def __init__(self, repository: Repository, commit: str, prefix: str) -> None:
        """Start at `commit`. `prefix` is the registry's folder within the repository ("" or "folder/")."""
        self._repository, self._commit, self._prefix = repository, commit, prefix
        self._log = PathLog(CommitOrder([], {}, frozenset()), {})
        self._paths: set[str] = set()
        self._commits: dict[str, LogCommit] = {}
        self._ids: dict[str, int | None] = {}

    def history_of(self, kind: str, number: int | None, path: str, names_of: NamesOf) -> History | None:
        """Return a history in which the revisions of one definition are complete; None if it is not certain.

        `number` is the id in the definition's file, and `path` is relative to the registry. The result is
        None if very many paths are connected, or if a file with the id may have been at any path: no commit
        that was read has the id, a merge has it at a new path, or its definition was deleted for some time.
        Raises GitError if git fails.
        """
        new = {path}
        if number is not None:
            new.update(definition_path(kind, name) for name in names_of(kind, number))
        while new:
            self._paths |= new
            if len(self._paths) > _MOST_PATHS:
                return None
            self._read_commits(self._commits_that_changed(kind, sorted(self._prefix + path for path in new)))
            new = self._connected(names_of) - self._paths
        history = self._history()
        if (number is not None and (kind, number) not in history.by_id) or self._has_unknown_origin():
            return None
        revisions = history.of(kind, number, path)
        was_deleted = revisions.id is not None and any(one.blob is None for one in revisions)
        return None if was_deleted else history

    def _commits_that_changed(self, kind: str, paths: Sequence[str]) -> set[str]:
        """Return the commits that changed `paths`; a merge is compared with its first parent."""
        changed = self._log.changed
        if not self._log.order.names:
            folder = f"{self._prefix}{DEFINITIONS_FOLDER}/{kind}/"
            self._log = self._repository.path_log(self._commit, folder, paths)
            return set().union(*(self._log.changed.get(path, ()) for path in paths))
        folders = {path.rpartition("/")[0] for path in paths}
        order = self._log.order
        if folders <= changed.keys():
            order = self._ordered(set().union(*(changed[folder] for folder in folders)))
        log = self._repository.begin_log(order, *paths)
        return {one.commit for one in log.commits() if one.rows or one.brought}

    def _ordered(self, names: Set[str]) -> CommitOrder:
        order = self._log.order
        return order._replace(names=[name for name in order.names if name in names])

    def _read_commits(self, names: Set[str]) -> None:
        """Read commits completely: git finds renames in whole commits only."""
        new = names - self._commits.keys()
        if new:
            log = begin_log(self._repository, self._ordered(new), self._prefix)
            self._commits.update((one.commit, one) for one in log.commits())

    def _connected(self, names_of: NamesOf) -> set[str]:
        """Return the paths to which renames and ids lead from the known paths, including these."""
        commits = [self._rows_of(commit) for commit in self._commits.values()]
        own = [row for commit in commits for row in commit.own]
        self._read_ids(own)
        ids = {key for row in own for key in self._keys(row)}
        others = [row for commit in commits if ids and self._may_move_id(commit) for row in commit.others]
        self._read_ids(others)
        moved = [row for row in others if not ids.isdisjoint(self._keys(row))]
        found = {path for row in (*own, *moved) for path in (row.path, row.old_path)}
        found.update(definition_path(kind, name) for kind, number in ids for name in names_of(kind, number))
        return {path for path in found if kind_and_name(path) is not None}

    def _rows_of(self, commit: LogCommit) -> _Rows:
        rows = _Rows([], [])
        for row in (*commit.rows, *commit.brought):
            if is_definition_row(row, self._prefix):
                relative = relative_row(row, self._prefix)
                is_own = relative.path in self._paths or relative.old_path in self._paths
                (rows.own if is_own else rows.others).append(relative)
        return rows

    def _may_move_id(self, commit: _Rows) -> bool:
        """True when the id of a known path may have come from, or gone to, another path in a commit."""
        if len(commit.others) <= _MANY_ROWS:
            return True
        if all(row.status == "A" for row in (*commit.own, *commit.others)):
            return False
        return not all(
            row.status == "M"
            and row.blob is not None
            and row.old_blob is not None
            and self._ids[row.blob] is not None
            and self._ids[row.blob] == self._ids[row.old_blob]
            for row in commit.own
        )

    def _keys(self, row: LogRow) -> Iterator[tuple[str, int]]:
        """Yield kind and id of the contents before and after a change."""
        for path, blob in ((row.old_path, row.old_blob), (row.path, row.blob)):
            place, number = kind_and_name(path), self._ids.get(blob) if blob is not None else None
            if place is not None and number is not None:
                yield place[0], number

    def _read_ids(self, rows: Iterable[LogRow]) -> None:
        wanted = {blob for row in rows for blob in _blobs_in(row)}
        for blob, data in self._repository.read_blobs(sorted(wanted - self._ids.keys()), at_most=MAX_BYTES):
            self._ids[blob] = id_in(data if isinstance(data, bytes) else b"")

    def _has_unknown_origin(self) -> bool:
        """True when a merge has a file with an id at a path where none of its parents has this id."""
        rows = (
            relative_row(row, self._prefix)
            for name, commit in self._commits.items()
            if name in self._log.order.merges
            for row in commit.rows
            if row.blob is not None and is_definition_row(row, self._prefix)
        )
        return any(
            row.path in self._paths
            and self._ids[row.blob or ""]
            not in (None, *(self._ids[blob] for blob in (row.old_blob, *row.other_blobs) if blob is not None))
            for row in rows
        )

    def _history(self) -> History:
        builder = HistoryBuilder(self._prefix, self._log.order, self._repository.read_commit)
        for commit in self._relevant_commits():
            builder.take(commit, self._ids)
        return History(builder.stored())

    def _relevant_commits(self) -> Iterator[LogCommit]:
        """Yield the commits that were read, and each merge that ends a branch with one of them."""
        is_in_branch = False
        for name in self._log.order.names:
            commit = self._commits.get(name)
            if name in self._log.order.branched:
                is_in_branch = is_in_branch or commit is not None
            elif is_in_branch and name in self._log.order.merges:
                is_in_branch = False
                commit = commit or LogCommit(name, "", "", "", "")
            if commit is not None:
                yield commit
