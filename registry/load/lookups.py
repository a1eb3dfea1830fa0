"""Indexes of definitions by kind, name, id and reference; pure.

They are built once. An update of persistent ones takes time proportional to the number of changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from registry.model.definition import Definition
from registry.model.persistent import persistent_sequence, persistent_table, sorted_with, updated

if TYPE_CHECKING:
    from registry.load.kinds import Kinds

QualifiedName = tuple[str, str]
"""Kind and name of a definition."""
DefinitionChanges = Mapping[QualifiedName, Definition | None]
"""Definitions that were added or edited, by kind and name; None for those that were removed."""


class Referrer(NamedTuple):
    """A definition that refers to another one, and the number of its reference field that does."""

    definition: Definition
    field: int


@dataclass(frozen=True, slots=True)
class Lookups:
    """Indexes of the definitions of one source.

    `by_kind` is sorted by name. `published` holds the definitions with an id, sorted by id. `referring` maps
    a kind and name to what refers to it, sorted by kind, reference field and name: a definition that does
    so in two fields is listed twice.
    """

    by_kind: Mapping[str, Sequence[Definition]]
    by_name: Mapping[QualifiedName, Definition]
    published: Mapping[str, Sequence[Definition]]
    referring: Mapping[QualifiedName, Sequence[Referrer]]

    def persistent(self) -> Lookups:
        """Return the same indexes as persistent tables: `with_changes` copies nothing."""
        return Lookups(
            {kind: persistent_sequence(found) for kind, found in self.by_kind.items()},
            persistent_table(self.by_name),
            {kind: persistent_sequence(found) for kind, found in self.published.items()},
            persistent_table(self.referring),
        )

    def with_changes(self, kinds: Kinds, changes: DefinitionChanges) -> Lookups:
        """Return the indexes after some definitions changed. Unaffected tables and rows are shared."""
        by_kind, published = dict(self.by_kind), dict(self.published)
        for kind in dict.fromkeys(kind for kind, _ in changes):
            of_kind = {place: one for place, one in changes.items() if place[0] == kind}
            by_kind[kind] = sorted_with(
                by_kind[kind], [(name_key(name), one) for (_, name), one in of_kind.items()], _name_key_of
            )
            published[kind] = sorted_with(published[kind], self._by_id(of_kind).items(), _id_of)
        by_name = updated(self.by_name, changes)
        referring = updated(self.referring, self._referring_after(kinds, changes))
        return Lookups(by_kind, by_name, published, referring)

    def _by_id(self, changes: DefinitionChanges) -> Mapping[int, Definition | None]:
        """Return the changes by id; None for an id that no definition has after them."""
        before = [old for place in changes if (old := self.by_name.get(place)) is not None]
        found: dict[int, Definition | None] = {one.id: None for one in before if one.id is not None}
        return found | {one.id: one for one in changes.values() if one is not None and one.id is not None}

    def _referring_after(
        self, kinds: Kinds, changes: DefinitionChanges
    ) -> Mapping[QualifiedName, Sequence[Referrer] | None]:
        """Return the rows of `referring` that the changes concern; None for one that is empty after them."""
        ranks = {kind.name: number for number, kind in enumerate(kinds)}

        def key(one: Referrer) -> tuple[int, int, bytes]:
            return ranks[one.definition.kind], one.field, name_key(one.definition.name)

        rows: dict[QualifiedName, dict[tuple[int, int, bytes], Referrer | None]] = {}
        for place, new in changes.items():
            old = self.by_name.get(place)
            for target, one in _referrers(old, kinds) if old is not None else ():
                rows.setdefault(target, {})[key(one)] = None
            for target, one in _referrers(new, kinds) if new is not None else ():
                rows.setdefault(target, {})[key(one)] = one
        return {
            target: sorted_with(self.referring.get(target, ()), row.items(), key) or None
            for target, row in rows.items()
        }

    def targets_of(self, kinds: Kinds, changes: DefinitionChanges) -> set[QualifiedName]:
        """Return the kinds and names that the changed definitions refer to, before or after the change."""
        concerned = [one for one in (*map(self.by_name.get, changes), *changes.values()) if one is not None]
        return {target for one in concerned for target in references_of(one, kinds)}


def lookups_of(kinds: Kinds, definitions: Iterable[Definition]) -> Lookups:
    """Build the indexes of `definitions`, which are sorted by kind and name."""
    by_kind: dict[str, list[Definition]] = {kind.name: [] for kind in kinds}
    for definition in definitions:
        by_kind[definition.kind].append(definition)
    referring: dict[QualifiedName, list[Referrer]] = {}
    for kind in kinds:
        for number, reference in enumerate(kind.references):
            for definition in by_kind[kind.name]:
                name = definition.summary.references[number]
                if name is not None:
                    referring.setdefault((reference.kind, name), []).append(Referrer(definition, number))
    return Lookups(
        {kind: tuple(found) for kind, found in by_kind.items()},
        {(one.kind, one.name): one for found in by_kind.values() for one in found},
        {kind: _with_ids(found) for kind, found in by_kind.items()},
        {target: tuple(found) for target, found in referring.items()},
    )


def references_of(definition: Definition, kinds: Kinds) -> list[QualifiedName]:
    """Return kind and name of each definition that this one refers to, in order of the reference fields."""
    return [target for target, _ in _referrers(definition, kinds)]


def _referrers(definition: Definition, kinds: Kinds) -> Iterable[tuple[QualifiedName, Referrer]]:
    """Yield what a definition refers to, each with the field that does."""
    fields = kinds.by_name[definition.kind].references
    for number, (field, name) in enumerate(zip(fields, definition.summary.references, strict=True)):
        if name is not None:
            yield (field.kind, name), Referrer(definition, number)


def with_changes(
    definitions: Sequence[Definition], changes: DefinitionChanges, kinds: Kinds
) -> Sequence[Definition]:
    """Return definitions sorted by kind and name, with some added, replaced or removed."""
    ranks = {kind.name: number for number, kind in enumerate(kinds)}
    places = [((ranks[kind], name_key(name)), one) for (kind, name), one in changes.items()]
    return sorted_with(definitions, places, lambda one: (ranks[one.kind], name_key(one.name)))


def name_key(name: str) -> bytes:
    """Return the sort key of names: their bytes, as git sorts paths."""
    return name.encode("utf-8", "surrogateescape")


def _with_ids(definitions: Iterable[Definition]) -> tuple[Definition, ...]:
    """Return the definitions that have an id, sorted by id."""
    return tuple(sorted((one for one in definitions if one.id is not None), key=_id_of))


def _name_key_of(definition: Definition) -> bytes:
    return name_key(definition.name)


def _id_of(definition: Definition) -> int:
    return definition.id or 0
