"""Check loaded definitions with every rule and return the problems. Pure.

To add a rule, write it in a module of this package. To add a module, add its `RULES` to `families`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from registry.check.families import RULES
from registry.check.plugins import plugin_rules
from registry.check.registry_rules import OTHERS
from registry.check.rule import Find, MergeTarget, Names, Neighborhood, Registry, Rule
from registry.check.severity_policy import FIXED, apply_policy
from registry.errors import UsageError, nearest
from registry.load.loader import Loaded
from registry.load.settings import SETTINGS_PATH, Settings
from registry.load.yaml import StoredDocument
from registry.model.definition import Definition, kind_and_name
from registry.model.problem import Problem, Severity, Span

if TYPE_CHECKING:
    from registry.load.kinds import Kinds

__all__ = [
    "OTHERS",
    "RULES",
    "FindMany",
    "Findings",
    "check",
    "check_changed",
    "check_definition",
    "judged_by",
    "unknown_rules",
]
_BUILT_IN = frozenset(rule.id for rule in RULES)


Findings = tuple[Problem, ...]


def check(
    loaded: Loaded,
    kinds: Kinds,
    settings: Settings,
    target: MergeTarget | None = None,
    cached: FindingsCache | None = None,
    base: Settings | None = None,
) -> tuple[Problem, ...]:
    """Return all problems of all definitions, including those found while loading, sorted by location.

    With `target`, also check what the change does to the ids of its target branch. `cached` returns findings
    of single definitions from earlier runs. With `base` (the settings of the target branch), severities of
    credential rules are the stricter of `settings` and `base`. Raises UsageError when a rule of a plug-in
    fails.
    """
    registry = Registry(loaded, kinds, target, frozenset(settings.compat))
    rules = _rules(settings)
    silent = frozenset(rule.id for rule in rules if rule.is_opt_in)
    return apply_policy(
        [*loaded.problems, *_findings(registry, rules, cached)], registry, settings, silent, base
    )


def check_changed(  # noqa: PLR0913 - two states, and what is known of the first
    before: Loaded,
    after: Loaded,
    changed: Set[str],
    problems: Iterable[Problem],
    kinds: Kinds,
    settings: Settings,
    across: Mapping[str, Findings] | None = None,
) -> tuple[Findings, Mapping[str, Findings]] | None:
    """What `check` finds in `after`, from `problems`: those of `before`, which differs at the paths
    `changed` only.

    Gives also, by path, what rules about all definitions found: `across` is that of `before`, where it is
    known.

    Rules about all definitions run over all of them, which takes about 1 µs per definition and rule. Rules
    about one definition run where it changed, or where a finding of the former came or went. None where a
    plug-in has rules: these may depend on anything.
    """
    if plugin_rules():
        return None
    rules = _rules(settings)
    compat = frozenset(settings.compat)
    old = across if across is not None else _by_path(_across(Registry(before, kinds, None, compat), rules))
    new = _by_path(_across(Registry(after, kinds, None, compat), rules))
    # The policy decides on all findings of a file together: an exception is unused if it covers none of them.
    affected = changed | {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    there = after.at({place for path in affected if (place := kind_and_name(path)) is not None})
    registry = Registry(replace(after, definitions=tuple(there)), kinds, None, compat)
    found = [
        *(problem for problem in after.problems if problem.span.path in affected),
        *(problem for path in affected for problem in new.get(path, ())),
        *_own_findings(registry, rules),
    ]
    silent = frozenset(rule.id for rule in rules if rule.is_opt_in)
    kept = (problem for problem in problems if problem.span.path not in affected)
    every = (*kept, *apply_policy(found, registry, settings, silent))
    return tuple(sorted(every, key=lambda problem: problem.sort_key)), new


def check_definition(
    definition: Definition, around: Sequence[Definition], names: Names, kinds: Kinds, settings: Settings
) -> Findings:
    """Return the problems of one definition, in time that does not depend on the number of definitions.

    `around` are the definitions that it refers to and that refer to it, and `names` knows what else exists.
    Rules about all definitions look at these only. Raises UsageError when a rule of a plug-in fails.
    """
    samples = {path: wrong for path in definition.summary.samples if (wrong := names.sample_problem(path))}
    loaded = Loaded((*around, definition), (), samples=samples)
    registry = Neighborhood(loaded, kinds, None, frozenset(settings.compat), known=names)
    own = replace(registry, loaded=Loaded((definition,), (), samples=samples))
    rules = _rules(settings)
    found = [
        *(one for one in _across(registry, rules) if one.span.path == definition.path),
        *(
            problem
            for rule, find in _by_kind(own, rules)[definition.kind]
            for problem in _guarded(rule, find(rule, definition, own))
        ),
    ]
    return apply_policy(found, own, settings, frozenset(rule.id for rule in rules if rule.is_opt_in))


def _by_path(problems: Iterable[Problem]) -> Mapping[str, Findings]:
    found: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        found[problem.span.path].append(problem)
    return {path: tuple(some) for path, some in found.items()}


FindMany = Callable[[Sequence[Definition]], list[Findings]]
FindingsCache = Callable[[Sequence[Definition], FindMany], list[Findings]]
"""Returns the findings of each single definition in the given order, cached or computed by the function."""


def judged_by(kinds: Kinds, settings: Settings) -> str:
    """Return a digest of everything that decides the findings of a single definition, except itself."""
    # Written as data and not as a version number: a changed schema, setting or set of rules is never
    # forgotten here. The code of the rules is covered by the cache, which belongs to one version of the
    # program.
    facts = [[kind.name, kind.schema, kind.secret_fields, kind.traits.misspellings] for kind in kinds]
    adapters = [[one.name, one.directions, one.fits, one.sides] for one in kinds.adapters.values()]
    everything = [facts, adapters, settings.compat, sorted(rule.id for rule in _rules(settings))]
    return hashlib.blake2b(
        orjson.dumps(everything, default=list, option=orjson.OPT_SORT_KEYS), digest_size=16
    ).hexdigest()


def _rules(settings: Settings) -> list[Rule]:
    named = set(_named_rules(settings))
    return [rule for rule in (*RULES, *plugin_rules()) if not rule.is_opt_in or rule.id in named]


def unknown_rules(settings: Settings, data: bytes | None, changes: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Return a K003 problem for each rule id in `settings` that does not exist or has a fixed severity.

    `data` is the content of registry.yaml, used to find the line. `changes` are the ids of change rules,
    whose severity can be set too.
    """
    named = dict.fromkeys(_named_rules(settings))
    if not named:
        return ()
    known = [*(rule.id for rule in (*RULES, *plugin_rules())), *changes]
    lines = (data or b"").decode("utf-8", "replace").splitlines()
    # One problem per rule: a misspelled id may be named for many folders.
    problems = []
    for rule in named:
        if rule[:1] in FIXED:
            message = f"the severity of {rule} cannot be changed: rules about format and ids are fixed"
            hint = ""
        elif rule not in known:
            message, hint = f"unknown rule {rule}", nearest(rule, known)
        else:
            continue
        line = next((number for number, words in enumerate(lines, 1) if rule in words), 1)
        span = Span(SETTINGS_PATH, line, 1, line, 2)
        problems.append(Problem("K003", Severity.ERROR, span, message, hint))
    return tuple(problems)


def _named_rules(settings: Settings) -> list[str]:
    """Return the rules with a level in the settings, for all definitions or for a folder."""
    return [*settings.rules, *(rule for levels in settings.folders.values() for rule in levels)]


def _across(registry: Registry, rules: Iterable[Rule]) -> Iterator[Problem]:
    """The findings of rules about all definitions together."""
    for rule in rules:
        if rule.find_all:
            yield from _guarded(rule, rule.find_all(rule, registry))


def _own_findings(registry: Registry, rules: Sequence[Rule]) -> Iterator[Problem]:
    """The findings of built-in rules about single definitions, in each definition of `registry`."""
    own = _by_kind(registry, rules)
    for definition in map(_with_document, registry.loaded.definitions):
        for rule, find in own[definition.kind]:
            yield from find(rule, definition, registry)


def _findings(registry: Registry, rules: Sequence[Rule], cached: FindingsCache | None) -> Iterator[Problem]:
    yield from _across(registry, rules)
    definitions = registry.loaded.definitions
    builtin = _by_kind(registry, [rule for rule in rules if rule.id in _BUILT_IN])

    def find_many(some: Sequence[Definition]) -> list[Findings]:
        return [
            tuple([problem for rule, find in builtin[held.kind] for problem in find(rule, held, registry)])
            for held in map(_with_document, some)
        ]

    for found in cached(definitions, find_many) if cached is not None else find_many(definitions):
        yield from found
    # A plug-in may check anything, so its findings are never cached.
    plugins = _by_kind(registry, [rule for rule in rules if rule.id not in _BUILT_IN])
    for definition in definitions:
        for rule, find in plugins[definition.kind]:
            yield from _guarded(rule, find(rule, definition, registry))


def _with_document(definition: Definition) -> Definition:
    """Load the document of a definition once: dozens of rules read it, most of them several times."""
    document = definition.document
    return (
        definition._replace(document=document.at_hand())
        if isinstance(document, StoredDocument)
        else definition
    )


def _by_kind(registry: Registry, rules: Sequence[Rule]) -> dict[str, list[tuple[Rule, Find]]]:
    return {
        kind.name: [(rule, rule.find) for rule in rules if rule.find and kind.uses(rule.kind)]
        for kind in registry.kinds
    }


def _guarded(rule: Rule, found: Iterator[Problem]) -> Iterator[Problem]:
    """Return the findings of a rule.

    A failure in a plug-in's rule becomes a UsageError that names the rule.
    """
    return found if rule.id in _BUILT_IN else _plugin_findings(rule, found)


def _plugin_findings(rule: Rule, found: Iterator[Problem]) -> Iterator[Problem]:
    try:
        yield from found
    except Exception as error:
        raise UsageError(
            f"the rule {rule.id} of a plug-in failed: {type(error).__name__}: {error}",
            "fix or uninstall the plug-in",
        ) from error
