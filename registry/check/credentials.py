"""Credentials in definitions. A committed secret stays in the history, readable by everyone with access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.check.rule import Registry, Rule
from registry.credentials import Text, credential_of, is_placeholder, suspects_in
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition

_ROTATE = "write `${NAME}`, which the runner fills in, and rotate the secret: it stays in the history"


def suspects(definition: Definition, registry: Registry) -> list[Text]:
    """Return each text of a definition that may be or contain a credential."""
    return suspects_in(definition.data, registry.kinds.by_name[definition.kind].secret_fields)


def values(definition: Definition, registry: Registry) -> Iterator[str]:
    """Yield each value that messages must not show, formatted as messages show it. Numbers are included."""
    for text in suspects(definition, registry):
        if text.path and credential_of(text):
            yield text.value


def _find(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    """Find credentials (X001) and placeholders for credentials (X002) in one walk."""
    del rule
    # Arguments are visible in the list of processes, so a variable in them does not keep a secret.
    argument_keys = [key for key, _ in registry.kinds.by_name[definition.kind].secret_fields.programs]
    for text in suspects(definition, registry):
        path, name, value = text[:3]
        if found := credential_of(text):
            hint = (
                _ROTATE
                if not any(key in path for key in argument_keys)
                else _ROTATE.replace("write `${NAME}`", "pass it through `environment` as `${NAME}`")
            )
            yield definition.problem("X001", Severity.ERROR, path, f"this looks like {found}", hint)
        elif is_placeholder(name, value):
            yield definition.problem(
                "X002",
                Severity.WARNING,
                path,
                f"placeholder value for `{name}`",
                f"write `${{{name}}}`, which the runner fills in",
            )


_HEAD = "title: T\nowners: [t]\ndefinition:\n  exec: /bin/true\n  environment: {"
RULES = (
    Rule(
        "X001",
        Severity.ERROR,
        "Credential in a definition",
        "Everyone who can read the repository or the API can read it, including its history.",
        _HEAD + 'DB_PASSWORD: "do-not-publish"}\n',
        _HEAD + 'DB_PASSWORD: "${DB_PASSWORD}", TOKEN_FILE: /run/secrets/token}\n',
        find=_find,
        kind="*",
    ),
    Rule(
        "X002",
        Severity.WARNING,
        "Placeholder instead of a credential",
        "The process starts with an unusable value and fails later.",
        _HEAD + "AWS_SECRET_ACCESS_KEY: FIXME}\n",
        _HEAD + 'AWS_SECRET_ACCESS_KEY: "${AWS_SECRET_ACCESS_KEY}"}\n',
        kind="*",
    ),
)
