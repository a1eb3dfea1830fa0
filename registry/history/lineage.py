"""The lineages of all definitions while the history is read; pure."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from registry.git import LogCommit, LogRow
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


class BranchStart(NamedTuple):
    """State of a lineage on the main line before a branch changed it. `size` is the length of its `newer`."""

    lineage: Lineage
    path: str | None
    blob: str | None
    revisions: int
    size: int


class BranchTip(NamedTuple):
    """State of a lineage at the end of a branch."""

    path: str | None
    blob: str | None


Ids = Mapping[str, int | None]
"""The id that each blob carries."""


class LineageStore:
    """Every lineage up to the current commit: by path and by id, with the facts of the commits.

    On a branch it also keeps the state of the main line, which `leave_branch` restores.
    """

    def __init__(self, read_commit: Callable[[str], LogCommit], history: History | None = None) -> None:
        """Start empty, or with the lineages of `history`.

        `read_commit` returns the author, date and message of a merge without changes against its first
        parent.
        """
        self._read_commit = read_commit
        # A path keeps its lineage after a rename or delete: a parallel branch may still edit the file there.
        self.paths: dict[str, Lineage] = {}
        # Earlier lineages of a path, before the one in `paths`.
        self.earlier: dict[str, list[Lineage]] = {}
        self.by_id: dict[tuple[str, int], Lineage] = {}
        # Changes of the branch that is being read: lineages by identity, and previous lineages by path.
        self._marks: dict[int, BranchStart] = {}
        self._paths_before: dict[str, Lineage | None] = {}
        self.is_on_branch = False
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

    def parts(self) -> Iterator[bytes]:
        """Yield the data for a `History` in parts: for 500,000 revisions it has hundreds of megabytes."""
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

    def standing(self, path: str, blob: str | None) -> Lineage | None:
        """Return the lineage at a path with this content before the current commit."""
        current = self.paths.get(path)
        if (
            not self.is_on_branch
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

    def learn_id(self, lineage: Lineage, number: int | None) -> None:
        """Give a lineage the id in its file, unless it has one or the id belongs to another lineage."""
        if number is not None and lineage.id is None and (lineage.kind, number) not in self.by_id:
            lineage.id = number
            self.by_id[lineage.kind, number] = lineage

    def add(self, lineage: Lineage, commit: LogCommit, row: LogRow, name: str) -> None:
        """Add a revision to a lineage, which then has the content of the row."""
        if self.is_on_branch and id(lineage) not in self._marks:
            size = len(lineage.newer) if lineage.newer is not None else 0
            self._marks[id(lineage)] = BranchStart(
                lineage, lineage.path, lineage.last_blob, lineage.count, size
            )
        if commit.commit != self._last_commit:
            self._last_commit = commit.commit
            if not commit.date:
                commit = self._read_commit(commit.commit)
            facts = orjson.dumps((commit.author, commit.email, commit.date, commit.message))
            self._commits += facts
            self._commit_sizes.append(len(facts))
        lineage.add(len(self._commit_sizes) - 1, commit.commit, name, row.blob, row.old_blob, row.other_blobs)
        lineage.last_blob = row.blob

    def put(self, path: str, lineage: Lineage) -> None:
        """Assign a lineage to a path."""
        lineage.path = path
        before = self.paths.get(path)
        if before is lineage:
            return
        if self.is_on_branch:
            self._paths_before.setdefault(path, before)
        if before is not None:
            self._remember(path, before)
        self.paths[path] = lineage

    def _remember(self, path: str, lineage: Lineage) -> None:
        earlier = self.earlier.setdefault(path, [])
        if lineage in earlier:
            earlier.remove(lineage)
        earlier.append(lineage)

    def is_changed_on_branch(self, lineage: Lineage) -> bool:
        """True when the current branch has a revision of a lineage."""
        return id(lineage) in self._marks

    def leave_branch(self) -> tuple[dict[str, Lineage], dict[int, BranchStart], dict[int, BranchTip]]:
        """Restore the state of the main line.

        Returns the lineages at the changed paths of the branch, and its lineages before and after.
        """
        marks, before = self._marks, self._paths_before
        self._marks, self._paths_before = {}, {}
        tips = {key: BranchTip(mark.lineage.path, mark.lineage.last_blob) for key, mark in marks.items()}
        at_tip = {path: self.paths[path] for path in before}
        for path, lineage in before.items():
            self._remember(path, self.paths.pop(path))
            if lineage is not None:
                self.paths[path] = lineage
        for mark in marks.values():
            mark.lineage.path, mark.lineage.last_blob = mark.path, mark.blob
        return at_tip, marks, tips

    def split(self, mark: BranchStart, tip: BranchTip) -> Lineage:
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
