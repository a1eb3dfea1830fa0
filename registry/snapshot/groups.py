"""Definitions by what they have in common: folder, owner, tag, adapter type, lifecycle; pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from registry.load.lookups import name_key
from registry.model.addresses import Group
from registry.model.persistent import persistent_sequence, persistent_table, sorted_with, updated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from registry.load.kinds import Kinds
    from registry.load.lookups import DefinitionChanges, QualifiedName
    from registry.model.definition import Definition

GroupValue = tuple[Group, str]
"""A group and one of its values. The value of a folder is its path, "" for the top one."""


class Groups:
    """Definitions by group and value, sorted by name and kind."""

    def __init__(self, kinds: Kinds, by_value: Mapping[GroupValue, Sequence[Definition]]) -> None:
        """Take the definitions with each value."""
        self._ranks = {kind.name: number for number, kind in enumerate(kinds)}
        self._kinds = kinds
        self._by_value = by_value

    def of(self, group: Group, value: str) -> Sequence[Definition]:
        """Return the definitions with a value; those of a folder are directly in it."""
        return self._by_value.get((group, value), ())

    @cached_property
    def counts(self) -> Mapping[Group, Mapping[str, int]]:
        """How many definitions have each value, in order of the values.

        A folder counts those in its subfolders, and is there without any of its own.
        """
        found: dict[Group, dict[str, int]] = {group: {} for group in Group}
        for (group, value), definitions in self._by_value.items():
            for one in _with_parents(value) if group is Group.FOLDERS else (value,):
                found[group][one] = found[group].get(one, 0) + len(definitions)
        return {group: dict(sorted(values.items())) for group, values in found.items()}

    @cached_property
    def subfolders(self) -> Mapping[str, Sequence[str]]:
        """The paths of the folders directly in each folder that has any."""
        found: dict[str, list[str]] = {}
        for path in self.counts[Group.FOLDERS]:
            if path:
                found.setdefault(path.rpartition("/")[0], []).append(path)
        return found

    def persistent(self) -> Groups:
        """Return the same groups as persistent tables: `with_changes` copies nothing."""
        by_value = {value: persistent_sequence(found) for value, found in self._by_value.items()}
        return Groups(self._kinds, persistent_table(by_value))

    def with_changes(self, before: Mapping[QualifiedName, Definition], changes: DefinitionChanges) -> Groups:
        """Return the groups after some definitions changed; `before` are the definitions until then."""
        rows: dict[GroupValue, dict[tuple[bytes, int], Definition | None]] = {}
        for place, new in changes.items():
            old = before.get(place)
            if old is not None:
                for value in _values_of(old):
                    rows.setdefault(value, {})[self._key(old)] = None
            if new is not None:
                for value in _values_of(new):
                    rows.setdefault(value, {})[self._key(new)] = new
        found = {
            value: sorted_with(self._by_value.get(value, ()), row.items(), self._key) or None
            for value, row in rows.items()
        }
        return Groups(self._kinds, updated(self._by_value, found))

    def _key(self, one: Definition) -> tuple[bytes, int]:
        return name_key(one.name), self._ranks[one.kind]


def groups_of(kinds: Kinds, definitions: Iterable[Definition]) -> Groups:
    """Build the groups of `definitions`, which are sorted by kind and name."""
    found: dict[GroupValue, list[Definition]] = {}
    for one in sorted(definitions, key=lambda one: name_key(one.name)):
        for value in _values_of(one):
            found.setdefault(value, []).append(one)
    return Groups(kinds, {value: tuple(some) for value, some in found.items()})


def _values_of(one: Definition) -> Iterator[GroupValue]:
    """Yield each value of a definition once."""
    summary = one.summary
    yield Group.FOLDERS, one.name.rpartition("/")[0]
    yield Group.LIFECYCLES, summary.lifecycle
    for group, values in (
        (Group.OWNERS, summary.owners),
        (Group.TAGS, summary.tags),
        (Group.ADAPTERS, summary.adapters),
    ):
        for value in dict.fromkeys(values):
            yield group, value


def _with_parents(path: str) -> Iterator[str]:
    """Yield the path of a folder and of all folders that it is in."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path
