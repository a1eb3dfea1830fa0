"""Indexes of definitions by kind, name, id and reference; pure.

They are built once. An update takes time proportional to the number of changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.model.definition import Definition

if TYPE_CHECKING:
    from registry.load.kinds import Kinds

QualifiedName = tuple[str, str]
"""Kind and name of a definition."""
DefinitionChanges = Mapping[QualifiedName, Definition | None]
"""Definitions that were added or edited, by kind and name; None for those that were removed."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """Indexes of the definitions of one source.

    `by_kind` is sorted by name. `published` holds the definitions with an id, sorted by id. `referring` maps
    a kind and name to the definitions that refer to it.
    """

    by_kind: Mapping[str, tuple[Definition, ...]]
    by_name: Mapping[QualifiedName, Definition]
    published: Mapping[str, tuple[Definition, ...]]
    referring: Mapping[QualifiedName, tuple[Definition, ...]]

    def with_changes(self, kinds: Kinds, changes: DefinitionChanges) -> Lookups:
        """Return the indexes after some definitions changed. Unaffected tables and rows are shared."""
        by_kind, published = dict(self.by_kind), dict(self.published)
        for kind in dict.fromkeys(kind for kind, _ in changes):
            of_kind = {place: one for place, one in changes.items() if place[0] == kind}
            by_kind[kind] = with_changes(self.by_kind[kind], of_kind, kinds)
            published[kind] = self._published_after(kind, of_kind)
        by_name = {**self.by_name, **{place: one for place, one in changes.items() if one is not None}}
        for place in [place for place, one in changes.items() if one is None]:
            by_name.pop(place, None)
        referring = dict(self.referring)
        for target in self.targets_of(kinds, changes):
            kept = [one for one in self.referring.get(target, ()) if (one.kind, one.name) not in changes]
            added = [one for one in changes.values() if one is not None]
            found = _referring_to(target, [*kept, *added], kinds)
            if found:
                referring[target] = found
            else:
                referring.pop(target, None)
        return Lookups(by_kind, by_name, published, referring)

    def _published_after(self, kind: str, changes: DefinitionChanges) -> tuple[Definition, ...]:
        """Return the definitions of a kind that have an id, after some of them changed."""
        found = list(self.published[kind])
        before = [old for place in changes if (old := self.by_name.get(place)) is not None]
        for old in _with_ids(before):
            del found[bisect_left(found, old.id or 0, key=_id_of)]
        for new in _with_ids([one for one in changes.values() if one is not None]):
            found.insert(bisect_left(found, new.id or 0, key=_id_of), new)
        return tuple(found)

    def targets_of(self, kinds: Kinds, changes: DefinitionChanges) -> set[QualifiedName]:
        """Return the kinds and names that the changed definitions refer to, before or after the change."""
        concerned = [one for one in (*map(self.by_name.get, changes), *changes.values()) if one is not None]
        return {target for one in concerned for target in references_of(one, kinds)}


def lookups_of(kinds: Kinds, definitions: Iterable[Definition]) -> Lookups:
    """Build the indexes of `definitions`, which are sorted by kind and name."""
    by_kind: dict[str, list[Definition]] = {kind.name: [] for kind in kinds}
    for definition in definitions:
        by_kind[definition.kind].append(definition)
    referring: dict[QualifiedName, list[Definition]] = {}
    for kind in kinds:
        for number, reference in enumerate(kind.references):
            for definition in by_kind[kind.name]:
                name = definition.summary.references[number]
                if name is not None:
                    referring.setdefault((reference.kind, name), []).append(definition)
    return Lookups(
        {kind: tuple(found) for kind, found in by_kind.items()},
        {(one.kind, one.name): one for found in by_kind.values() for one in found},
        {kind: _with_ids(found) for kind, found in by_kind.items()},
        {target: tuple(found) for target, found in referring.items()},
    )


def references_of(definition: Definition, kinds: Kinds) -> list[QualifiedName]:
    """Return kind and name of each definition that this one refers to, in order of the reference fields."""
    fields = kinds.by_name[definition.kind].references
    return [
        (field.kind, name)
        for field, name in zip(fields, definition.summary.references, strict=True)
        if name is not None
    ]


def with_changes(
    definitions: Sequence[Definition], changes: DefinitionChanges, kinds: Kinds
) -> tuple[Definition, ...]:
    """Return definitions sorted by kind and name, with some added, replaced or removed."""
    ranks = {kind.name: number for number, kind in enumerate(kinds)}
    found = list(definitions)
    for (kind, name), new in changes.items():
        key = (ranks[kind], name_key(name))
        place = bisect_left(found, key, key=lambda one: (ranks[one.kind], name_key(one.name)))
        is_there = place < len(found) and (found[place].kind, found[place].name) == (kind, name)
        found[place : place + is_there] = [new] if new is not None else []
    return tuple(found)


def name_key(name: str) -> bytes:
    """Return the sort key of names: their bytes, as git sorts paths."""
    return name.encode("utf-8", "surrogateescape")


def _with_ids(definitions: Iterable[Definition]) -> tuple[Definition, ...]:
    """Return the definitions that have an id, sorted by id."""
    return tuple(sorted((one for one in definitions if one.id is not None), key=_id_of))


def _id_of(definition: Definition) -> int:
    return definition.id or 0


def _referring_to(
    target: QualifiedName, candidates: Sequence[Definition], kinds: Kinds
) -> tuple[Definition, ...]:
    """Return the definitions that refer to `target`, sorted by kind, reference field and name.

    A definition that refers to it in two fields is listed twice.
    """
    distinct = {(one.kind, one.name): one for one in candidates}.values()
    ordered = sorted(distinct, key=lambda one: name_key(one.name))
    return tuple(
        one
        for kind in kinds
        for number, field in enumerate(kind.references)
        for one in ordered
        if one.kind == kind.name and (field.kind, one.summary.references[number]) == target
    )
