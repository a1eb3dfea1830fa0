"""Descriptive fields beside `definition`: title, owners, deprecation and the order of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.check.rule import Registry, Rule
from registry.model.key_order import key_rank
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition


def _has_key(registry: Registry, definition: Definition, key: str) -> bool:
    """True when the schema of the definition's kind describes this key."""
    return key in registry.kinds.by_name[definition.kind].schema.get("properties", {})


def _no_title(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if "title" not in definition.data and _has_key(registry, definition, "title"):
        yield rule.problem(definition, (), "no title", "add `title: …`, a short name for lists")


def _no_owners(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    is_relied_on = definition.data.get("lifecycle", "production") == "production"
    if is_relied_on and not definition.data.get("owners") and _has_key(registry, definition, "owners"):
        yield rule.problem(
            definition,
            (),
            "no owners for a production definition",
            "add `owners: [your-team]`, or `lifecycle: experimental`",
        )


def _no_deprecation(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if definition.data.get("lifecycle") == "deprecated" and not definition.data.get("deprecation"):
        yield rule.problem(
            definition,
            ("lifecycle",),
            "deprecated without `deprecation`: users do not know since when and what to use instead",
            'add `deprecation: {since: "YYYY-MM-DD", replaced_by: …, reason: …}`',
        )


def _key_order(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    keys = list(definition.data)
    wanted = sorted(keys, key=key_rank)
    if keys != wanted:
        wrong = next(key for key, right in zip(keys, wanted, strict=True) if key != right)
        yield rule.problem(
            definition,
            (wrong,),
            f"`{wrong}` comes before `{wanted[keys.index(wrong)]}`",
            f"the usual order is {', '.join(wanted)}",
            key=True,
        )


_SETTINGS = "rules: {%s: warning}\n"
_OLD = "title: T\nlifecycle: deprecated\n{}definition: {{exec: /bin/true}}\n"
RULES = (
    Rule(
        "W201",
        Severity.WARNING,
        "Missing title",
        "Lists show the title. Without it they show the path.",
        "definition: {exec: /bin/true}\n",
        "title: T\ndefinition: {exec: /bin/true}\n",
        find=_no_title,
        kind="*",
    ),
    Rule(
        "W202",
        Severity.WARNING,
        "Missing owners",
        "Production definitions need someone responsible.",
        "title: T\ndefinition: {exec: /bin/true}\n",
        "title: T\nowners: [team]\ndefinition: {exec: /bin/true}\n",
        find=_no_owners,
        kind="*",
    ),
    Rule(
        "W205",
        Severity.WARNING,
        "Unusual order of keys",
        "Readers find fields faster in the usual order.",
        "definition: {exec: /bin/true}\ntitle: T\nowners: [t]\n",
        "title: T\nowners: [t]\ndefinition: {exec: /bin/true}\n",
        find=_key_order,
        kind="*",
        settings=_SETTINGS % "W205",
        is_opt_in=True,
    ),
    Rule(
        "W204",
        Severity.WARNING,
        "Unused exception",
        "It would hide future findings.",
        "title: T\nowners: [t]\nignore: [{rule: W107, reason: Old}]\n"
        "definition: {exec: /bin/true, cwd: /srv}\n",
        "title: T\nowners: [t]\nignore: [{rule: W107, reason: Old}]\n"
        "definition: {exec: /bin/true, cwd: /srv/}\n",
        kind="*",
    ),
    Rule(
        "W203",
        Severity.WARNING,
        "Deprecation without details",
        "Users need to know since when it is deprecated and what to use instead.",
        _OLD.format(""),
        _OLD.format('deprecation: {since: "2026-03-01", reason: Old}\n'),
        find=_no_deprecation,
        kind="*",
    ),
)
