"""Build the history of each definition from git's raw changes, commit by commit; pure.

A definition is followed by its id if its file has one, else by its path and git's renames. Commits come in
the order of `registry.git.order`: for a merge, first the history of its first parent, then the commits of the
branch. Two rules apply:

- On the main line (from the last commit along first parents) the state is exact: the definition at each path
  and its content. At a merge into it, the state before the branch is restored, and the changes of the merge
  against its first parent are applied. The newest revision of a definition then has the content of the merge.
- On a branch, a changed file is found by its previous path and content, because the state is that of the main
  line.
"""

import hashlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from registry.git import CommitOrder, LogCommit, LogRow
from registry.history.archive import History
from registry.model.definition import kind_and_name


@dataclass(slots=True, eq=False)
class Lineage:
    """A definition through its history. `count` revisions: the `known` ones (as JSON), then the `newer` ones.

    Both are concatenated JSON: Python objects take twice the memory, and are rarely needed here.
    """

    kind: str
    id: int | None = None
    path: str | None = None  # None after deletion
    last_blob: str | None = None
    count: int = 0
    known: bytes = b"[]"
    newer: bytearray | None = None

    def add(self, *facts: int | str | tuple[str, ...] | None) -> None:
        """Add a revision: the commit's number and name, the name, `blob`, `old_blob`, `other_blobs`."""
        row = orjson.dumps(facts)
        if self.newer is None:
            self.newer = bytearray(row)
        else:
            self.newer += b"," + row
        self.count += 1

    def packed(self) -> bytes:
        """Return all revisions as JSON."""
        if self.newer is None:
            return self.known
        return b"".join([self.known[:-1], b"," if len(self.known) > 2 else b"", self.newer, b"]"])

    def was(self, name: str, blob: str) -> bool:
        """True when a revision had this content under this name."""
        wanted = orjson.dumps([name, blob])[1:-1]
        return (self.newer is not None and wanted in self.newer) or wanted in self.known

    def had(self, blob: str) -> bool:
        """True when a revision had this content before or after it."""
        wanted = f'"{blob}"'.encode()
        return (self.newer is not None and wanted in self.newer) or wanted in self.known

    @property
    def newest_name(self) -> str | None:
        """The name in the newest revision."""
        rows = orjson.loads(self.packed())
        return rows[-1][2] if rows else None

    def cut(self, size: int, count: int) -> bytes:
        """Remove the revisions after the first `count`, which occupy `newer` from `size` on.

        Returns them as JSON without brackets.
        """
        assert self.newer is not None
        removed = bytes(self.newer[size + 1 if size else 0 :])
        self.newer = self.newer[:size] if size else None
        self.count = count
        return removed


class _Mark(NamedTuple):
    """State of a lineage on the main line before a branch changed it. `size` is the length of its `newer`."""

    lineage: Lineage
    path: str | None
    blob: str | None
    revisions: int
    size: int


class _Tip(NamedTuple):
    """State of a lineage at the end of a branch."""

    path: str | None
    blob: str | None


def is_definition_row(row: LogRow, prefix: str) -> bool:
    """True when a changed path (before or after) is that of a definition."""
    return _is_definition(row.path, prefix) or (
        row.old_path != row.path and _is_definition(row.old_path, prefix)
    )


def relative_row(row: LogRow, prefix: str) -> LogRow:
    """Return a row with paths relative to the registry, whose folder is `prefix`."""
    start = len(prefix)
    return row._replace(old_path=row.old_path[start:], path=row.path[start:]) if start else row


def _is_definition(path: str, prefix: str) -> bool:
    return (
        kind_and_name(path) is not None
        if not prefix
        else path.startswith(prefix) and kind_and_name(path[len(prefix) :]) is not None
    )


Ids = Mapping[str, int | None]
"""The id that each blob carries."""


class HistoryBuilder:
    """Follows every definition through all commits.

    The result becomes a `History` and can be continued later.
    """

    def __init__(
        self,
        prefix: str,
        order: CommitOrder,
        read_commit: Callable[[str], LogCommit],
        history: History | None = None,
    ) -> None:
        """Start with the first commit, or continue after the end of `history`.

        `prefix` is the registry's folder within the repository ("" or "folder/"). `read_commit` returns the
        author, date and message of a merge without changes against its first parent.
        """
        self.prefix = prefix
        self._merges, self._branched = order.merges, order.branched
        self._read_commit = read_commit
        # A path keeps its lineage after a rename or delete: a parallel branch may still edit the file there.
        self.paths: dict[str, Lineage] = {}
        # Earlier lineages of a path, before the one in `paths`.
        self.earlier: dict[str, list[Lineage]] = {}
        self.by_id: dict[tuple[str, int], Lineage] = {}
        # Changes of the branch that is being read: lineages by identity, and previous lineages by path.
        self._marks: dict[int, _Mark] = {}
        self._paths_before: dict[str, Lineage | None] = {}
        self._is_on_branch = False
        # Author, date and message of each commit that is a revision, as JSON.
        self._commits = bytearray()
        self._commit_sizes: list[int] = []
        self._last_commit = ""
        if history is not None:
            self._continue(history)

    def _continue(self, history: History) -> None:
        columns = zip(
            history.kinds, history.ids, history.paths, history.last_blobs, history.counts, strict=True
        )
        lineages = [Lineage(*facts, history.packed(number)) for number, facts in enumerate(columns)]
        self.paths = {path: lineages[number] for path, number in history.by_path.items()}
        for path, number in zip(history.earlier_paths, history.earlier_lineages, strict=True):
            self.earlier.setdefault(path, []).append(lineages[number])
        self.by_id = {(one.kind, one.id): one for one in lineages if one.id is not None}
        self._commits, self._commit_sizes = bytearray(history.commits), history.commit_sizes

    def stored(self) -> bytes:
        """Return the data for a `History`."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """Yield the data of `stored` in parts: for 500,000 revisions it has hundreds of megabytes."""
        earlier = [(path, lineage) for path, lineages in self.earlier.items() for lineage in lineages]
        everywhere = (*self.paths.values(), *self.by_id.values(), *(lineage for _, lineage in earlier))
        lineages = list({id(lineage): lineage for lineage in everywhere}.values())
        numbers = {id(lineage): number for number, lineage in enumerate(lineages)}
        sizes, digests = [], []
        for lineage in lineages:
            packed = lineage.packed()
            sizes.append(len(packed))
            digests.append(hashlib.blake2b(packed, digest_size=16).hexdigest())
        facts = [
            [getattr(lineage, name) for lineage in lineages]
            for name in ("kind", "id", "path", "last_blob", "count")
        ]
        at_paths = [list(self.paths), [numbers[id(lineage)] for lineage in self.paths.values()]]
        at_earlier = [[path for path, _ in earlier], [numbers[id(lineage)] for _, lineage in earlier]]
        yield orjson.dumps([*facts, digests, sizes, *at_paths, *at_earlier, self._commit_sizes])
        yield b"\n"
        yield from (lineage.packed() for lineage in lineages)
        yield bytes(self._commits)

    def take(self, commit: LogCommit, ids: Ids) -> None:
        """Add the changes of one commit; `ids` are the ids in its blobs."""
        self._is_on_branch = commit.commit in self._branched
        if commit.commit in self._merges:
            if self._is_on_branch:
                self._take_merge_on_branch(commit, ids)
            else:
                self._take_merge(commit, ids)
        elif len(commit.rows) != 1 or not self._goes_on(commit, commit.rows[0], ids):
            self._take_rows(commit, self._own(commit.rows), ids)

    def _own(self, rows: Sequence[LogRow]) -> list[LogRow]:
        """Return the rows of definitions, with paths relative to the registry."""
        own = [row for row in rows if is_definition_row(row, self.prefix)]
        return [relative_row(row, self.prefix) for row in own] if self.prefix else own

    def _goes_on(self, commit: LogCommit, row: LogRow, ids: Ids) -> bool:
        """Add the edit of one file that keeps its name and id, which is the usual commit.

        Returns False, without changes, if the commit may be more than that.
        """
        if (
            row.status != "M"
            or row.blob is None
            or row.old_path != row.path
            or not row.path.startswith(self.prefix)
        ):
            return False
        blob = row.blob
        row = relative_row(row, self.prefix)
        lineage, found = self.paths.get(row.path), kind_and_name(row.path)
        if lineage is None or found is None or lineage.path != row.path or lineage.id != ids.get(blob):
            return False
        if lineage.last_blob != row.old_blob:
            return False  # on a branch, and the main line has changed it since
        self._add(lineage, commit, row, found[1])
        return True

    def _take_rows(
        self, commit: LogCommit, rows: Sequence[LogRow], ids: Ids, against_first: Sequence[LogRow] = ()
    ) -> None:
        """Add changed paths. All refer to the state before them: one commit can swap two names.

        `against_first` are the changes of a merge against its first parent, which also show removed paths.
        """
        before = {row.path: self.paths.get(row.path) for row in (*against_first, *rows)}
        for row in (*against_first, *rows):
            before[row.old_path] = self._standing(row.old_path, row.old_blob)
        carried = {
            (found[0], ids.get(row.blob))
            for row in (*against_first, *rows)
            if row.blob is not None and (found := kind_and_name(row.path)) is not None
        }
        leaving = {
            row.old_path
            for row in (*against_first, *rows)
            if row.status in "RD"
            or row.old_path != row.path
            or _is_other(row, before[row.path], ids, carried)
        }
        given = {ids.get(row.blob) for row in rows if row.blob}
        claimed: set[int] = set()
        for row in rows:
            found = kind_and_name(row.path)
            if row.blob is None or found is None:
                continue
            lineage = self._lineage_of(row, found[0], before, leaving, given, ids.get(row.blob))
            claimed.add(id(lineage))
            if (
                lineage.count
                and row.old_path == row.path
                and (before[row.path] is not lineage or row.old_blob is None)
            ):
                # The file was at a name that git does not report: the previous state is that of the
                # definition.
                known = None if self._is_on_branch else lineage.last_blob
                source = next(
                    (
                        one.old_blob
                        for one in rows
                        if one.old_path in leaving and before[one.old_path] is lineage
                    ),
                    known,
                )
                row = row._replace(old_blob=source, other_blobs=())  # noqa: PLW2901
            self._add(lineage, commit, row, found[1])
            self._put(row.path, lineage)
        for row in rows:
            gone = before[row.old_path]
            found = kind_and_name(row.old_path)
            if row.old_path not in leaving or gone is None or found is None or id(gone) in claimed:
                continue
            if gone.path == row.old_path or (self._is_on_branch and gone.path is not None):
                claimed.add(id(gone))
                self._add(gone, commit, row._replace(blob=None, other_blobs=()), found[1])
                gone.path = None

    def _standing(self, path: str, blob: str | None) -> Lineage | None:
        """Return the lineage at a path with this content before the current commit."""
        current = self.paths.get(path)
        if (
            not self._is_on_branch
            or blob is None
            or (current is not None and current.path == path and current.last_blob == blob)
        ):
            return current
        found = kind_and_name(path)
        if found is None:
            return None
        candidates = (*([current] if current is not None else []), *reversed(self.earlier.get(path, ())))
        exact = next((one for one in candidates if one.was(found[1], blob)), None)
        return exact or next((one for one in candidates if one.had(blob)), current)

    def _lineage_of(
        self,
        row: LogRow,
        kind: str,
        before: Mapping[str, Lineage | None],
        leaving: set[str],
        given: set[int | None],
        number: int | None,
    ) -> Lineage:
        """Return the lineage of a new state; creates one if none matches.

        `given` are the ids in all new states.
        """
        known = self.by_id.get((kind, number)) if number is not None else None
        lineage = before[row.old_path]
        if known is not None and (
            known.path in (None, row.path)
            or any(before[path] is known for path in leaving)
            or (self._is_on_branch and (row.status != "A" or leaving))
        ):
            return known  # edited, moved or restored, regardless of how git reports it
        if lineage is not None and lineage.kind == kind and self._fits(lineage, row, number, given):
            self._learn_id(lineage, number)
            return lineage
        lineage = Lineage(kind)
        self._learn_id(lineage, number)
        return lineage

    def _fits(self, lineage: Lineage, row: LogRow, number: int | None, given: set[int | None]) -> bool:
        """True when a file can be the next state of the lineage at its path.

        A different id means a different definition. An edit without the id, made before the id was assigned
        or by mistake, belongs to the same definition: the id is restored later.
        """
        if row.status == "A" and lineage.path not in (None, row.path):
            return False
        if lineage.id is None or lineage.id == number:
            return True
        is_there = row.status != "A" or (self._is_on_branch and lineage.path == row.path)
        return number is None and is_there and lineage.id not in given

    def _learn_id(self, lineage: Lineage, number: int | None) -> None:
        if number is not None and lineage.id is None and (lineage.kind, number) not in self.by_id:
            lineage.id = number
            self.by_id[lineage.kind, number] = lineage

    def _add(self, lineage: Lineage, commit: LogCommit, row: LogRow, name: str) -> None:
        """Add a revision to a lineage, which then has the content of the row."""
        if self._is_on_branch and id(lineage) not in self._marks:
            size = len(lineage.newer) if lineage.newer is not None else 0
            self._marks[id(lineage)] = _Mark(lineage, lineage.path, lineage.last_blob, lineage.count, size)
        if commit.commit != self._last_commit:
            self._last_commit = commit.commit
            if not commit.date:
                commit = self._read_commit(commit.commit)
            facts = orjson.dumps((commit.author, commit.email, commit.date, commit.message))
            self._commits += facts
            self._commit_sizes.append(len(facts))
        lineage.add(len(self._commit_sizes) - 1, commit.commit, name, row.blob, row.old_blob, row.other_blobs)
        lineage.last_blob = row.blob

    def _put(self, path: str, lineage: Lineage) -> None:
        """Assign a lineage to a path."""
        lineage.path = path
        before = self.paths.get(path)
        if before is lineage:
            return
        if self._is_on_branch:
            self._paths_before.setdefault(path, before)
        if before is not None:
            self._remember(path, before)
        self.paths[path] = lineage

    def _remember(self, path: str, lineage: Lineage) -> None:
        earlier = self.earlier.setdefault(path, [])
        if lineage in earlier:
            earlier.remove(lineage)
        earlier.append(lineage)

    # Merges

    def _take_merge_on_branch(self, commit: LogCommit, ids: Ids) -> None:
        """Take a merge within a branch: its own changes, and the changes of the branch that it discarded."""
        rows = self._own(commit.rows)
        brought = self._own(commit.brought)
        self._take_rows(commit, rows, ids, brought)
        made = {row.path for row in rows}
        for row in brought:
            lineage, found = self.paths.get(row.old_path), kind_and_name(row.path)
            if row.path in made or lineage is None or found is None or row.blob == row.old_blob:
                continue
            if row.blob is not None and not lineage.had(row.blob):
                continue  # the file of another definition
            if id(lineage) in self._marks and (lineage.path, lineage.last_blob) == (
                row.old_path,
                row.old_blob,
            ):
                self._add(
                    lineage, commit, row._replace(other_blobs=(row.blob,) if row.blob else ()), found[1]
                )
                if row.blob is None:
                    lineage.path = None
                else:
                    self._put(row.path, lineage)

    def _take_merge(self, commit: LogCommit, ids: Ids) -> None:
        """Take a merge into the main line, which ends a branch."""
        made = {row.path: row for row in self._own(commit.rows)}
        _Merge(self, commit, made, self._own(commit.brought), ids).take()

    def _leave_branch(self) -> tuple[dict[str, Lineage], dict[int, _Mark], dict[int, _Tip]]:
        """Restore the state of the main line.

        Returns the lineages at the changed paths of the branch, and its lineages before and after.
        """
        marks, before = self._marks, self._paths_before
        self._marks, self._paths_before = {}, {}
        tips = {key: _Tip(mark.lineage.path, mark.lineage.last_blob) for key, mark in marks.items()}
        at_tip = {path: self.paths[path] for path in before}
        for path, lineage in before.items():
            self._remember(path, self.paths.pop(path))
            if lineage is not None:
                self.paths[path] = lineage
        for mark in marks.values():
            mark.lineage.path, mark.lineage.last_blob = mark.path, mark.blob
        return at_tip, marks, tips

    def _split(self, mark: _Mark, tip: _Tip) -> Lineage:
        """Return a new lineage for the branch's version of a definition at another path on the main line."""
        moved = mark.lineage.cut(mark.size, mark.revisions)
        first_old_blob = orjson.loads(b"[" + moved + b"]")[0][4]
        rows = orjson.loads(mark.lineage.packed())
        common = next(
            (
                place
                for place in range(len(rows), 0, -1)
                if rows[place - 1][3] == first_old_blob and first_old_blob is not None
            ),
            0,
        )
        count = common + len(orjson.loads(b"[" + moved + b"]"))
        return Lineage(
            mark.lineage.kind, None, tip.path, tip.blob, count, orjson.dumps(rows[:common]), bytearray(moved)
        )


class _Merge:
    """A merge into the main line.

    Determines the definition of each file, and whether it needs its own revision.
    """

    def __init__(
        self,
        builder: HistoryBuilder,
        commit: LogCommit,
        made: Mapping[str, LogRow],
        brought: Sequence[LogRow],
        ids: Ids,
    ) -> None:
        """`made` are the rows against all parents by path, `brought` those against the first parent."""
        self._builder, self._commit, self._made, self._ids = builder, commit, made, ids
        self._at_tip, self._marks, self._tips = builder._leave_branch()
        self._rows = [row for row in brought if row.blob is not None and kind_and_name(row.path) is not None]
        self._changed = {path for row in brought for path in (row.old_path, row.path)}
        # The definitions of the first parent at changed paths.
        self._before = {
            path: one
            for path in self._changed
            if (one := builder.paths.get(path)) is not None and one.path == path
        }
        self._taken: dict[str, Lineage] = {}
        self._claimed: set[int] = set()

    def take(self) -> None:
        """Update the builder to the state of the merge."""
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
            return number is None or (lineage.kind, number) not in self._builder.by_id
        # A definition deleted on the main line only returns with its id.
        is_dead = lineage.path is None and not self._is_new(lineage)
        return lineage.id == number or (number is None and not is_dead)

    def _is_new(self, lineage: Lineage) -> bool:
        mark = self._marks.get(id(lineage))
        return mark is not None and mark.revisions == 0

    def _with_id(self, row: LogRow) -> Lineage | None:
        number, found = self._number(row), kind_and_name(row.path)
        known = (
            self._builder.by_id.get((found[0], number)) if number is not None and found is not None else None
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
        lineage = self._at_tip.get(row.path) or self._builder.paths.get(row.path)
        tip = self._tips.get(id(lineage))
        if lineage is None or tip is None or tip.path != row.path:
            return None
        if self._is_free(lineage) and self._agrees(lineage, row):
            return lineage
        number = self._number(row)
        if number is not None and (lineage.kind, number) in self._builder.by_id:
            return None
        mark = self._marks[id(lineage)]
        if mark.revisions == 0 or lineage.count == mark.revisions:
            return None
        split = self._builder._split(mark, tip)
        self._tips[id(split)] = tip
        self._tips[id(lineage)] = _Tip(mark.path, mark.blob)
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
        current = self._builder.paths.get(row.path)
        for gone in (current, *reversed(self._builder.earlier.get(row.path, ()))):
            is_gone = gone is not None and gone.path is None and gone.id is None and self._is_free(gone)
            if gone is None or not is_gone or gone.kind != found[0]:
                continue
            # A definition that another merge discarded has no lineage at the path: its content identifies it.
            if gone is current or (row.blob is not None and gone.was(found[1], row.blob)):
                return gone
        return Lineage(found[0])

    def _add(self, row: LogRow, lineage: Lineage) -> None:
        """Add a revision for a file, unless the branch has the same content there."""
        builder, found = self._builder, kind_and_name(row.path)
        assert found is not None
        builder._learn_id(lineage, self._number(row))
        tip = self._tips.get(id(lineage))
        newest = tip.blob if tip is not None else lineage.last_blob
        if not lineage.count or newest != row.blob:
            builder._add(lineage, self._commit, self._with_parents(row, lineage, tip), found[1])
        elif (
            row.path not in (lineage.path, tip.path if tip is not None else None)
            and lineage.newest_name != found[1]
        ):
            # Renamed in the merge: its content was reported in the original commit.
            builder._add(lineage, self._commit, row._replace(old_blob=row.blob, other_blobs=()), found[1])
        lineage.last_blob = row.blob
        builder._put(row.path, lineage)

    def _with_parents(self, row: LogRow, lineage: Lineage, tip: _Tip | None) -> LogRow:
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
        self._builder._add(lineage, self._commit, LogRow("D", path, path, lineage.last_blob, None), found[1])

    def _discard(self, mark: _Mark, tip: _Tip) -> None:
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
        self._builder._add(lineage, self._commit, row, found[1])


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
