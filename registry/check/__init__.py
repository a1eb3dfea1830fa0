"""Rules over loaded definitions to problems; pure. Add a rule: write it in a file here, and its file to `FAMILIES`."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import orjson

from registry.check import (
    adapters,
    change,
    compat,
    credentials,
    fields,
    metadata,
    names,
    placeholders,
    references,
    schema,
    values,
)
from registry.check.plugins import plugin_rules
from registry.check.registry_rules import OTHERS
from registry.check.rule import Find, MergeTarget, Registry, Rule
from registry.check.severity_policy import FIXED, apply_policy
from registry.errors import UsageError, nearest
from registry.load.kinds import Kinds
from registry.load.loader import Loaded
from registry.load.settings import SETTINGS_PATH, Settings
from registry.load.yaml import StoredDocument
from registry.model.definition import Definition
from registry.model.problem import Problem, Severity, Span

FAMILIES: tuple[tuple[Rule, ...], ...] = (
    schema.RULES,
    names.RULES,
    change.RULES,
    references.RULES,
    adapters.RULES,
    placeholders.RULES,
    fields.RULES,
    values.RULES,
    credentials.RULES,
    metadata.RULES,
    compat.RULES,
)
__all__ = [
    "FAMILIES",
    "OTHERS",
    "RULES",
    "FindMany",
    "Findings",
    "FindingsCache",
    "check",
    "judged_by",
    "unknown_rules",
]
RULES: tuple[Rule, ...] = tuple(rule for family in FAMILIES for rule in family)
_OURS = frozenset(rule.id for rule in RULES)


def check(
    loaded: Loaded,
    kinds: Kinds,
    settings: Settings,
    target: MergeTarget | None = None,
    cached: "FindingsCache | None" = None,
    base: Settings | None = None,
) -> tuple[Problem, ...]:
    """Every finding about every definition, those of reading included, in order of place.

    With `target`, also what a change may not do to the ids of the branch that it is meant for. `cached` gives the findings
    about single definitions that earlier runs computed.
    """
    registry = Registry(loaded, kinds, target, frozenset(settings.compat))
    rules = _rules(settings)
    silent = frozenset(rule.id for rule in rules if rule.is_asked_for)
    return apply_policy(
        [*loaded.problems, *_findings(registry, rules, cached)], registry, settings, silent, base
    )


Findings = tuple[Problem, ...]
FindMany = Callable[[Sequence[Definition]], list[Findings]]
FindingsCache = Callable[[Sequence[Definition], FindMany], list[Findings]]
"""Findings about each definition by itself, in the order given: from earlier runs, else by calling the function."""


def judged_by(kinds: Kinds, settings: Settings) -> str:
    """A digest of all that decides, beside a definition itself, what is wrong with it alone."""
    facts = [[kind.name, kind.schema, kind.secret_fields] for kind in kinds]
    adapters = [[one.name, one.directions, one.fits, one.sides] for one in kinds.adapters.values()]
    everything = [facts, adapters, settings.compat, sorted(rule.id for rule in _rules(settings))]
    return hashlib.blake2b(
        orjson.dumps(everything, default=list, option=orjson.OPT_SORT_KEYS), digest_size=16
    ).hexdigest()


def _rules(settings: Settings) -> list[Rule]:
    named = settings.rules.keys() | {rule for levels in settings.folders.values() for rule in levels}
    return [rule for rule in (*RULES, *plugin_rules()) if not rule.is_asked_for or rule.id in named]


def unknown_rules(settings: Settings, data: bytes | None, changes: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Rules that the settings judge and that there are not, or that are not for a team to judge; `changes` may be judged too."""
    named = dict.fromkeys(
        [*settings.rules, *(rule for levels in settings.folders.values() for rule in levels)]
    )
    if not named:
        return ()
    known = [*(rule.id for rule in (*RULES, *plugin_rules())), *changes]
    text = (data or b"").decode("utf-8", "replace").splitlines()
    problems = []
    for rule in named:
        if rule in known and rule[:1] not in FIXED:
            continue
        line = next((number for number, words in enumerate(text, 1) if rule in words), 1)
        message = (
            f"{rule} cannot be judged: how a file must be written, and ids, are the same for all"
            if rule[:1] in FIXED
            else f"there is no rule {rule}"
        )
        problems.append(
            Problem(
                "K003", Severity.ERROR, Span(SETTINGS_PATH, line, 1, line, 2), message, nearest(rule, known)
            )
        )
    return tuple(problems)


def _findings(registry: Registry, rules: Sequence[Rule], cached: FindingsCache | None) -> Iterator[Problem]:
    for rule in rules:
        if rule.find_all:
            yield from _asked(rule, rule.find_all(rule, registry))
    definitions = registry.loaded.definitions
    alone = _by_kind(registry, [rule for rule in rules if rule.id in _OURS])

    def find_many(some: Sequence[Definition]) -> list[Findings]:
        return [
            tuple([problem for rule, find in alone[held.kind] for problem in find(rule, held, registry)])
            for held in map(_at_hand, some)
        ]

    for found in cached(definitions, find_many) if cached is not None else find_many(definitions):
        yield from found
    # A plug-in may check anything, so its findings are never cached.
    plugins = _by_kind(registry, [rule for rule in rules if rule.id not in _OURS])
    for definition in definitions:
        for rule, find in plugins[definition.kind]:
            yield from _asked(rule, find(rule, definition, registry))


def _at_hand(definition: Definition) -> Definition:
    """The same, its document not to be fetched: dozens of rules ask for it, most of them more than once."""
    document = definition.document
    return (
        definition._replace(document=document.at_hand())
        if isinstance(document, StoredDocument)
        else definition
    )


def _by_kind(registry: Registry, rules: Sequence[Rule]) -> dict[str, list[tuple[Rule, Find]]]:
    return {
        kind.name: [(rule, rule.find) for rule in rules if rule.find and rule.kind in ("*", kind.name)]
        for kind in registry.kinds
    }


def _asked(rule: Rule, found: Iterator[Problem]) -> Iterator[Problem]:
    """What a rule finds. A mistake in a plug-in is told as what it is: not ours, and not the author's of the file."""
    if rule.id in _OURS:
        return found
    return _of_plugin(rule, found)


def _of_plugin(rule: Rule, found: Iterator[Problem]) -> Iterator[Problem]:
    try:
        yield from found
    except Exception as error:
        raise UsageError(
            f"the rule {rule.id} of a plug-in failed: {type(error).__name__}: {error}",
            "mend or uninstall the plug-in",
        ) from error
