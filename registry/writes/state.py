"""The state of the main branch that writes are planned for; immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.model.addresses import folded

if TYPE_CHECKING:
    from registry.ids import Mark
    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

ReadBlob = Callable[[str], bytes]
"""Returns the content of a blob. Raises GitError for a blob that git does not have."""


@dataclass(frozen=True, slots=True)
class RegistryState:
    """One commit of the main branch.

    `open_segment` is the content of the ledger file that is appended to. `floors` are the lowest ids that may
    be assigned, by kind: ids up to there may have been published. `samples` are the paths of all sample
    files. `author_name` returns the name to show for the name and the address of an author.
    """

    snapshot: Snapshot
    open_segment: bytes
    floors: Mapping[str, int]
    read_blob: ReadBlob
    samples: frozenset[str] = frozenset()
    author_name: Callable[[str, str], str] | None = None

    @property
    def commit(self) -> str:
        """The commit of the main branch."""
        assert self.snapshot.commit is not None
        return self.snapshot.commit

    def next_id(self, kind: str) -> int:
        """Return the next free id of a kind."""
        published = self.snapshot.published.get(kind, ())
        # Files can have ids that the ledger lacks: `registry index` may not have run yet.
        in_files = (published[-1].id or 0) + 1 if published else 1
        return max(self.snapshot.ledger.next_id(kind), self.floors.get(kind, 1), in_files)

    def definition(self, kind: str, number: int) -> Definition | None:
        """Return the definition with an id, or None."""
        return self.snapshot.definition(kind, number)

    def owner_of(self, kind: str, name: str) -> str | None:
        """Return the name that a new file would collide with, by case or Unicode form, or None."""
        key = (kind, folded(name))
        broken = self.snapshot.broken_by_name.get(key)
        if broken is not None:
            # A file with errors is not in the table of names, but its path is taken all the same.
            return broken.path.removeprefix(f"definitions/{kind}/").removesuffix(".yaml")
        return self.snapshot.folded_names.get(key)


def floors_of(marks: tuple[Mark, ...]) -> dict[str, int]:
    """Return the lowest ids that may be assigned after these marks, by kind."""
    found: dict[str, int] = {}
    for mark in marks:
        for kind, number in mark.next_ids.items():
            found[kind] = max(found.get(kind, 1), number)
    return found
