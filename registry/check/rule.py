"""The `Rule` type that all rules share, and the `Registry` that rules read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from registry.model.definition import Definition, definition_path, kind_and_name
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from registry.load.kinds import Kinds
    from registry.load.loader import Loaded


@dataclass(frozen=True)
class MergeTarget:
    """The target branch of a change, reduced to what the change can do to its ids.

    `touched` are the paths that the change adds, edits or removes. `ids` maps those of them that exist on the
    target branch to the id in the file. `last_names` maps (kind, id) to the last name in the target's ledger.
    """

    touched: frozenset[str]
    ids: Mapping[str, int | None]
    last_names: Mapping[tuple[str, int], str]
    registry_id_is_touched: bool = False


@dataclass(frozen=True)
class Registry:
    """The loaded definitions, as rules see them.

    `target` is set when a change is checked against its target branch.
    `compat` names older clients that must be able to read the definitions.
    """

    loaded: Loaded
    kinds: Kinds
    target: MergeTarget | None = None
    compat: frozenset[str] = frozenset()

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], Definition]:
        """Definitions by kind and name."""
        return {(definition.kind, definition.name): definition for definition in self.loaded.definitions}

    @cached_property
    def by_path(self) -> Mapping[str, Definition]:
        """Definitions by path."""
        return {definition.path: definition for definition in self.loaded.definitions}

    @cached_property
    def names(self) -> Mapping[str, list[str]]:
        """Names by kind. Includes files that were not or could not be read: a reference to one is valid."""
        names: dict[str, list[str]] = {kind.name: [] for kind in self.kinds}
        for kind, name in self.by_name:
            names[kind].append(name)
        for path in (*self.loaded.unreadable, *self.loaded.elsewhere):
            found = kind_and_name(path)
            if found:
                names[found[0]].append(found[1])
        return names

    def similar(self, kind: str, _name: str) -> Sequence[str]:
        """Return the names of a kind, to suggest one of them instead of a name that does not exist."""
        return self.names.get(kind, [])

    def has(self, kind: str, name: str) -> bool:
        """Return True when a definition of this name exists, even if its file could not be read."""
        if (kind, name) in self.by_name:
            return True
        path = definition_path(kind, name)
        return path in self.loaded.unreadable or path in self.loaded.elsewhere


class Names(Protocol):
    """The names of all definitions."""

    def has(self, kind: str, name: str) -> bool:
        """Return True when a definition of this name exists, even if its file could not be read."""

    def similar(self, kind: str, name: str) -> Sequence[str]:
        """Return names of a kind to suggest one of instead of `name`: all, or some if there are very many."""

    def sample_problem(self, path: str) -> str:
        """Return what is wrong with a file that an example names; "" if it exists."""


@dataclass(frozen=True)
class Neighborhood(Registry):
    """A definition with those that it refers to and that refer to it; `known` knows which others exist."""

    known: Names | None = None

    def similar(self, kind: str, name: str) -> Sequence[str]:
        """As in `Names`."""
        assert self.known is not None
        return self.known.similar(kind, name)

    def has(self, kind: str, name: str) -> bool:
        """Return True when a definition of this name exists."""
        return super().has(kind, name) or (self.known is not None and self.known.has(kind, name))


Find = Callable[["Rule", Definition, Registry], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One check. `bad` and `good` are example files that it reports and accepts; they are its test.

    `kind` is a set of rules that a schema names in `x-registry`, the name of a kind, or `*` for all kinds.

    `find` checks one definition, `find_all` all definitions at once; a rule has one of the two. Findings of
    `find` are cached between runs, so it may depend on the definition and the schemas only. `find_all` runs
    every time, so it should use summaries and load only the documents it needs.
    In an example, `beside` are further files and `settings` is the content of registry.yaml. `before` are
    files of the target branch by path: the example's change removes the definitions among them that are not
    in `beside`. An opt-in rule is off until `rules` or `folders` in registry.yaml give it a severity.
    """

    id: str
    severity: Severity
    title: str
    why: str
    bad: str
    good: str
    find: Find | None = None
    find_all: Callable[[Rule, Registry], Iterator[Problem]] | None = None
    kind: str = "process"
    beside: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    is_opt_in: bool = False

    def shown(self, example: str) -> str:
        """Return an example for display, with very long lines shortened."""
        lines = example.splitlines(keepends=True)
        return "".join(
            [line if len(line) <= 500 else f"{line[:60]} … ({len(line):,} characters)\n" for line in lines]
        )

    def problem(
        self,
        definition: Definition,
        pointer: tuple[str | int, ...],
        message: str,
        hint: str = "",
        *,
        key: bool = False,
    ) -> Problem:
        """Return a problem of this rule at the value (with `key`, at the key) that `pointer` points to."""
        return definition.problem(self.id, self.severity, pointer, message, hint, key=key)
