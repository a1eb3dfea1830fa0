"""What a rule is: the shape that all rules share, and what they may look at."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from registry.load.kinds import Kinds
from registry.load.loader import Loaded
from registry.model.definition import Definition, definition_path, kind_and_name
from registry.model.problem import Problem, Severity


@dataclass(frozen=True)
class MergeTarget:
    """The branch that a change is meant for, as far as the change can touch its ids.

    `touched` are the paths that the change adds, edits or removes, `ids` those of them that are there, with the id that each
    carries there, and `last_names` the names that the ledger there has for every id, by kind and id.
    """

    touched: frozenset[str]
    ids: Mapping[str, int | None]
    last_names: Mapping[tuple[str, int], str]
    registry_id_is_touched: bool = False


@dataclass(frozen=True)
class Registry:
    """Everything that was loaded, as the rules look at it; `target` is set where a change is checked against one.

    `compat` names the clients of old that must be able to take the definitions.
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
        """Names by kind, those of files that could not or should not be read included: a reference to one is not wrong."""
        names: dict[str, list[str]] = {kind.name: [] for kind in self.kinds}
        for kind, name in self.by_name:
            names[kind].append(name)
        for path in (*self.loaded.unreadable, *self.loaded.elsewhere):
            found = kind_and_name(path)
            if found:
                names[found[0]].append(found[1])
        return names

    def has(self, kind: str, name: str) -> bool:
        """True when there is a definition of this name, whether it could or should be read or not."""
        if (kind, name) in self.by_name:
            return True
        path = definition_path(kind, name)
        return path in self.loaded.unreadable or path in self.loaded.elsewhere


Find = Callable[["Rule", Definition, Registry], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong. `bad` and `good` are files that it finds and does not find: its own test.

    `find` looks at one definition, `find_all` at all of them at once; a rule has one of the two. In
    an example, `beside` are further files, and `before` are files (by path) of the branch that a change is meant for: the
    change removes those definitions of them that are not in `beside`. `settings` is the registry.yaml of the example.
    A rule that `is_asked_for` is silent until `rules` or `folders` of registry.yaml give it a severity. What `find` finds is kept
    between runs: it looks at the definition and at the schemas, and at nothing else. `find_all` is asked in each run, so it
    goes by outlines, and reads only the definitions that it must.
    """

    id: str
    severity: Severity
    title: str
    why: str
    bad: str
    good: str
    find: Find | None = None
    find_all: Callable[["Rule", Registry], Iterator[Problem]] | None = None
    kind: str = "process_definition"
    beside: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    is_asked_for: bool = False

    def shown(self, example: str) -> str:
        """An example as people see it: a very long line is cut."""
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
        """A finding of this rule about the value (or with `key` the key) at `pointer`."""
        return definition.problem(self.id, self.severity, pointer, message, hint, key=key)
