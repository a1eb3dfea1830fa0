"""`--help` of every command: the expected text, an example, plain English, and one complete line in the list of commands."""

import re

import pytest

from registry.cli import COMMANDS
from tests.cli.golden_help import FOLDER, PROGRAM, golden_file, help_of
from tests.conftest import Run

ARCHAIC = re.compile(
    r"\b(told|said|mend\w*|anew|nobody|somebody|whoever|leave out|left out|grave)\b", re.IGNORECASE
)


@pytest.mark.parametrize("name", [PROGRAM, *COMMANDS])
def test_help_is_as_expected(name: str) -> None:
    file = golden_file(name)
    assert file.exists(), "run `make accept`, and read what it writes"
    assert help_of(name) == file.read_text(encoding="utf-8"), "run `make accept`, and read the difference"


def test_each_expected_help_belongs_to_a_command() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == {PROGRAM, *COMMANDS}


@pytest.mark.parametrize("name", [PROGRAM, *COMMANDS])
def test_help_has_examples_in_plain_english(name: str) -> None:
    text = help_of(name)
    example = "registry " if name == PROGRAM else f"registry {name}"
    assert re.search(rf"Examples:\n    .*{example}", text)
    assert not ARCHAIC.search(text)


def test_the_list_of_commands_cuts_no_description() -> None:
    listed = dict(
        re.findall(r"^  ([a-z]+) {2,}(.+)$", help_of(PROGRAM).partition("Commands:\n")[2], re.MULTILINE)
    )
    assert list(listed) == list(COMMANDS)
    assert [line for line in listed.values() if not line.endswith(".") or line.endswith("...")] == []


def test_a_terminal_of_80_columns_shows_each_description_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "..." not in run("--help").out.partition("Commands:\n")[2]


def test_help_goes_to_standard_output_in_the_width_of_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("80", "60"):
        monkeypatch.setenv("COLUMNS", columns)
        for words in (("check", "--help"), ("check", "-h")):
            outcome = run(*words)
            assert (outcome.code, outcome.err) == (0, "")
            assert max(map(len, outcome.out.splitlines())) <= int(columns)


def test_without_a_command_help_is_printed_and_the_exit_code_is_2(run: Run) -> None:
    outcome = run()
    assert (outcome.code, outcome.err) == (2, "")
    assert outcome.out.startswith("Usage: registry ")
