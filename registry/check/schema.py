"""Rules S001 to S005: violations of the JSON Schema of a kind (draft 2020-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.check.rule import Registry, Rule
from registry.load.validation import explain
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition


def _find(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    """Report every violation of the kind's schema under its own rule, S001 to S005."""
    del rule
    kind = registry.kinds.by_name[definition.kind]
    if kind.validator.is_valid(definition.data):
        return
    for one in explain(kind.schema, definition.data, kind.traits.misspellings):
        yield definition.problem(one.rule, Severity.ERROR, one.pointer, one.message, one.hint, key=one.is_key)


RULES = (
    Rule(
        "S001",
        Severity.ERROR,
        "Missing key",
        "The schema of the kind requires it.",
        "title: T\ndefinition:\n  cwd: /srv\n",
        "title: T\ndefinition:\n  exec: /bin/true\n",
        find=_find,
        kind="*",
    ),
    Rule(
        "S002",
        Severity.ERROR,
        "Unknown key",
        "A misspelled key would be ignored silently. Custom keys start with `x-`.",
        "title: T\ndefinition: {exec: /bin/true, args: []}\n",
        "title: T\ndefinition: {exec: /bin/true, argv: [], x-note: mine}\n",
        kind="*",
    ),
    Rule(
        "S003",
        Severity.ERROR,
        "Wrong type",
        "Clients of the API rely on the types.",
        "title: T\ndefinition: {exec: /bin/true, timeout: 1m30s}\n",
        "title: T\ndefinition: {exec: /bin/true, timeout: 90}\n",
        kind="*",
    ),
    Rule(
        "S004",
        Severity.ERROR,
        "Value not in the list of allowed values",
        "Its meaning is undefined.",
        "title: T\ndefinition: {exec: /bin/true, process_type: sinlge}\n",
        "title: T\ndefinition: {exec: /bin/true, process_type: single}\n",
        kind="*",
    ),
    Rule(
        "S005",
        Severity.ERROR,
        "Value out of range or in an invalid format",
        "The value cannot work.",
        "title: T\ndefinition: {exec: /bin/true, timeout: 0}\n",
        "title: T\ndefinition: {exec: /bin/true, cwd: /srv}\n",
        kind="*",
    ),
)
