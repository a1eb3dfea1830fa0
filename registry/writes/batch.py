"""A state of the registry with the changes of requests that are not committed yet."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from registry.load.lookups import QualifiedName, name_key, references_of
from registry.model.addresses import folded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.ids.plan import Event
    from registry.load.kinds import Kinds
    from registry.load.settings import Settings
    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot import BrokenFile, Tombstone
    from registry.writes.requests import WriteRequest
    from registry.writes.state import RegistryState

# Comparing a name with 100,000 others for a "did you mean" would block the only thread that commits.
_MOST_COMPARED = 1_000


class WriteStep(NamedTuple):
    """A planned change of one definition; `before` and `after` are None if there is no file.

    `files` are contents by path, None for a file to remove; without those of the ledger. `event` is the line
    for the ledger, if the change needs one. `number` is that of the new revision. `notes` are lines for the
    body of the commit message.
    """

    request: WriteRequest
    id: int
    before: Definition | None
    after: Definition | None
    files: Mapping[str, bytes | None]
    event: Event | None
    subject: str
    number: int
    notes: Sequence[str] = ()

    @property
    def kind(self) -> str:
        """The kind of the definition."""
        return self.request.kind


class Batch:
    """The steps planned so far on top of a state. Requests of one batch see the steps before them."""

    def __init__(self, state: RegistryState) -> None:
        """Start without steps."""
        self.state = state
        self.steps: list[WriteStep] = []
        self._by_id: dict[tuple[str, int], Definition | None] = {}
        self._by_name: dict[QualifiedName, Definition | None] = {}
        self._by_folded: dict[QualifiedName, str | None] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._next_ids: dict[str, int] = {}

    @property
    def kinds(self) -> Kinds:
        """The kinds of the registry."""
        return self.state.snapshot.kinds

    @property
    def settings(self) -> Settings:
        """The settings of the registry."""
        return self.state.snapshot.settings

    def add(self, step: WriteStep) -> None:
        """Add a step."""
        self.steps.append(step)
        kind = step.kind
        self._by_id[kind, step.id] = step.after
        self._numbers[kind, step.id] = step.number
        if step.before is not None:
            # The old name first: a definition that keeps its name overwrites the entry again below.
            self._by_name[kind, step.before.name] = None
            self._by_folded[kind, folded(step.before.name)] = None
        if step.after is not None:
            self._by_name[kind, step.after.name] = step.after
            self._by_folded[kind, folded(step.after.name)] = step.after.name
        self._next_ids[kind] = max(self.next_id(kind), step.id + 1)

    def definition(self, kind: str, number: int) -> Definition | None:
        """Return the definition with an id, or None."""
        key = (kind, number)
        # None in the table means deleted in this batch, so `get` with a default would be wrong.
        return self._by_id[key] if key in self._by_id else self.state.definition(kind, number)

    def at(self, place: QualifiedName) -> Definition | None:
        """Return the definition with a kind and name, or None."""
        return self._by_name[place] if place in self._by_name else self.state.snapshot.by_name.get(place)

    def tombstone(self, kind: str, number: int) -> Tombstone | None:
        """Return what remains of a definition that was deleted before this batch."""
        return self.state.snapshot.tombstone(kind, number)

    def is_deleted(self, kind: str, number: int) -> bool:
        """True for an id that was assigned and whose definition has no file."""
        key = (kind, number)
        if key in self._by_id:
            return self._by_id[key] is None
        return self.tombstone(kind, number) is not None

    def deleted_here(self, kind: str, number: int) -> Definition | None:
        """Return the definition that the last step of this batch on an id has deleted, or None."""
        last = next((one for one in reversed(self.steps) if (one.kind, one.id) == (kind, number)), None)
        return last.before if last is not None and last.after is None else None

    def owner_of(self, kind: str, name: str) -> str | None:
        """Return the name that a new file would collide with, by case or Unicode form, or None."""
        key = (kind, folded(name))
        return self._by_folded[key] if key in self._by_folded else self.state.owner_of(kind, name)

    def next_id(self, kind: str) -> int:
        """Return the next free id of a kind."""
        return self._next_ids.get(kind) or self.state.next_id(kind)

    def revision_count(self, kind: str, number: int) -> int:
        """Return the number of revisions of a definition, current or deleted."""
        known = self._numbers.get((kind, number))
        return known if known is not None else len(self._revisions(kind, number))

    def revision(self, kind: str, number: int, revision: int) -> Revision | None:
        """Return a committed revision by its number, or None."""
        revisions = self._revisions(kind, number)
        return revisions[revision - 1] if 0 < revision <= len(revisions) else None

    def _revisions(self, kind: str, number: int) -> Sequence[Revision]:
        current = self.state.definition(kind, number)
        if current is not None:
            broken = self.broken(current)
            return broken.revisions if broken is not None else self.state.snapshot.revisions_of(current)
        tombstone = self.tombstone(kind, number)
        return tombstone.revisions if tombstone is not None else ()

    def broken(self, definition: Definition) -> BrokenFile | None:
        """Return the file of a definition if it has errors, so that an earlier content is served."""
        # A definition that a step of this batch replaced has a new, valid file, so identity is compared, not
        # the name.
        key = (definition.kind, folded(definition.name))
        committed = self.state.snapshot.by_name.get((definition.kind, definition.name))
        return self.state.snapshot.broken_by_name.get(key) if committed is definition else None

    def referring(self, place: QualifiedName) -> list[Definition]:
        """Return the definitions that refer to a kind and name."""
        known = self.state.snapshot.referring.get(place, ())
        candidates = {(one.kind, one.name): one for one, _ in known}
        # A step may have added or removed a reference, so the index of the committed state gives candidates
        # only.
        changed = {key: one for key, one in self._by_name.items() if one is not None}
        current = [one for key in {**candidates, **changed} if (one := self.at(key)) is not None]
        return [one for one in current if place in references_of(one, self.kinds)]

    def around(self, definition: Definition) -> list[Definition]:
        """Return the definitions that one refers to, and that refer to it."""
        own = (definition.kind, definition.name)
        targets = [
            one for place in references_of(definition, self.kinds) if (one := self.at(place)) is not None
        ]
        found = {(one.kind, one.name): one for one in (*targets, *self.referring(own))}
        found.pop(own, None)
        return list(found.values())

    # The names, as rules see them (`registry.check.rule.Names`).

    def has(self, kind: str, name: str) -> bool:
        """Return True when a definition of this name exists, even if its file has errors."""
        return self.at((kind, name)) is not None or (kind, folded(name)) in self.state.snapshot.broken_by_name

    def similar(self, kind: str, name: str) -> Sequence[str]:
        """Return the names of a kind; of very many those next to `name` in their order."""
        known = self.state.snapshot.by_kind.get(kind, ())
        if len(known) > _MOST_COMPARED:
            place = bisect_left(known, name_key(name), key=lambda one: name_key(one.name))
            known = known[max(0, place - _MOST_COMPARED // 2) : place + _MOST_COMPARED // 2]
        names = {one.name for one in known}
        for (changed_kind, changed_name), one in self._by_name.items():
            if changed_kind == kind and one is not None:
                names.add(changed_name)
            elif changed_kind == kind:
                names.discard(changed_name)
        return sorted(names)

    def sample_problem(self, path: str) -> str:
        """Return what is wrong with a file that an example names; "" if it exists."""
        return "" if path in self.state.samples else "there is no file"
