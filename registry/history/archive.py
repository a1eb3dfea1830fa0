"""The revisions of each definition, as found by `registry.history.builder`; pure.

They are in the order of the commit graph (parents before children, see `registry.git.order`), never in the
order of dates, so that the number of a revision never changes.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, count, pairwise
from typing import Any, overload

import orjson

from registry.model.revision import Revision

# Number of definitions whose revisions are cached: a page, a history and an answer use the same ones in
# sequence.
_MOST_HELD = 64
# Number of commits whose author, date and message are cached: one commit can be a revision of every
# definition.
_MOST_COMMITS_HELD = 1_000


class Revisions(Sequence[Revision]):
    """The revisions of one definition, oldest first.

    Committed ones are decoded on demand and cached only briefly. A build after one edit needs the revisions
    of one definition, and all revisions would take half of a server's memory.
    """

    __slots__ = ("_added", "_history", "_lineage")

    def __init__(
        self, history: "History | None" = None, lineage: int = 0, added: tuple[Revision, ...] = ()
    ) -> None:
        """The revisions of a lineage of `history`, followed by those in `added`."""
        self._history, self._lineage, self._added = history, lineage, added

    def _all(self) -> tuple[Revision, ...]:
        stored = self._history.revisions(self._lineage) if self._history is not None else ()
        return (*stored, *self._added) if self._added else stored

    def __len__(self) -> int:
        """Number of revisions."""
        return (self._history.counts[self._lineage] if self._history is not None else 0) + len(self._added)

    @overload
    def __getitem__(self, place: int) -> Revision: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Revision, ...]: ...
    def __getitem__(self, place: int | slice) -> Revision | tuple[Revision, ...]:
        """Return one revision or a range."""
        return self._all()[place]

    def __iter__(self) -> Iterator[Revision]:
        """Iterate over all revisions, oldest first."""
        return iter(self._all())

    def __reversed__(self) -> Iterator[Revision]:
        """Iterate over all revisions, newest first."""
        return reversed(self._all())

    @property
    def newest(self) -> Revision | None:
        """The last revision. Lists show it for many definitions without decoding the others."""
        if self._added:
            return self._added[-1]
        return self._history.newest(self._lineage) if self._history is not None else None

    @property
    def newest_change(self) -> Revision | None:
        """The last revision that changed more than the id."""
        newest = self.newest
        if newest is None or not newest.only_assigns_id:
            return newest
        return next((one for one in reversed(self) if not one.only_assigns_id), newest)

    @property
    def path(self) -> str | None:
        """Path of the definition in the last commit, relative to the registry; None if it has no such file.

        It can differ from the path of the newest revision: a branch can edit a file that the main line has
        renamed.
        """
        return self._history.paths[self._lineage] if self._history is not None else None

    @property
    def id(self) -> int | None:
        """The id of the definition in the history; None if no committed file of it had one."""
        return self._history.ids[self._lineage] if self._history is not None else None

    def had_name(self, name: str) -> bool:
        """True when a committed revision has this name. Decodes few revisions if none has."""
        if any(one.name == name and one.commit is not None for one in self._added):
            return True
        history, lineage = self._history, self._lineage
        if history is None or orjson.dumps(name) not in history.packed(lineage):
            return False
        return any(one.name == name for one in history.revisions(lineage))

    def committed(self) -> "Revisions":
        """The committed revisions only."""
        return Revisions(
            self._history, self._lineage, tuple(one for one in self._added if one.commit is not None)
        )

    def with_one_more(self, revision: Revision) -> "Revisions":
        """Return these revisions with a newer one added."""
        return Revisions(self._history, self._lineage, (*self._added, revision))

    @property
    def key(self) -> tuple[str, tuple[Revision, ...]]:
        """Identity of the revisions: a digest of the stored ones, and the later ones."""
        return self._history.digests[self._lineage] if self._history is not None else "", self._added


NO_REVISIONS = Revisions()


class History:
    """All revisions up to one commit, by definition: the result of `HistoryBuilder.parts`, decoded on demand.

    A definition is identified by the number of its lineage. `kinds`, `ids`, `paths` (None after deletion),
    `last_blobs`, `counts` and `digests` of revisions are lists by that number: columns are ten times faster
    to read than rows. Author, date and message are stored once per commit, and revisions refer to them by
    number.
    """

    def __init__(self, stored: bytes) -> None:
        """`stored` has a line of JSON, the revisions of each lineage, then the commits, each as JSON."""
        start = stored.index(b"\n") + 1
        columns: list[list[Any]] = orjson.loads(stored[:start])
        self.kinds, self.ids, self.paths, self.last_blobs, self.counts, self.digests, sizes = columns[:7]
        known_paths, lineages, self.earlier_paths, self.earlier_lineages, commit_sizes = columns[7:]
        self.stored = stored
        self._starts = list(accumulate(sizes, initial=start))
        self._commit_starts = array("Q", accumulate(commit_sizes, initial=self._starts[-1]))
        self.by_id: Mapping[tuple[str, int | None], int] = dict(
            zip(zip(self.kinds, self.ids, strict=True), count())
        )
        # A path keeps its lineage after a rename or delete.
        self.by_path: Mapping[str, int] = dict(zip(known_paths, lineages, strict=True))
        self._author_name: Callable[[str, str], str] | None = None
        self._held: dict[int, tuple[Revision, ...]] = {}
        self._commits: dict[int, tuple[str, str, str]] = {}

    def of(self, kind: str, number: int | None, path: str) -> Revisions:
        """Return the revisions of one definition, oldest first; empty if it was never committed."""
        found = self.by_id.get((kind, number)) if number is not None else None
        if found is None:
            found = self.by_path.get(path)
            # A lineage that moved away no longer belongs to the path. After a delete, the same file without
            # an id continues it.
            if found is None or (
                self.paths[found] != path and (self.ids[found] is not None or self.paths[found] is not None)
            ):
                return NO_REVISIONS
        return Revisions(self, found)

    def packed(self, lineage: int) -> bytes:
        """Return the revisions of one lineage as JSON."""
        return self.stored[self._starts[lineage] : self._starts[lineage + 1]]

    def revisions(self, lineage: int) -> tuple[Revision, ...]:
        """Return the revisions of one lineage, oldest first."""
        found = self._held.get(lineage)
        if found is None:
            found = tuple(
                [
                    self._revision(number, row)
                    for number, row in enumerate(orjson.loads(self.packed(lineage)), 1)
                ]
            )
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[lineage] = found
        return found

    def newest(self, lineage: int) -> Revision | None:
        """Return the last revision of one lineage."""
        held = self._held.get(lineage)
        if held is not None:
            return held[-1] if held else None
        rows = orjson.loads(self.packed(lineage))
        return self._revision(len(rows), rows[-1]) if rows else None

    def _revision(self, number: int, row: Sequence[Any]) -> Revision:
        place, commit, name, blob, old_blob, others = row
        author, date, message = self._commits.get(place) or self._commit(place)
        return Revision(number, commit, author, date, message, name, blob, old_blob, tuple(others))

    def _commit(self, place: int) -> tuple[str, str, str]:
        """Return author, date and message of a commit."""
        author, email, date, message = orjson.loads(
            self.stored[self._commit_starts[place] : self._commit_starts[place + 1]]
        )
        if self._author_name is not None:
            author = self._author_name(author, email)
        if len(self._commits) >= _MOST_COMMITS_HELD:
            self._commits.clear()
        found = self._commits[place] = (author, date, message)
        return found

    def show_authors(self, author_name: Callable[[str, str], str]) -> None:
        """Use `author_name` to convert the name and address of each author to a display name."""
        self._author_name = author_name
        self._held.clear()
        self._commits.clear()

    @property
    def commits(self) -> bytes:
        """The stored form of the commits, concatenated."""
        return self.stored[self._commit_starts[0] :]

    @property
    def commit_sizes(self) -> list[int]:
        """The length of each commit in `commits`."""
        starts = self._commit_starts
        return [end - start for start, end in pairwise(starts)]
