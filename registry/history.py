"""Git's raw facts to the revisions of each definition; pure.

A definition is followed by its id where its file carries one, else by its path and git's renames. Order is that of the
commit graph (parents before children), never that of dates.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import orjson

from registry.git import LogCommit, Row
from registry.loader import kind_and_name

# Of so many definitions the revisions are held: a page, a history and an answer ask for the same, one after the other.
_MOST_HELD = 64


class Revision(NamedTuple):
    """One state of one definition. `blob` is None where it was deleted, `commit` is None where nothing was committed yet.

    `old_blob` is the state right before in the commit graph, which is not always the revision listed before: two
    branches can change one file. `other_blobs` are the states on the further parents of a merge. `date` is the author's,
    ISO 8601 with the author's offset.
    """

    number: int
    commit: str | None
    author: str
    date: str
    message: str
    name: str
    blob: str | None
    old_blob: str | None
    other_blobs: tuple[str, ...] = ()


class Revisions(Sequence[Revision]):
    """The revisions of one definition, oldest first. Those that are stored are taken apart when somebody asks, and not held for long.

    A build after one edit asks for those of one definition, and all that ever were would take half of a server's memory.
    """

    __slots__ = ("_added", "_count", "_end", "_start", "_store")

    def __init__(self, added: tuple[Revision, ...] = (), store: "_Store | None" = None, place: tuple[int, int] = (0, 0), count: int = 0) -> None:
        """`count` revisions at a place of a store, and those that came after them."""
        self._added, self._store, (self._start, self._end), self._count = added, store, place, count

    def _all(self) -> tuple[Revision, ...]:
        stored = self._store.revisions(self._start, self._end) if self._store is not None else ()
        return (*stored, *self._added) if self._added else stored

    def __len__(self) -> int:
        """How many there are."""
        return self._count + len(self._added)

    @overload
    def __getitem__(self, place: int) -> Revision: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Revision, ...]: ...
    def __getitem__(self, place: int | slice) -> Revision | tuple[Revision, ...]:
        """One, or some."""
        return self._all()[place]

    def __iter__(self) -> Iterator[Revision]:
        """All of them."""
        return iter(self._all())

    def __reversed__(self) -> Iterator[Revision]:
        """All of them, newest first."""
        return reversed(self._all())

    def committed(self) -> "Revisions":
        """These without what is not committed."""
        return self._with(tuple(one for one in self._added if one.commit is not None))

    def with_one_more(self, revision: Revision) -> "Revisions":
        """These and a newer one."""
        return self._with((*self._added, revision))

    def _with(self, added: tuple[Revision, ...]) -> "Revisions":
        return Revisions(added, self._store, (self._start, self._end), self._count)

    @property
    def key(self) -> tuple[bytes, tuple[Revision, ...]]:
        """The same only for the same revisions: those that are stored as they are, and those that came after."""
        stored = self._store.data[self._start : self._end] if self._store is not None else b""
        return stored, self._added


class _Store:
    """Bytes that hold the revisions of all definitions, as JSON one behind the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._held: dict[int, tuple[Revision, ...]] = {}

    def revisions(self, start: int, end: int) -> tuple[Revision, ...]:
        found = self._held.get(start)
        if found is None:
            rows = orjson.loads(self.data[start:end])
            found = tuple(
                [
                    Revision(number, commit, author, date, message, name, blob, old_blob, tuple(others))
                    for number, (commit, author, date, message, name, blob, old_blob, others) in enumerate(rows, 1)
                ]
            )
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[start] = found
        return found


@dataclass(slots=True)
class _Track:
    """A definition on its way through history. `count` revisions: those at a `place` of `store`, and then the `newer` ones.

    All as JSON, one behind the other: as Python's objects they take twice the memory, and nobody looks at them here.
    """

    kind: str
    id: int | None = None
    path: str | None = None  # None once it was deleted
    last_blob: str | None = None
    count: int = 0
    store: _Store | None = None
    place: tuple[int, int] = (0, 0)
    newer: bytearray | None = None

    def add(self, *facts: str | tuple[str, ...] | None) -> None:
        """One more revision: what a `Revision` holds, without its number, which is its place."""
        row = orjson.dumps(facts)
        if self.newer is None:
            self.newer = bytearray(row)
        else:
            self.newer += b"," + row
        self.count += 1

    @property
    def revisions(self) -> Revisions:
        """As they are now."""
        if self.newer is None:
            return Revisions((), self.store, self.place, self.count)
        packed = self.packed()
        return Revisions((), _Store(packed), (0, len(packed)), self.count)

    def packed(self) -> bytes:
        """All revisions as JSON."""
        stored = self.store.data[slice(*self.place)] if self.store is not None else b"[]"
        if self.newer is None:
            return stored
        return b"".join([stored[:-1], b"," if len(stored) > 2 else b"", self.newer, b"]"])


@dataclass(frozen=True, slots=True)
class History:
    """What has been followed so far, to be asked before more is."""

    by_id: Mapping[tuple[str, int], _Track]
    by_path: Mapping[str, _Track]

    def of(self, kind: str, number: int | None, path: str) -> Revisions:
        """The revisions of one definition, oldest first; empty when it was never committed."""
        found = self.by_id.get((kind, number)) if number is not None else None
        if found is None:
            found = self.by_path.get(path)
            # A path that it left is not that of a definition with an id.
            found = found if found is not None and (found.id is None or found.path == path) else None
        return found.revisions if found is not None else NO_REVISIONS


NO_REVISIONS = Revisions()
NO_HISTORY = History({}, {})


def is_definition_row(row: Row, prefix: str) -> bool:
    """True when a changed path (before or after) is that of a definition."""
    return _is_definition(row.path, prefix) or (row.old_path != row.path and _is_definition(row.old_path, prefix))


def _is_definition(path: str, prefix: str) -> bool:
    return kind_and_name(path) is not None if not prefix else path.startswith(prefix) and kind_and_name(path[len(prefix) :]) is not None


def extends(newest_first: Sequence[LogCommit], since: str, head: str) -> bool:
    """True when, in git's topological order up to `head`, these commits (all that `since` does not hold) come after all others.

    Git takes commits from a stack: a commit is put on it when all its children were taken, parents in their order. A commit
    that branched off before `since` can then come before it. What comes after `since` is taken is as it is without the new ones.
    """
    new = {commit.commit: commit for commit in newest_first}
    if head not in new:
        return False
    children = dict.fromkeys(new, 0)
    children[since] = 0
    for commit in newest_first:
        for parent in commit.parents:
            if parent in children:
                children[parent] += 1
    stack = [head]
    taken: list[str] = []
    while stack:
        name = stack.pop()
        if name == since:
            return not stack and taken == [commit.commit for commit in newest_first]
        taken.append(name)
        for parent in new[name].parents:
            if parent in children:
                children[parent] -= 1
                if children[parent] == 0:
                    stack.append(parent)
    return False


class Tracer:
    """Follows every definition through all commits; what it knows can be kept, and gone on with later.

    `prefix` is the registry's folder within the repository ("" or "folder/"). Its state is which track a path and an id
    stand for.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        # A path keeps its track after a rename or delete: on a branch beside it the file may still be edited there.
        self.paths: dict[str, _Track] = {}
        self.by_id: dict[tuple[str, int], _Track] = {}

    @property
    def history(self) -> History:
        """The revisions as they are now."""
        return History(self.by_id, self.paths)

    def stored(self) -> bytes:
        """The state: a line of JSON, then the revisions of one track behind those of the other."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """What `stored` gives, part after part: of 500,000 revisions it is hundreds of megabytes."""
        tracks = list({id(track): track for track in (*self.paths.values(), *self.by_id.values())}.values())
        numbers = {id(track): number for number, track in enumerate(tracks)}
        rows = [[one.kind, one.id, one.path, one.last_blob, one.count, len(one.packed())] for one in tracks]
        yield orjson.dumps([self.prefix, rows, list(self.paths), [numbers[id(track)] for track in self.paths.values()]])
        yield b"\n"
        yield from (track.packed() for track in tracks)

    @classmethod
    def loaded(cls, stored: bytes) -> "Tracer":
        """The state that `stored` gave."""
        start = stored.index(b"\n") + 1
        prefix, rows, paths, numbers = orjson.loads(stored[:start])
        store = _Store(stored)
        tracer = cls(prefix)
        tracks = []
        for kind, number, path, last_blob, count, size in rows:
            track = _Track(kind, number, path, last_blob, count, store, (start, start + size))
            start += size
            tracks.append(track)
            if number is not None:
                tracer.by_id[kind, number] = track
        tracer.paths = {path: tracks[number] for path, number in zip(paths, numbers, strict=True)}
        return tracer

    def take(self, commit: LogCommit, ids: Mapping[str, int | None]) -> None:
        """Add one commit's changes; `ids` are those that its blobs carry.

        All its rows are read against the state before it: two names can be swapped in one.
        """
        rows = [self.relative(row) for row in commit.rows if is_definition_row(row, self.prefix)]
        before = {path: self.paths.get(path) for row in rows for path in (row.old_path, row.path)}
        leaving = {row.old_path for row in rows if row.status in "RD" or row.old_path != row.path or _is_other(row, before[row.path], ids)}
        claimed: set[int] = set()
        for row in rows:
            found = kind_and_name(row.path)
            if row.blob is not None and found is not None:
                track = self.track_of(row, found[0], before, leaving, ids)
                claimed.add(id(track))
                if track.count and row.old_path == row.path and track.path != row.path:
                    # It came from a name that git does not tell of: the state before is that of the definition.
                    row = row._replace(old_blob=track.last_blob, other_blobs=())  # noqa: PLW2901
                self.paths[row.path], track.path = track, row.path
                self.add(track, commit, row, found[1])
        for row in rows:
            gone = before[row.old_path]
            found = kind_and_name(row.old_path)
            if row.old_path in leaving and gone is not None and found and id(gone) not in claimed and gone.path == row.old_path:
                gone.path = None
                self.add(gone, commit, row._replace(blob=None, other_blobs=()), found[1])

    def relative(self, row: Row) -> Row:
        return row._replace(old_path=row.old_path[len(self.prefix) :], path=row.path[len(self.prefix) :]) if self.prefix else row

    def track_of(self, row: Row, kind: str, before: Mapping[str, _Track | None], leaving: set[str], ids: Mapping[str, int | None]) -> _Track:
        """The definition that a new state belongs to; a new one where none fits."""
        number = ids.get(row.blob) if row.blob else None
        known = self.by_id.get((kind, number)) if number is not None else None
        if known is not None and (known.path in (None, row.path) or known.path in leaving):
            return known  # edited, moved or brought back, whatever git makes of it
        track = before[row.old_path]
        # Another id, or the id taken off, where one was: another definition. The same file without any id: the same.
        fits = track is not None and track.kind == kind and (track.id is None or track.id == number)
        if track is not None and fits and not (row.status == "A" and track.path not in (None, row.path)):
            self.learn_id(track, number)
            return track
        track = _Track(kind)
        self.learn_id(track, number)
        return track

    def learn_id(self, track: _Track, number: int | None) -> None:
        if number is not None and (track.kind, number) not in self.by_id:
            track.id = number
            self.by_id[track.kind, number] = track

    @staticmethod
    def add(track: _Track, commit: LogCommit, row: Row, name: str) -> None:
        track.add(commit.commit, commit.author, commit.date, commit.message, name, row.blob, row.old_blob, row.other_blobs)
        track.last_blob = row.blob


def _is_other(row: Row, track: _Track | None, ids: Mapping[str, int | None]) -> bool:
    """True when a path now holds a file with another id: what was there has left, to another name or for good."""
    return row.blob is not None and track is not None and track.id is not None and ids.get(row.blob) not in (None, track.id)
