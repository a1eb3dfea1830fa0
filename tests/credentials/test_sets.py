"""How much is found, and how often for nothing, on two sets that were written before the patterns were tried on them.

Tokens are made up anew each time from their shapes, so that no scanner of this repository finds any.
"""

import random
import re
import shlex
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.credentials import HIDDEN, SecretFields, credential_in, credential_of, hide, suspects_in
from registry.credentials.tables import JOINED_NAME, NAME, PUBLIC_NAME, TOKENS, Pattern
from registry.model.redaction import redacted

HERE = Path(__file__).parent
FIELDS = SecretFields((("definition", "environment"), ("definition", "argv")), (("argv", "exec"),))
_LETTERS = {
    "a": string.ascii_letters + string.digits,
    "l": string.ascii_lowercase + string.digits,
    "u": string.ascii_uppercase + string.digits,
    "h": "0123456789abcdef",
    "d": string.digits,
    "b": string.ascii_letters + string.digits + "+/",
    "w": string.ascii_letters + string.digits + "_-",
    "p": string.ascii_letters + string.digits + "!#%&*+-=?@^_~",
}


def made(shape: str, chance: random.Random) -> str:
    """A value from its shape: `{h40}` is 40 hexadecimal digits, and so on; the rest stands for itself."""
    parts = shape.split("{")
    text = parts[0]
    for part in parts[1:]:
        head, _, rest = part.partition("}")
        if head[:1] in _LETTERS and head[1:].isdigit():
            text += "".join(chance.choice(_LETTERS[head[0]]) for _ in range(int(head[1:]))) + rest
        else:
            text += "{" + part
    return text.replace("\\n", "\n")


def documents(name: str) -> dict[str, dict[str, Any]]:
    """A document for each line: a variable, or (after `$ `) a program with its arguments."""
    chance = random.Random(20261124)
    lines = [
        line
        for line in (HERE / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("# ")
    ]
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(lines):
        if line.startswith("$ "):
            words = [made(word, chance) for word in shlex.split(line[2:])]
            inside: dict[str, Any] = {"exec": words[0], "argv": words[1:]}
        else:
            key, _, value = line.partition("=")
            inside = {"exec": "/bin/a", "environment": {key: made(value, chance)}}
        found[f"{number}: {line}"] = {"definition": inside}
    return found


def found_in(document: dict[str, Any]) -> list[str]:
    return [what for text in suspects_in(document, FIELDS) if (what := credential_of(text))]


def test_of_a_hundred_secrets_at_least_98_are_found_and_hidden() -> None:
    secrets = documents("secrets.txt")
    assert len(secrets) >= 170
    missed = [line for line, document in secrets.items() if not found_in(document)]
    assert len(missed) <= 0.02 * len(secrets), missed
    for line, document in secrets.items():
        if line not in missed:
            shown = redacted(document, FIELDS)
            assert HIDDEN in repr(shown), line
            assert found_in(shown) == [], line


def test_what_is_hidden_is_the_secret_and_not_what_is_around_it() -> None:
    for value, shown in (
        ("curl -u joe:hunter2 https://h/", "curl -u joe:[hidden] https://h/"),
        ('{"user": "joe", "password": "hunter2"}', '{"user": "joe", "password": "[hidden]"}'),
        ('{\\"password\\": \\"hunter2\\"}', '{\\"password\\": \\"[hidden]\\"}'),
        ("Authorization: Bearer abc", "Authorization: Bearer [hidden]"),
        ("X-Api-Key: abc123", "X-Api-Key: [hidden]"),
        ("machine h login joe password hunter2", "machine h login joe password [hidden]"),
        ("https://joe:p@ss@h/x", "https://joe:[hidden]@h/x"),
        ("mysql -p'hunter2' db", "mysql -p'[hidden]' db"),
        ("svn --password hunter2 co x", "svn --password [hidden] co x"),
        ('svn --password "hunter 2" co x', 'svn --password "[hidden]" co x'),
        ('mysql -p"$PW" db; mysql -p$PW db', 'mysql -p"$PW" db; mysql -p$PW db'),
        ("use --password and --token to log in", "use --password and --token to log in"),
    ):
        assert hide("X", value) == shown
    argv = ["-u", "joe:hunter2", "-H", "X-Api-Key: abc123", "--data", "password=hunter2"]
    shown_argv = ["-u", "joe:[hidden]", "-H", "X-Api-Key: [hidden]", "--data", "password=[hidden]"]
    assert (
        redacted({"definition": {"exec": "curl", "argv": argv}}, FIELDS)["definition"]["argv"] == shown_argv
    )


def test_of_a_hundred_harmless_values_at_most_two_are_taken_for_secrets() -> None:
    harmless = documents("harmless.txt")
    assert len(harmless) >= 190
    wrong = {line: found for line, document in harmless.items() if (found := found_in(document))}
    assert len(wrong) <= 0.02 * len(harmless), wrong


@pytest.mark.parametrize(
    "value", ["${DB_PASSWORD}", "file:/run/secrets/db", "vault:kv/db#password", "${A}-${B}", ""]
)
def test_references_are_no_findings(value: str) -> None:
    assert credential_in("DB_PASSWORD", value) is None


def test_a_path_to_a_secret_is_none() -> None:
    assert credential_in("DB_PASSWORD_FILE", "/run/secrets/db") is None
    assert credential_in("TOKEN_PATH", "/var/lib/app/token") is None


@pytest.mark.parametrize("pattern", [NAME, JOINED_NAME])
def test_every_name_of_a_secret_is_taken_for_one(pattern: Pattern) -> None:
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.from_regex(re.compile(*pattern.given)))
    def check(name: str) -> None:
        assert PUBLIC_NAME.search(name) or credential_in(name, "open, sesame") is not None

    check()


@pytest.mark.parametrize(("what", "shortest", "marks", "pattern"), TOKENS, ids=[what for what, *_ in TOKENS])
def test_every_token_has_one_of_its_marks_and_its_length(
    what: str, shortest: int, marks: tuple[str, ...], pattern: str
) -> None:
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.from_regex(pattern))
    def check(text: str) -> None:
        found = re.search(pattern, text)
        assert found is None or (
            any(mark in found.group() for mark in marks) and len(found.group()) >= shortest
        ), what

    check()
