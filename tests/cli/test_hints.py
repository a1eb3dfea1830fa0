"""Commands that hints and documents recommend exist, with the options that they are shown with."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from registry.cli import COMMANDS, program

ROOT = Path(__file__).parent.parent.parent
# `registry index --recover --published ADDRESS`, up to where a sentence goes on.
COMMAND = re.compile(r"(?<![\w./-])registry ((?:" + "|".join(COMMANDS) + r")(?![\w.-])[^`\n;|#·()]*)")
# Commands of which a word after the name says what to do.
ACTIONS = {"ids", "hook", "user", "token"}
# Words that follow a command's name in prose.
PROSE = {
    "gives",
    "on",
    "after",
    "writes",
    "there",
    "never",
    "alone",
    "may",
    "of",
    "is",
    "and",
    "to",
    "finds",
    "asks",
}


@cache
def texts() -> tuple[tuple[str, str], ...]:
    return tuple(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "registry").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield (
                    str(path),
                    "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "VALUE" for part in node.values
                    ),
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield str(path), node.value
    for path in sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]):
        yield str(path), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_hints_recommend_can_be_typed(name: str) -> None:
    found = program.get_command(click.Context(program), name)
    assert found is not None
    options = {
        option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    if name == "new":  # further options come from the schema of the kind
        options |= {"--exec", "--arg", "--process-type", "--application", "--title", "--option"}
    actions = next(
        (set(parameter.type.choices) for parameter in found.params if hasattr(parameter.type, "choices")),
        set(),
    )
    wrong = []
    for path, text in texts():
        for match in COMMAND.finditer(text):
            words = match[1].split()
            if words[0] != name:
                continue
            wrong += [
                f"{path}: {match[0]}"
                for word in words
                if re.fullmatch(r"--[a-z-]+", word) and word not in options
            ]
            if (
                name in ACTIONS
                and len(words) > 1
                and re.fullmatch(r"[a-z][a-z-]*", words[1])
                and words[1] not in actions | PROSE
            ):
                wrong.append(f"{path}: {match[0]}")
    assert wrong == []
