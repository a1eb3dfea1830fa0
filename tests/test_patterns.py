"""Every regular expression takes linear time, and so does what is done with what it finds."""

import multiprocessing
import re
from collections.abc import Callable, Iterator
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

import pytest

import registry
from registry.changes.process import Surroundings, process_changes
from registry.credentials import credential_in, hide, hide_in_line
from registry.errors import nearest
from registry.exchange.json_2013 import _repaired
from registry.history.blobs import id_in
from registry.load import yaml
from tests.support.patterns import SIZE, Used, lint, patterns_of, worst_texts

LIMIT_S = 60


@cache
def _patterns() -> list[Used]:
    """The patterns of the package. Finding them takes seconds, which every process of a test run would spend."""
    return patterns_of(registry)


def test_no_pattern_is_ambiguous_without_limit() -> None:
    assert len(_patterns()) > 90
    wrong = {
        one.where: found
        for one in _patterns()
        if (found := lint(one.pattern, one.flags, searches=one.searches))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("pattern", "searches"),
    [
        (r"(a+)+b", False),
        (r"(?:a|a)*b", False),
        (r"(?:a|ab|b)*c", False),
        (r"a*a*b", False),
        (r"\s*\w*\s*=", False),
        (r"(?:x?y?)*z", False),
        (r"(?:\s*#[^\n]*\r?\n)*x", False),
        (r"(?:[-_]?(?:[0-9]+|old))*\Z", False),
        (r"a+b", True),
        (r"[a-z]*://x", True),
        (r"(?<![0-9])[a-z0-9]+=", True),
        (r"(?m)^\s*$x", True),
        (r'"(?:[^"\\]|\\.)*"', True),
        (r"x(?=.*y)", True),
    ],
)
def test_the_lint_finds_what_is_not_linear(pattern: str, searches: bool) -> None:
    assert lint(pattern, searches=searches)


@pytest.mark.parametrize(
    ("pattern", "searches"),
    [
        (r"a+\Z", False),
        (r"(?:a+b)*c", False),
        (r"(?:#[^\n]*\n)*x", False),
        (r"\s*\w+\s*=", False),
        (r'"(?:[^"\\]|\\.)*"', False),
        (r"(?<![a-z])[a-z]+=", True),
        (r"<[^<>]*>", True),
        (r"x[a-z]{20,}", True),
        (r"(?:[-_]?(?:[0-9]++|old)){0,8}\Z", False),
    ],
)
def test_the_lint_passes_what_is_linear(pattern: str, searches: bool) -> None:
    assert lint(pattern, searches=searches) == []


def _in_child(work: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """What `work` sends from another process; it is given up when nothing comes for 60 seconds."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(there, *arguments), daemon=True)
    child.start()
    there.close()
    started = False
    try:
        while True:
            # The first message says that the child has started, which takes as long as the machine is busy.
            if not here.poll(LIMIT_S if started else None):
                pytest.fail(f"nothing for {LIMIT_S} s")
            started = True
            try:
                yield here.recv()
            except EOFError:
                return
    finally:
        child.kill()
        child.join()


def _run_all(there: Connection, patterns: list[Used]) -> None:
    there.send("")
    for one in patterns:
        compiled: Any = re.compile(one.pattern, one.flags)
        for text in worst_texts(one.pattern, one.flags):
            subject = text.encode("utf-8", "replace")[:SIZE] if isinstance(one.pattern, bytes) else text
            if one.searches:
                sum(1 for _ in compiled.finditer(subject))
            else:
                compiled.match(subject)
            there.send(None)  # each text has the whole limit
        there.send(one.where)


def test_each_pattern_takes_its_worst_text() -> None:
    """On 256 KiB each: what is quadratic takes many minutes there, and what is linear a few milliseconds."""
    done = [one for one in _in_child(_run_all, _patterns()) if one]
    assert done == [one.where for one in _patterns()]


WORST = {
    "assignment": "= " + "a" * SIZE,
    "assignments": "a=" * (SIZE // 2),
    "secrets": "password=" * (SIZE // 9),
    "harmless": "token=https://x/" * (SIZE // 16),
    "elsewhere": "token=file:" * (SIZE // 11),
    "references": "token=${A}" * (SIZE // 10),
    "address": "://" + ":" * SIZE,
    "addresses": "http://a:b" * (SIZE // 10),
    "schemes": "a://" * (SIZE // 4),
    "signatures": "?sig=" + "a" * 20 + ("?sig=" + "a" * 20) * (SIZE // 25),
    "tokens": "eyJ-" * (SIZE // 4),
    "jwt": ("eyJ" + "a" * 8 + ".") * (SIZE // 12),
    "keys": "-----BEGIN " * (SIZE // 11),
    "capitals": "-----BEGIN " + "A " * (SIZE // 2),
    "quotes": '"' * SIZE,
    "backslashes": 'x="' + "\\" * SIZE,
    "open quotes": 'password="\\' * (SIZE // 11),
    "braces": "{{" * (SIZE // 2),
    "dollars": "$(" * (SIZE // 2),
    "programs": "mysql -p" * (SIZE // 8),
    "program": "mysql " * (SIZE // 6),
    "headers": "authorization: bearer " * (SIZE // 22),
    "bearers": "bearer " * (SIZE // 7),
    "netrc": "machine x login y password " * (SIZE // 27),
    "machines": "machine " * (SIZE // 8),
    "blanks": "a" + " " * SIZE + "=",
    "options": "--" + "a" * SIZE,
    "digits": "1" * SIZE,
    "lines": "password\n" * (SIZE // 9),
    "colons": "a:" * (SIZE // 2),
    "secrets and colons": "description: " + "x-api-key:" * (SIZE // 10),
    "secrets, colons and references": "a b:token:$" * (SIZE // 11),
    "options of programs": "--password " * (SIZE // 11),
    "options with open quotes": "--password 'a --password \"" * (SIZE // 26),
}


def _look_for_credentials(there: Connection, _nothing: None) -> None:
    there.send("")
    for what, text in WORST.items():
        hide("X", text)
        there.send(None)
        hide_in_line(text)
        there.send(what)
    for name in ("PASSWORD" + "1" * 50_000 + "X", "-PASSWORD" * 30_000, "PASSWORD_" * 30_000, "1" * SIZE):
        credential_in(name, "open sesame")
        there.send(None)


def test_credentials_are_looked_for_in_linear_time() -> None:
    assert [one for one in _in_child(_look_for_credentials, None) if one] == list(WORST)


def _read_files(there: Connection, _nothing: None) -> None:
    there.send("")
    blanks = " " * 250_000
    for text in (
        "a: b\n" + " " * 15_000 + "}\n",
        f"a: [{' ' * 15_000}\n",
        "#\r\n" * 80_000 + "- a\n",
        f"a: {blanks}}}\n",
        "a: [" + "] " * 7_000 + "}\n",
        f"a: {'x ' * 7_000}:\n",
        "\n" * 250_000 + "x",
        f"{blanks}a: b\n",
        "\t\n" * 100_000 + "x",
    ):
        data = text.encode()
        yaml.read_data(data)
        yaml.load(data, "a.yaml")
        id_in(data)
        _repaired(text)
        there.send(None)
    for text in ('"' + "]" * SIZE + "x", "[" + " " * SIZE + '"', '{"' * (SIZE // 2), "," + " " * SIZE):
        _repaired(text)
        there.send(None)
    there.send("done")


def test_files_are_read_in_linear_time() -> None:
    assert [one for one in _in_child(_read_files, None) if one] == ["done"]


def _suggest(there: Connection, _nothing: None) -> None:
    there.send("")
    names = [f"team-{number % 97}/process-with-a-long-name-{number}" for number in range(10_000)]
    nearest("a" * SIZE, names)
    nearest("x", ["a" * SIZE] * 100)
    there.send(None)
    for number in range(200):
        nearest(f"team-3/proces-with-a-lnog-name-{number}" + "x" * 60, names)
        there.send(None)
    there.send("done")


def test_suggestions_are_bounded() -> None:
    assert [one for one in _in_child(_suggest, None) if one] == ["done"]
    assert nearest("a" * 5_000, ["a" * 5_000 + "b"]) == ""
    assert nearest("sinlge", ["service", "single"]) == "did you mean `single`?"


def _compare_arguments(there: Connection, _nothing: None) -> None:
    there.send("")
    for before, after in (
        (["a"] * 9_000, ["a"] * 8_999 + ["b"]),
        (["a", "b"] * 4_000, ["b", "a", "c"] * 3_000),
        (["a"] * 9_000, ["b"] * 9_000),
    ):
        found = [one.rule for one in process_changes({"argv": before}, {"argv": after}, Surroundings())]
        there.send(found)


def test_long_lists_of_arguments_are_compared_in_linear_time() -> None:
    assert [one for one in _in_child(_compare_arguments, None) if one] == [["C171"], ["C171"], ["C171"]]
