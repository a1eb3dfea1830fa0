"""Git's raw facts to the revisions of each definition; pure.

A definition is followed by its id where its file carries one, else by its path and git's renames. Order is that of the
commit graph (parents before children, as `registry.git.order` has it), never that of dates: a revision keeps its number.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import Any, NamedTuple, overload

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
    """The revisions of one definition, oldest first. Those that are committed are taken apart when somebody asks, and not held for long.

    A build after one edit asks for those of one definition, and all that ever were would take half of a server's memory.
    """

    __slots__ = ("_added", "_history", "_track")

    def __init__(self, history: "History | None" = None, track: int = 0, added: tuple[Revision, ...] = ()) -> None:
        """Those of a track of `history`, and those that came after them."""
        self._history, self._track, self._added = history, track, added

    def _all(self) -> tuple[Revision, ...]:
        stored = self._history.revisions(self._track) if self._history is not None else ()
        return (*stored, *self._added) if self._added else stored

    def __len__(self) -> int:
        """How many there are."""
        return (self._history.counts[self._track] if self._history is not None else 0) + len(self._added)

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

    @property
    def newest(self) -> Revision | None:
        """The last one: lists show it of many definitions, and need not take the others apart."""
        if self._added:
            return self._added[-1]
        return self._history.newest(self._track) if self._history is not None else None

    def committed(self) -> "Revisions":
        """These without what is not committed."""
        return Revisions(self._history, self._track, tuple(one for one in self._added if one.commit is not None))

    def with_one_more(self, revision: Revision) -> "Revisions":
        """These and a newer one."""
        return Revisions(self._history, self._track, (*self._added, revision))

    @property
    def key(self) -> tuple[str, tuple[Revision, ...]]:
        """The same only for the same revisions: a digest of those that are stored, and those that came after."""
        return self._history.digests[self._track] if self._history is not None else "", self._added


NO_REVISIONS = Revisions()


class History:
    """Every revision up to one commit, by definition: what `Tracer.parts` gave, taken apart when somebody asks.

    A definition is known by the number of its track; `kinds`, `ids`, `paths` (None once it was deleted), `last_blobs`, `counts`
    and `digests` of revisions are lists by that number: as columns they are read ten times as fast as one by one.
    """

    def __init__(self, stored: bytes) -> None:
        """`stored`: a line of JSON, then the revisions of one track behind those of the other, as JSON each."""
        start = stored.index(b"\n") + 1
        columns: list[list[Any]] = orjson.loads(stored[:start])
        self.kinds, self.ids, self.paths, self.last_blobs, self.counts, self.digests, sizes, known_paths, tracks = columns
        self._data = stored
        self._starts = list(accumulate(sizes, initial=start))
        self.by_id: Mapping[tuple[str, int | None], int] = dict(zip(zip(self.kinds, self.ids, strict=True), count()))
        # A path keeps its track after a rename or delete.
        self.by_path: Mapping[str, int] = dict(zip(known_paths, tracks, strict=True))
        self._held: dict[int, tuple[Revision, ...]] = {}

    def of(self, kind: str, number: int | None, path: str) -> Revisions:
        """The revisions of one definition, oldest first; empty when it was never committed."""
        found = self.by_id.get((kind, number)) if number is not None else None
        if found is None:
            found = self.by_path.get(path)
            # A path that it left is not that of a definition with an id.
            if found is None or (self.ids[found] is not None and self.paths[found] != path):
                return NO_REVISIONS
        return Revisions(self, found)

    def packed(self, track: int) -> bytes:
        """The revisions of one track as JSON."""
        return self._data[self._starts[track] : self._starts[track + 1]]

    def revisions(self, track: int) -> tuple[Revision, ...]:
        """The revisions of one track, oldest first."""
        found = self._held.get(track)
        if found is None:
            found = tuple([_revision(number, row) for number, row in enumerate(orjson.loads(self.packed(track)), 1)])
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[track] = found
        return found

    def newest(self, track: int) -> Revision | None:
        """The last revision of one track."""
        held = self._held.get(track)
        if held is not None:
            return held[-1] if held else None
        rows = orjson.loads(self.packed(track))
        return _revision(len(rows), rows[-1]) if rows else None


def _revision(number: int, row: Sequence[Any]) -> Revision:
    commit, author, date, message, name, blob, old_blob, others = row
    return Revision(number, commit, author, date, message, name, blob, old_blob, tuple(others))


@dataclass(slots=True)
class _Track:
    """A definition on its way through history. `count` revisions: the `known` ones (as JSON), and then the `newer` ones.

    All as JSON, one behind the other: as Python's objects they take twice the memory, and nobody looks at them here.
    """

    kind: str
    id: int | None = None
    path: str | None = None  # None once it was deleted
    last_blob: str | None = None
    count: int = 0
    known: bytes = b"[]"
    newer: bytearray | None = None

    def add(self, *facts: str | tuple[str, ...] | None) -> None:
        """One more revision: what a `Revision` holds, without its number, which is its place."""
        row = orjson.dumps(facts)
        if self.newer is None:
            self.newer = bytearray(row)
        else:
            self.newer += b"," + row
        self.count += 1

    def packed(self) -> bytes:
        """All revisions as JSON."""
        if self.newer is None:
            return self.known
        return b"".join([self.known[:-1], b"," if len(self.known) > 2 else b"", self.newer, b"]"])


def is_definition_row(row: Row, prefix: str) -> bool:
    """True when a changed path (before or after) is that of a definition."""
    return _is_definition(row.path, prefix) or (row.old_path != row.path and _is_definition(row.old_path, prefix))


def _is_definition(path: str, prefix: str) -> bool:
    return kind_and_name(path) is not None if not prefix else path.startswith(prefix) and kind_and_name(path[len(prefix) :]) is not None


class Tracer:
    """Follows every definition through all commits; what it knows is kept as a `History`, and can be gone on with later.

    `prefix` is the registry's folder within the repository ("" or "folder/"). Its state is which track a path and an id
    stand for.
    """

    def __init__(self, prefix: str, history: History | None = None) -> None:
        """From the first commit on, or from where `history` ends."""
        self.prefix = prefix
        # A path keeps its track after a rename or delete: on a branch beside it the file may still be edited there.
        self.paths: dict[str, _Track] = {}
        self.by_id: dict[tuple[str, int], _Track] = {}
        if history is not None:
            columns = zip(history.kinds, history.ids, history.paths, history.last_blobs, history.counts, strict=True)
            tracks = [_Track(*facts, history.packed(number)) for number, facts in enumerate(columns)]
            self.paths = {path: tracks[number] for path, number in history.by_path.items()}
            self.by_id = {(one.kind, one.id): one for one in tracks if one.id is not None}

    def stored(self) -> bytes:
        """What a `History` is made of."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """What `stored` gives, part after part: of 500,000 revisions it is hundreds of megabytes."""
        tracks = list({id(track): track for track in (*self.paths.values(), *self.by_id.values())}.values())
        numbers = {id(track): number for number, track in enumerate(tracks)}
        sizes, digests = [], []
        for track in tracks:
            packed = track.packed()
            sizes.append(len(packed))
            digests.append(hashlib.blake2b(packed, digest_size=16).hexdigest())
        facts = [[getattr(track, name) for track in tracks] for name in ("kind", "id", "path", "last_blob", "count")]
        yield orjson.dumps([*facts, digests, sizes, list(self.paths), [numbers[id(track)] for track in self.paths.values()]])
        yield b"\n"
        yield from (track.packed() for track in tracks)

    def take(self, commit: LogCommit, ids: Mapping[str, int | None]) -> None:
        """Add one commit's changes; `ids` are those that its blobs carry.

        All its rows are read against the state before it: two names can be swapped in one.
        """
        if len(commit.rows) == 1 and self.goes_on(commit, commit.rows[0], ids):
            return
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

    def goes_on(self, commit: LogCommit, row: Row, ids: Mapping[str, int | None]) -> bool:
        """Add the edit of one file that keeps its name and its id, as nearly all commits are; False where it may be more than that."""
        if row.status != "M" or row.blob is None or row.old_path != row.path or not row.path.startswith(self.prefix):
            return False
        row = self.relative(row)
        track, found = self.paths.get(row.path), kind_and_name(row.path)
        if track is None or found is None or track.path != row.path or track.id != ids.get(row.blob or ""):
            return False
        self.add(track, commit, row, found[1])
        return True

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
