"""A merge into the main line: the definition of each of its files; pure."""

from collections.abc import Mapping, Sequence

from registry.git import LogCommit, LogRow
from registry.history.lineage import BranchStart, BranchTip, Ids, Lineage, LineageStore
from registry.model.definition import kind_and_name


class MainLineMerge:
    """A merge into the main line.

    Determines the definition of each file, and whether it needs its own revision.
    """

    def __init__(
        self,
        lineages: LineageStore,
        commit: LogCommit,
        made: Mapping[str, LogRow],
        brought: Sequence[LogRow],
        ids: Ids,
    ) -> None:
        """`made` are the rows against all parents by path, `brought` those against the first parent."""
        self._lineages, self._commit, self._made, self._ids = lineages, commit, made, ids
        self._at_tip, self._marks, self._tips = lineages.leave_branch()
        self._rows = [row for row in brought if row.blob is not None and kind_and_name(row.path) is not None]
        self._changed = {path for row in brought for path in (row.old_path, row.path)}
        # The definitions of the first parent at changed paths.
        self._before = {
            path: one
            for path in self._changed
            if (one := lineages.paths.get(path)) is not None and one.path == path
        }
        self._taken: dict[str, Lineage] = {}
        self._claimed: set[int] = set()

    def take(self) -> None:
        """Update the lineages to the state of the merge."""
        for find in (self._with_id, self._at_its_path, self._from_branch, self._renamed, self._new):
            for row in self._rows:
                if row.path not in self._taken:
                    lineage = find(row)
                    if lineage is not None:
                        self._taken[row.path] = lineage
                        self._claimed.add(id(lineage))
        for row in self._rows:
            self._add(row, self._taken[row.path])
        for path, lineage in self._before.items():
            if id(lineage) not in self._claimed:
                self._delete(lineage, path)
        for key, mark in self._marks.items():
            if key not in self._claimed:
                self._discard(mark, self._tips[key])

    def _number(self, row: LogRow) -> int | None:
        return self._ids.get(row.blob) if row.blob else None

    def _is_free(self, lineage: Lineage) -> bool:
        """True when no other file of the merge belongs to this definition."""
        return id(lineage) not in self._claimed and (lineage.path is None or lineage.path in self._changed)

    def _agrees(self, lineage: Lineage, row: LogRow) -> bool:
        """True when kind and id of a file match this definition."""
        number, found = self._number(row), kind_and_name(row.path)
        if found is None or found[0] != lineage.kind:
            return False
        if lineage.id is None:
            return number is None or (lineage.kind, number) not in self._lineages.by_id
        # A definition deleted on the main line only returns with its id.
        is_dead = lineage.path is None and not self._is_new(lineage)
        return lineage.id == number or (number is None and not is_dead)

    def _is_new(self, lineage: Lineage) -> bool:
        mark = self._marks.get(id(lineage))
        return mark is not None and mark.revisions == 0

    def _with_id(self, row: LogRow) -> Lineage | None:
        number, found = self._number(row), kind_and_name(row.path)
        known = (
            self._lineages.by_id.get((found[0], number)) if number is not None and found is not None else None
        )
        return known if known is not None and self._is_free(known) else None

    def _at_its_path(self, row: LogRow) -> Lineage | None:
        """Return the first parent's lineage at the path, unless the branch replaced the file."""
        lineage, theirs = self._before.get(row.path), self._at_tip.get(row.path)
        if (
            theirs is not None
            and theirs is not lineage
            and self._tips.get(id(theirs)) == (row.path, row.blob)
        ):
            return None
        return (
            lineage if lineage is not None and self._is_free(lineage) and self._agrees(lineage, row) else None
        )

    def _from_branch(self, row: LogRow) -> Lineage | None:
        """Return the branch's lineage at the path."""
        lineage = self._at_tip.get(row.path) or self._lineages.paths.get(row.path)
        tip = self._tips.get(id(lineage))
        if lineage is None or tip is None or tip.path != row.path:
            return None
        if self._is_free(lineage) and self._agrees(lineage, row):
            return lineage
        number = self._number(row)
        if number is not None and (lineage.kind, number) in self._lineages.by_id:
            return None
        mark = self._marks[id(lineage)]
        if mark.revisions == 0 or lineage.count == mark.revisions:
            return None
        split = self._lineages.split(mark, tip)
        self._tips[id(split)] = tip
        self._tips[id(lineage)] = BranchTip(mark.path, mark.blob)
        return split

    def _renamed(self, row: LogRow) -> Lineage | None:
        lineage = self._before.get(row.old_path)
        return (
            lineage if lineage is not None and self._is_free(lineage) and self._agrees(lineage, row) else None
        )

    def _new(self, row: LogRow) -> Lineage:
        """Return the deleted definition that the merge restores, else a new one."""
        found = kind_and_name(row.path)
        assert found is not None
        current = self._lineages.paths.get(row.path)
        for gone in (current, *reversed(self._lineages.earlier.get(row.path, ()))):
            is_gone = gone is not None and gone.path is None and gone.id is None and self._is_free(gone)
            if gone is None or not is_gone or gone.kind != found[0]:
                continue
            # A definition that another merge discarded has no lineage at the path: its content identifies it.
            if gone is current or (row.blob is not None and gone.was(found[1], row.blob)):
                return gone
        return Lineage(found[0])

    def _add(self, row: LogRow, lineage: Lineage) -> None:
        """Add a revision for a file, unless the branch has the same content there."""
        lineages, found = self._lineages, kind_and_name(row.path)
        assert found is not None
        lineages.learn_id(lineage, self._number(row))
        tip = self._tips.get(id(lineage))
        newest = tip.blob if tip is not None else lineage.last_blob
        if not lineage.count or newest != row.blob:
            lineages.add(lineage, self._commit, self._with_parents(row, lineage, tip), found[1])
        elif (
            row.path not in (lineage.path, tip.path if tip is not None else None)
            and lineage.newest_name != found[1]
        ):
            # Renamed in the merge: its content was reported in the original commit.
            lineages.add(lineage, self._commit, row._replace(old_blob=row.blob, other_blobs=()), found[1])
        lineage.last_blob = row.blob
        lineages.put(row.path, lineage)

    def _with_parents(self, row: LogRow, lineage: Lineage, tip: BranchTip | None) -> LogRow:
        made = self._made.get(row.path)
        if made is not None:
            return row._replace(old_blob=made.old_blob, other_blobs=made.other_blobs)
        ours = lineage.last_blob
        theirs = tip.blob if tip is not None and tip.blob != ours else None
        return row._replace(old_blob=ours or theirs, other_blobs=(theirs,) if ours and theirs else ())

    def _delete(self, lineage: Lineage, path: str) -> None:
        """Add a revision for a definition that the merge removes, unless the branch deleted it."""
        tip = self._tips.get(id(lineage))
        self._claimed.add(id(lineage))
        if tip is None or tip.path is not None:
            self._end(lineage, path)
        lineage.path = lineage.last_blob = None

    def _end(self, lineage: Lineage, path: str) -> None:
        found = kind_and_name(path)
        assert found is not None
        self._lineages.add(lineage, self._commit, LogRow("D", path, path, lineage.last_blob, None), found[1])

    def _discard(self, mark: BranchStart, tip: BranchTip) -> None:
        """Add a revision if the merge kept the first parent's content and the branch had another one."""
        lineage = mark.lineage
        if lineage.count == mark.revisions or tip.blob == mark.blob:
            return
        if mark.blob is None or mark.path is None:
            assert tip.path is not None
            lineage.last_blob = tip.blob
            self._end(lineage, tip.path)
            return
        row = LogRow(
            "M", mark.path, mark.path, mark.blob, mark.blob, (tip.blob,) if tip.blob is not None else ()
        )
        found = kind_and_name(mark.path)
        assert found is not None
        self._lineages.add(lineage, self._commit, row, found[1])
