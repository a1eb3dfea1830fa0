"""Definitions that were deleted, and their indexes; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from registry.model.addresses import folded, has_address
from registry.model.persistent import persistent_sequence, persistent_table, sorted_with, updated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from registry.history.archive import Revisions
    from registry.load.lookups import QualifiedName
    from registry.model.revision import Revision


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A definition that was deleted; its id answers for ever. `revisions` oldest first, the last one the
    deletion.

    `line` is the number of the last line of the ledger about the id. `lost_blob` is its content where no
    commit of the history has any: the branch was reset, and the ledger recovered.
    """

    kind: str
    id: int
    name: str
    revisions: Revisions
    line: int
    lost_blob: str | None = None

    @property
    def last_content(self) -> Revision | None:
        """The last revision that has one."""
        return next((one for one in reversed(self.revisions) if one.blob is not None), None)


TombstoneChanges = dict[tuple[str, int], Tombstone | None]
"""Tombstones that were added or replaced, by kind and id; None for a definition that was restored."""

_id_of = attrgetter("id")
_line_of = attrgetter("line")


@dataclass(frozen=True, slots=True)
class Tombstones:
    """All tombstones of one source.

    `by_kind` is sorted by id. `by_folded_name` has those whose names can be in an address, by kind and by the
    name as case-insensitive hosts compare it, in order of deletion.
    """

    by_kind: Mapping[str, Sequence[Tombstone]]
    by_folded_name: Mapping[QualifiedName, tuple[Tombstone, ...]]

    def __iter__(self) -> Iterator[Tombstone]:
        """Iterate over all, in order of kind and id."""
        for kind in sorted(self.by_kind):
            yield from self.by_kind[kind]

    def __len__(self) -> int:
        """Number of tombstones."""
        return sum(map(len, self.by_kind.values()))

    def of_kind(self, kind: str) -> Sequence[Tombstone]:
        """Return those of a kind, in order of id."""
        return self.by_kind.get(kind, ())

    def last_named(self, kind: str, folded_name: str) -> Tombstone | None:
        """Return the one that was deleted last of those with a folded name, or None."""
        found = self.by_folded_name.get((kind, folded_name))
        return found[-1] if found else None

    def persistent(self) -> Tombstones:
        """Return the same tombstones as persistent tables: `with_changes` copies nothing."""
        by_kind = {kind: persistent_sequence(found) for kind, found in self.by_kind.items()}
        return Tombstones(by_kind, persistent_table(self.by_folded_name))

    def with_changes(self, changes: TombstoneChanges, before: Iterable[Tombstone]) -> Tombstones:
        """Return the tombstones after some changed; `before` are those that were there with the same ids."""
        by_kind = dict(self.by_kind)
        for kind in dict.fromkeys(kind for kind, _ in changes):
            of_kind = [(number, one) for (other, number), one in changes.items() if other == kind]
            by_kind[kind] = sorted_with(by_kind.get(kind, ()), of_kind, _id_of)
        rows: dict[QualifiedName, dict[int, Tombstone]] = {}

        def row(one: Tombstone) -> dict[int, Tombstone]:
            place = (one.kind, folded(one.name))
            known = self.by_folded_name.get(place, ())
            return rows.setdefault(place, {other.id: other for other in known})

        for old in before:
            row(old).pop(old.id, None)
        for new in changes.values():
            if new is not None and has_address(new.name):
                row(new)[new.id] = new
        in_order = {place: tuple(sorted(found.values(), key=_line_of)) for place, found in rows.items()}
        by_name = updated(self.by_folded_name, {place: found or None for place, found in in_order.items()})
        return Tombstones(by_kind, by_name)


def tombstones_of(all_of_them: Iterable[Tombstone]) -> Tombstones:
    """Return tombstones with their indexes."""
    by_kind: dict[str, list[Tombstone]] = defaultdict(list)
    by_name: dict[QualifiedName, list[Tombstone]] = defaultdict(list)
    for one in sorted(all_of_them, key=_line_of):
        by_kind[one.kind].append(one)
        # A ledger can hold any name.
        if has_address(one.name):
            by_name[one.kind, folded(one.name)].append(one)
    return Tombstones(
        {kind: tuple(sorted(found, key=_id_of)) for kind, found in by_kind.items()},
        {place: tuple(found) for place, found in by_name.items()},
    )
