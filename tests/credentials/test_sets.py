"""How much is found, and how often for nothing, on two sets that were written before the patterns were tried on them.

Tokens are made up anew each time from their shapes, so that no scanner of this repository finds any.
"""

import random
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.credentials import HIDDEN, credential_in, hide
from registry.credentials.tables import JOINED_NAME, NAME, PUBLIC_NAME, TOKENS, Pattern

HERE = Path(__file__).parent
_LETTERS = {"a": string.ascii_letters + string.digits, "l": string.ascii_lowercase + string.digits, "u": string.ascii_uppercase + string.digits,
            "h": "0123456789abcdef", "d": string.digits, "b": string.ascii_letters + string.digits + "+/", "w": string.ascii_letters + string.digits + "_-",
            "p": string.ascii_letters + string.digits + "!#%&*+-=?@^_~"}  # fmt: skip


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


def values(name: str) -> list[tuple[str, str]]:
    chance = random.Random(20261124)
    lines = [line for line in (HERE / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("# ")]
    return [(line.partition("=")[0], made(line.partition("=")[2], chance)) for line in lines]


def test_of_a_hundred_secrets_at_least_95_are_found_and_hidden() -> None:
    secrets = values("secrets.txt")
    assert len(secrets) >= 100
    missed = [(name, value) for name, value in secrets if credential_in(name, value) is None]
    assert len(missed) <= 0.05 * len(secrets), missed
    for name, value in secrets:
        if (name, value) not in missed:
            assert HIDDEN in hide(name, value)
            assert credential_in(name, hide(name, value)) is None


def test_of_a_hundred_harmless_values_at_most_three_are_taken_for_secrets() -> None:
    harmless = values("harmless.txt")
    assert len(harmless) >= 100
    wrong = [(name, value, found) for name, value in harmless if (found := credential_in(name, value))]
    assert len(wrong) <= 0.03 * len(harmless), wrong


@pytest.mark.parametrize("value", ["${DB_PASSWORD}", "file:/run/secrets/db", "vault:kv/db#password", "${A}-${B}", ""])
def test_references_are_no_findings(value: str) -> None:
    assert credential_in("DB_PASSWORD", value) is None


def test_a_path_to_a_secret_is_none() -> None:
    assert credential_in("DB_PASSWORD_FILE", "/run/secrets/db") is None
    assert credential_in("TOKEN_PATH", "/var/lib/app/token") is None


@pytest.mark.parametrize("pattern", [NAME, JOINED_NAME])
def test_every_name_of_a_secret_is_taken_for_one(pattern: Pattern) -> None:
    @given(st.from_regex(re.compile(*pattern.given)))
    def check(name: str) -> None:
        assert PUBLIC_NAME.search(name) or credential_in(name, "open, sesame") is not None

    check()


@pytest.mark.parametrize(("what", "shortest", "marks", "pattern"), TOKENS, ids=[what for what, *_ in TOKENS])
def test_every_token_has_one_of_its_marks_and_its_length(what: str, shortest: int, marks: tuple[str, ...], pattern: str) -> None:
    @given(st.from_regex(pattern))
    def check(text: str) -> None:
        found = re.search(pattern, text)
        assert found is None or (any(mark in found.group() for mark in marks) and len(found.group()) >= shortest), what

    check()
