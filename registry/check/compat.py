"""What clients of the 2013 service cannot take; asked for with `compat: [streamboss]` in registry.yaml, else off.

That client writes definitions into supervisord's configuration and into a column of 1,024 characters, and starts `exec` alone.
"""

import json
from collections.abc import Iterator

from registry.check.rule import Registry, Rule
from registry.credentials import strings_in
from registry.model.definition import Definition
from registry.model.problem import Problem, Severity

STREAMBOSS = "streamboss"
_MAX_CHARACTERS = 1024


def _is_asked(registry: Registry) -> bool:
    return STREAMBOSS in registry.compat


def _characters(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if _is_asked(registry):
        for path, _, text, *_ in strings_in(definition.inside, ("definition",)):
            wrong = next((one for one in ("'", "%", " ;") if one in text), None)
            if wrong:
                yield rule.problem(
                    definition,
                    path,
                    f"`{wrong}` ends or changes a value for 2013 clients",
                    "write it without",
                )


def _size(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if _is_asked(registry):
        size = len(json.dumps(definition.inside))
        if size > _MAX_CHARACTERS:
            message = f"{size:,} characters as JSON; 2013 clients keep {_MAX_CHARACTERS:,}"
            yield rule.problem(
                definition, ("definition",), message, "move settings into a file on the host", key=True
            )


def _ignored(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if _is_asked(registry):
        for key in ("argv", "cwd", "timeout"):
            if key in definition.inside:
                message = f"2013 clients ignore `{key}`: they start `exec` alone"
                yield rule.problem(
                    definition,
                    ("definition", key),
                    message,
                    "let a script that needs nothing do the rest",
                    key=True,
                )
                return


def _reference(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    environment = definition.inside.get("environment")
    if _is_asked(registry) and isinstance(environment, dict):
        for name, value in environment.items():
            if isinstance(value, str) and "${" in value:
                message = "2013 clients do not fill in `${NAME}`: the process gets the text"
                yield rule.problem(
                    definition, ("definition", "environment", name), message, "set it on the host"
                )


_HEAD = "title: T\nowners: [t]\ndefinition:\n  exec: /bin/true\n"
_ASKED = "compat: [streamboss]\n"
RULES = (
    Rule(
        "W301",
        Severity.WARNING,
        "A character that 2013 clients cannot take",
        "Their configuration gives it a meaning of its own.",
        _HEAD + '  environment: {GREETING: "50 %"}\n',
        _HEAD + "  environment: {GREETING: half}\n",
        find=_characters,
        settings=_ASKED,
    ),
    Rule(
        "W302",
        Severity.WARNING,
        "A definition that is too long for 2013 clients",
        "What is over 1,024 characters is cut off.",
        _HEAD + f"  environment: {{LIST: {'long' * 300}}}\n",
        _HEAD + f"  environment: {{LIST: {'long' * 30}}}\n",
        find=_size,
        settings=_ASKED,
    ),
    Rule(
        "W303",
        Severity.WARNING,
        "A key that 2013 clients ignore",
        "The process would start, and do something else.",
        _HEAD + "  argv: [-v]\n",
        _HEAD,
        find=_ignored,
        settings=_ASKED,
    ),
    Rule(
        "W304",
        Severity.WARNING,
        "A reference that 2013 clients do not fill in",
        "The process would start with the text of the reference.",
        _HEAD + '  environment: {TOKEN: "${TOKEN}"}\n',
        _HEAD + "  environment: {LEVEL: info}\n",
        find=_reference,
        settings=_ASKED,
    ),
)
