"""The changes of one commit: the definition of each changed file; pure."""

from collections.abc import Container, Sequence

from registry.git import LogCommit, LogRow
from registry.history.lineage import Ids, Lineage, LineageStore
from registry.model.definition import kind_and_name


class CommitChanges:
    """The changed paths of a commit.

    All refer to the state before the commit: one commit can swap two names.
    """

    def __init__(
        self,
        lineages: LineageStore,
        commit: LogCommit,
        rows: Sequence[LogRow],
        ids: Ids,
        against_first: Sequence[LogRow] = (),
    ) -> None:
        """`rows` are the changes to add, with paths relative to the registry.

        `against_first` are the changes of a merge against its first parent, which also show removed paths.
        """
        self._lineages, self._commit, self._rows, self._ids = lineages, commit, rows, ids
        every_row = (*against_first, *rows)
        self._before = {row.path: lineages.paths.get(row.path) for row in every_row}
        for row in every_row:
            self._before[row.old_path] = lineages.standing(row.old_path, row.old_blob)
        carried = {
            (found[0], ids.get(row.blob))
            for row in every_row
            if row.blob is not None and (found := kind_and_name(row.path)) is not None
        }
        # Paths whose definition is no longer there after the commit.
        self._leaving = {row.old_path for row in every_row if self._leaves(row, carried)}
        # The ids in all new states.
        self._given = {ids.get(row.blob) for row in rows if row.blob}
        # Lineages (by identity) that have a revision in this commit.
        self._claimed: set[int] = set()

    def _leaves(self, row: LogRow, carried: Container[tuple[str, int | None]]) -> bool:
        """True when the definition at the previous path of a row is moved, deleted or replaced."""
        return (
            row.status in "RD"
            or row.old_path != row.path
            or _is_other(row, self._before[row.path], self._ids, carried)
        )

    def take(self) -> None:
        """Add a revision for each new state, then for each definition that is gone."""
        for row in self._rows:
            self._add_state(row)
        for row in self._rows:
            self._add_deletion(row)

    def _add_state(self, row: LogRow) -> None:
        """Add a revision for the file that a row leaves at its path."""
        found = kind_and_name(row.path)
        if row.blob is None or found is None:
            return
        lineage = self._lineage_of(row, found[0], self._ids.get(row.blob))
        self._claimed.add(id(lineage))
        if self._has_moved_here(lineage, row):
            row = row._replace(old_blob=self._blob_before_move(lineage), other_blobs=())
        self._lineages.add(lineage, self._commit, row, found[1])
        self._lineages.put(row.path, lineage)

    def _has_moved_here(self, lineage: Lineage, row: LogRow) -> bool:
        """True when the file was at a name that git does not report."""
        return (
            lineage.count > 0
            and row.old_path == row.path
            and (self._before[row.path] is not lineage or row.old_blob is None)
        )

    def _blob_before_move(self, lineage: Lineage) -> str | None:
        """Return the previous state of the definition, at the path that it leaves."""
        known = None if self._lineages.is_on_branch else lineage.last_blob
        sources = (
            row.old_blob
            for row in self._rows
            if row.old_path in self._leaving and self._before[row.old_path] is lineage
        )
        return next(sources, known)

    def _add_deletion(self, row: LogRow) -> None:
        """Add a revision for the definition that leaves the previous path of a row for no other path."""
        gone = self._before[row.old_path]
        found = kind_and_name(row.old_path)
        if row.old_path not in self._leaving or gone is None or found is None or id(gone) in self._claimed:
            return
        if gone.path == row.old_path or (self._lineages.is_on_branch and gone.path is not None):
            self._claimed.add(id(gone))
            self._lineages.add(gone, self._commit, row._replace(blob=None, other_blobs=()), found[1])
            gone.path = None

    def _lineage_of(self, row: LogRow, kind: str, number: int | None) -> Lineage:
        """Return the lineage of a new state; creates one if none matches."""
        known = self._lineages.by_id.get((kind, number)) if number is not None else None
        if known is not None and self._continues(known, row):
            return known
        lineage = self._before[row.old_path]
        if lineage is None or lineage.kind != kind or not self._fits(lineage, row, number):
            lineage = Lineage(kind)
        self._lineages.learn_id(lineage, number)
        return lineage

    def _continues(self, known: Lineage, row: LogRow) -> bool:
        """True when the definition with the row's id is edited, moved or restored.

        How git reports the change does not matter.
        """
        return (
            known.path in (None, row.path)
            or any(self._before[path] is known for path in self._leaving)
            or (self._lineages.is_on_branch and (row.status != "A" or bool(self._leaving)))
        )

    def _fits(self, lineage: Lineage, row: LogRow, number: int | None) -> bool:
        """True when a file can be the next state of the lineage at its path.

        A different id means a different definition. An edit without the id, made before the id was assigned
        or by mistake, belongs to the same definition: the id is restored later.
        """
        if row.status == "A" and lineage.path not in (None, row.path):
            return False
        if lineage.id is None or lineage.id == number:
            return True
        is_there = row.status != "A" or (self._lineages.is_on_branch and lineage.path == row.path)
        return number is None and is_there and lineage.id not in self._given


def _is_other(
    row: LogRow, lineage: Lineage | None, ids: Ids, carried: Container[tuple[str, int | None]]
) -> bool:
    """True when a path now has the file of another definition: the previous one was moved or deleted.

    The file has another id, or it has none and another file has the id of the previous definition: `carried`
    are kind and id of all files in the commit.
    """
    if row.blob is None or lineage is None or lineage.id is None:
        return False
    number = ids.get(row.blob)
    return number != lineage.id if number is not None else (lineage.kind, lineage.id) in carried
