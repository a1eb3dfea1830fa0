"""What clients of the 2013 service cannot handle. Enabled with `compat: [streamboss]` in registry.yaml.

That client writes definitions into supervisord's configuration and into a column of 1,024 characters, and
starts `exec` without arguments.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from registry.check.rule import Registry, Rule
from registry.credentials import strings_in
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition

STREAMBOSS = "streamboss"
# The length of the column in the client's database.
_MAX_CHARACTERS = 1024


def _is_enabled(registry: Registry) -> bool:
    return STREAMBOSS in registry.compat


def _characters(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if _is_enabled(registry):
        for path, _, text, *_ in strings_in(definition.inside, ("definition",)):
            wrong = next((one for one in ("'", "%", " ;") if one in text), None)
            if wrong:
                yield rule.problem(
                    definition,
                    path,
                    f"2013 clients misread `{wrong}` in a value",
                    "remove it",
                )


def _size(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if _is_enabled(registry):
        size = len(json.dumps(definition.inside))
        if size > _MAX_CHARACTERS:
            message = f"{size:,} characters as JSON; 2013 clients store {_MAX_CHARACTERS:,}"
            yield rule.problem(
                definition, ("definition",), message, "move settings into a file on the host", key=True
            )


def _ignored(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if _is_enabled(registry):
        for key in ("argv", "cwd", "timeout"):
            if key in definition.inside:
                message = f"2013 clients ignore `{key}`: they start `exec` without it"
                yield rule.problem(
                    definition,
                    ("definition", key),
                    message,
                    "start a wrapper script that does the rest",
                    key=True,
                )
                return


def _reference(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    environment = definition.inside.get("environment")
    if _is_enabled(registry) and isinstance(environment, dict):
        for name, value in environment.items():
            if isinstance(value, str) and "${" in value:
                message = "2013 clients do not expand `${NAME}`: the process gets the literal text"
                yield rule.problem(
                    definition, ("definition", "environment", name), message, "set it on the host"
                )


_HEAD = "title: T\nowners: [t]\ndefinition:\n  exec: /bin/true\n"
_COMPAT = "compat: [streamboss]\n"
RULES = (
    Rule(
        "W301",
        Severity.WARNING,
        "Character that 2013 clients misread",
        "The character has a special meaning in their configuration.",
        _HEAD + '  environment: {GREETING: "50 %"}\n',
        _HEAD + "  environment: {GREETING: half}\n",
        find=_characters,
        settings=_COMPAT,
    ),
    Rule(
        "W302",
        Severity.WARNING,
        "Definition too long for 2013 clients",
        "They truncate text after 1,024 characters.",
        _HEAD + f"  environment: {{LIST: {'long' * 300}}}\n",
        _HEAD + f"  environment: {{LIST: {'long' * 30}}}\n",
        find=_size,
        settings=_COMPAT,
    ),
    Rule(
        "W303",
        Severity.WARNING,
        "Key ignored by 2013 clients",
        "The process starts but behaves differently.",
        _HEAD + "  argv: [-v]\n",
        _HEAD,
        find=_ignored,
        settings=_COMPAT,
    ),
    Rule(
        "W304",
        Severity.WARNING,
        "Variable reference that 2013 clients do not expand",
        "The process gets the text of the reference.",
        _HEAD + '  environment: {TOKEN: "${TOKEN}"}\n',
        _HEAD + "  environment: {LEVEL: info}\n",
        find=_reference,
        settings=_COMPAT,
    ),
)
