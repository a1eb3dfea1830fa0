"""Credentials in fields where they do not belong: what was committed once stays in history, for everybody who can read it."""

from collections.abc import Iterator

from registry.check.rule import Registry, Rule
from registry.credentials import Text, credential_of, is_placeholder, suspects_in
from registry.model.definition import Definition
from registry.model.problem import Problem, Severity

_ROTATE = "write `${NAME}`, which the runner fills in, and replace the secret itself: what was committed stays in history"


def suspects(definition: Definition, registry: Registry) -> list[Text]:
    """Every text of a definition that may be or hold a credential."""
    return suspects_in(definition.data, registry.kinds.by_name[definition.kind].secret_fields)


def values(definition: Definition, registry: Registry) -> Iterator[str]:
    """Every value that no message may show, as messages would write it; numbers are values too."""
    for text in suspects(definition, registry):
        if text.path and credential_of(text):
            yield text.value


def _find(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    """Credentials and placeholders for them, in one walk (the rules X001 and X002 are told apart by what was found)."""
    del rule
    for text in suspects(definition, registry):
        path, name, value = text[:3]
        if found := credential_of(text):
            hint = (
                _ROTATE
                if "argv" not in path
                else _ROTATE.replace("write `${NAME}`", "pass it through `environment` as `${NAME}`")
            )
            yield definition.problem("X001", Severity.ERROR, path, f"this looks like {found}", hint)
        elif is_placeholder(name, value):
            yield definition.problem(
                "X002",
                Severity.WARNING,
                path,
                f"a placeholder value for `{name}`",
                f"write `${{{name}}}`: the runner fills it in",
            )


_HEAD = "title: T\nowners: [t]\ndefinition:\n  exec: /bin/true\n  environment: {"
RULES = (
    Rule(
        "X001",
        Severity.ERROR,
        "What looks like a credential",
        "Everybody who reads the repository or the API has it, for ever.",
        _HEAD + 'DB_PASSWORD: "not-to-be-told"}\n',
        _HEAD + 'DB_PASSWORD: "${DB_PASSWORD}", TOKEN_FILE: /run/secrets/token}\n',
        find=_find,
        kind="*",
    ),
    Rule(
        "X002",
        Severity.WARNING,
        "A placeholder for a credential",
        "The process would start with it, and fail far from here.",
        _HEAD + "AWS_SECRET_ACCESS_KEY: FIXME}\n",
        _HEAD + 'AWS_SECRET_ACCESS_KEY: "${AWS_SECRET_ACCESS_KEY}"}\n',
        kind="*",
    ),
)
