"""The revisions of each definition, as `registry.history.builder` found them; pure.

Their order is that of the commit graph (parents before children, as `registry.git.order` has it), never that of dates: a
revision keeps its number.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, count, pairwise
from typing import Any, overload

import orjson

from registry.model.revision import Revision

# Of so many definitions the revisions are held: a page, a history and an answer ask for the same, one after the other.
_MOST_HELD = 64
# Of so many commits the author, date and message are held: one commit can be a revision of every definition.
_MOST_COMMITS_HELD = 1_000


class Revisions(Sequence[Revision]):
    """The revisions of one definition, oldest first. Those that are committed are taken apart when somebody asks, and not held for long.

    A build after one edit asks for those of one definition, and all that ever were would take half of a server's memory.
    """

    __slots__ = ("_added", "_history", "_lineage")

    def __init__(
        self, history: "History | None" = None, lineage: int = 0, added: tuple[Revision, ...] = ()
    ) -> None:
        """Those of a lineage of `history`, and those that came after them."""
        self._history, self._lineage, self._added = history, lineage, added

    def _all(self) -> tuple[Revision, ...]:
        stored = self._history.revisions(self._lineage) if self._history is not None else ()
        return (*stored, *self._added) if self._added else stored

    def __len__(self) -> int:
        """How many there are."""
        return (self._history.counts[self._lineage] if self._history is not None else 0) + len(self._added)

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
        return self._history.newest(self._lineage) if self._history is not None else None

    @property
    def path(self) -> str | None:
        """Where the last commit has the definition, relative to the registry; None where it has no such file.

        Not always the place that the newest revision names: a branch can edit a file that the main line has renamed.
        """
        return self._history.paths[self._lineage] if self._history is not None else None

    def had_name(self, name: str) -> bool:
        """True when one of the revisions that are committed has this name. Fast where none has: few are decoded."""
        history, lineage = self._history, self._lineage
        if history is None or orjson.dumps(name) not in history.packed(lineage):
            return False
        return any(one.name == name for one in history.revisions(lineage))

    def committed(self) -> "Revisions":
        """These without what is not committed."""
        return Revisions(
            self._history, self._lineage, tuple(one for one in self._added if one.commit is not None)
        )

    def with_one_more(self, revision: Revision) -> "Revisions":
        """These and a newer one."""
        return Revisions(self._history, self._lineage, (*self._added, revision))

    @property
    def key(self) -> tuple[str, tuple[Revision, ...]]:
        """The same only for the same revisions: a digest of those that are stored, and those that came after."""
        return self._history.digests[self._lineage] if self._history is not None else "", self._added


NO_REVISIONS = Revisions()


class History:
    """Every revision up to one commit, by definition: what `HistoryBuilder.parts` gave, decoded when it is needed.

    A definition is known by the number of its lineage; `kinds`, `ids`, `paths` (None once it was deleted), `last_blobs`, `counts`
    and `digests` of revisions are lists by that number: as columns they are read ten times as fast as one by one. Author, date
    and message are stored once for each commit, and named by their number in each revision.
    """

    def __init__(self, stored: bytes) -> None:
        """`stored`: a line of JSON, the revisions of one lineage after the other, then the commits, as JSON each."""
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
        """The revisions of one definition, oldest first; empty when it was never committed."""
        found = self.by_id.get((kind, number)) if number is not None else None
        if found is None:
            found = self.by_path.get(path)
            # A path that it left is not its path any more. Where it was deleted, the same file without an id continues it.
            if found is None or (
                self.paths[found] != path and (self.ids[found] is not None or self.paths[found] is not None)
            ):
                return NO_REVISIONS
        return Revisions(self, found)

    def packed(self, lineage: int) -> bytes:
        """The revisions of one lineage as JSON."""
        return self.stored[self._starts[lineage] : self._starts[lineage + 1]]

    def revisions(self, lineage: int) -> tuple[Revision, ...]:
        """The revisions of one lineage, oldest first."""
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
        """The last revision of one lineage."""
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
        """Author, date and message of a commit."""
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
        """Show authors by the name that `author_name` gives for their name and address."""
        self._author_name = author_name
        self._held.clear()
        self._commits.clear()

    @property
    def commits(self) -> bytes:
        """The commits as they are stored, one after the other."""
        return self.stored[self._commit_starts[0] :]

    @property
    def commit_sizes(self) -> list[int]:
        """The length of each commit in `commits`."""
        starts = self._commit_starts
        return [end - start for start, end in pairwise(starts)]
