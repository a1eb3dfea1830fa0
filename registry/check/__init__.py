"""Rules over loaded definitions to problems; pure. Add a rule: write it in a file here, and its file to `FAMILIES`."""

from collections.abc import Iterable
from dataclasses import replace

from registry.check import adapters, change, credentials, fields, names, people, placeholders, references, schema
from registry.check.others import OTHERS
from registry.check.rule import Registry, Rule, Target
from registry.credentials import HIDDEN
from registry.errors import Problem
from registry.kinds import Kinds
from registry.loader import Definition, Loaded

FAMILIES: tuple[tuple[Rule, ...], ...] = (
    schema.RULES,
    names.RULES,
    change.RULES,
    references.RULES,
    adapters.RULES,
    placeholders.RULES,
    fields.RULES,
    credentials.RULES,
    people.RULES,
)
__all__ = ["FAMILIES", "OTHERS", "RULES", "check"]
RULES: tuple[Rule, ...] = tuple(rule for family in FAMILIES for rule in family)


def check(loaded: Loaded, kinds: Kinds, target: Target | None = None) -> tuple[Problem, ...]:
    """Every finding about every definition, those of reading included, in order of place.

    With `target`, also what a change may not do to the ids of the branch that it is meant for.
    """
    registry = Registry(loaded, kinds, target)
    each = [(rule, rule.find, rule.kind) for rule in RULES if rule.find]
    found: list[Problem] = list(loaded.problems)
    for definition in loaded.definitions:
        if not definition.data.get("ignore"):
            for rule, find, kind in each:
                if kind in ("*", definition.kind):
                    found.extend(find(rule, definition, registry))
        else:
            mine = [problem for rule, find, kind in each if kind in ("*", definition.kind) for problem in find(rule, definition, registry)]
            found.extend(_not_ignored(definition, mine))
    for rule in RULES:
        if rule.find_all:
            found.extend(rule.find_all(rule, registry))
    found = list(_without_credentials(found, registry))
    found.sort(key=lambda problem: problem.sort_key)
    return tuple(found)


def _without_credentials(problems: Iterable[Problem], registry: Registry) -> Iterable[Problem]:
    """The problems, with credentials in their words hidden: a message may quote the value that it is about."""
    by_path = {definition.path: definition for definition in registry.loaded.definitions}
    for problem in problems:
        definition = by_path.get(problem.span.path)
        if definition is not None and problem.pointer:
            for value in credentials.values(definition, registry):
                if value in problem.message or value in problem.hint:
                    problem = replace(problem, message=problem.message.replace(value, HIDDEN), hint=problem.hint.replace(value, HIDDEN))  # noqa: PLW2901
        yield problem


def _not_ignored(definition: Definition, problems: Iterable[Problem]) -> Iterable[Problem]:
    """Problems without the reviewed exceptions of the file; how a file must be written cannot be excepted."""
    accepted = [
        (item["rule"], str(item.get("path", "")))
        for item in definition.data["ignore"]
        if isinstance(item, dict) and isinstance(item.get("rule"), str) and item.get("reason")
    ]
    for problem in problems:
        is_accepted = any(problem.rule == rule and problem.pointer.startswith(path) for rule, path in accepted)
        if not is_accepted or problem.rule[0] in "YSI":
            yield problem
