"""Git's raw facts to the revisions of each definition; pure.

A definition is followed by its id where its file carries one, else by its path and git's renames. Order is that of the
commit graph (parents before children), never that of dates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from registry.git import LogCommit, Row
from registry.loader import kind_and_name


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


@dataclass(slots=True)
class _Track:
    """A definition on its way through history."""

    kind: str
    id: int | None = None
    path: str | None = None  # None once it was deleted
    revisions: list[Revision] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class History:
    """Revisions, oldest first, by what a definition can be found by."""

    by_id: Mapping[tuple[str, int], tuple[Revision, ...]]
    by_path: Mapping[str, tuple[Revision, ...]]

    def of(self, kind: str, number: int | None, path: str) -> tuple[Revision, ...]:
        """The revisions of one definition, oldest first; empty when it was never committed."""
        found = self.by_id.get((kind, number)) if number is not None else None
        return found if found is not None else self.by_path.get(path, ())


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

    def history(self) -> History:
        """The revisions as they are now."""
        revisions = {id(track): tuple(track.revisions) for track in (*self.by_id.values(), *self.paths.values())}
        by_path = {path: revisions[id(track)] for path, track in self.paths.items() if track.id is None or track.path == path}
        return History({key: revisions[id(track)] for key, track in self.by_id.items()}, by_path)

    def stored(self) -> list[Any]:
        """The state as plain lists."""
        tracks = list({id(track): track for track in (*self.paths.values(), *self.by_id.values())}.values())
        numbers = {id(track): number for number, track in enumerate(tracks)}
        commits: dict[str | None, tuple[str | None, str, str, str]] = {}
        rows = []
        for track in tracks:
            for one in track.revisions:
                commits.setdefault(one.commit, (one.commit, one.author, one.date, one.message))
        places = {commit: place for place, commit in enumerate(commits)}
        for track in tracks:
            revisions = [[one.number, places[one.commit], one.name, one.blob, one.old_blob, one.other_blobs] for one in track.revisions]
            rows.append([track.kind, track.id, track.path, revisions])
        by_id = [[kind, number, numbers[id(track)]] for (kind, number), track in self.by_id.items()]
        return [self.prefix, list(commits.values()), rows, [[path, numbers[id(track)]] for path, track in self.paths.items()], by_id]

    @classmethod
    def loaded(cls, stored: list[Any]) -> "Tracer":
        """The state that `stored` gave."""
        prefix, commits, rows, paths, by_id = stored
        tracer = cls(prefix)
        tracks = []
        for kind, number, path, revisions in rows:
            track = _Track(kind, number, path)
            for place, commit, name, blob, old_blob, others in revisions:
                name_of_commit, author, date, message = commits[commit]
                track.revisions.append(Revision(place, name_of_commit, author, date, message, name, blob, old_blob, tuple(others)))
            tracks.append(track)
        tracer.paths = {path: tracks[number] for path, number in paths}
        tracer.by_id = {(kind, number): tracks[place] for kind, number, place in by_id}
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
                if track.revisions and row.old_path == row.path and track.path != row.path:
                    # It came from a name that git does not tell of: the state before is that of the definition.
                    row = row._replace(old_blob=track.revisions[-1].blob, other_blobs=())  # noqa: PLW2901
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
        track.revisions.append(
            Revision(
                len(track.revisions) + 1, commit.commit, commit.author, commit.date, commit.message, name, row.blob, row.old_blob, row.other_blobs
            )
        )


def _is_other(row: Row, track: _Track | None, ids: Mapping[str, int | None]) -> bool:
    """True when a path now holds a file with another id: what was there has left, to another name or for good."""
    return row.blob is not None and track is not None and track.id is not None and ids.get(row.blob) not in (None, track.id)
