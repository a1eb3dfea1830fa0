"""Texts that people read are plain English: messages, hints, labels, schema descriptions, templates, documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ARCHAIC = re.compile(
    r"\b(told|said|mend(s|ed|ing)?|anew|nobody|somebody|whoever|grave|heeds?|set back|stands beside|put aside|"
    r"gives? (no )?ids?|looked at)\b",
    re.IGNORECASE,
)


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """All string literals of a module, with docstrings and the fixed parts of f-strings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("folder", ["registry", "scripts"])
def test_strings_of_the_program_have_no_archaic_words(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word.group()}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in strings_of(path)
        if (word := ARCHAIC.search(text))
    ]
    assert found == []


@pytest.mark.parametrize(
    "pattern",
    [
        "schema/**/*.json",
        "registry/**/*.json",
        "registry/**/*.js",
        "site_templates/**/*",
        "docs/**/*.md",
        "*.md",
        "*.yml",
    ],
)
def test_texts_beside_the_code_have_no_archaic_words(pattern: str) -> None:
    files = [path for path in sorted(ROOT.glob(pattern)) if path.is_file()]
    assert files
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word.group()}"
        for path in files
        if path.name != "CHANGELOG.md"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (word := ARCHAIC.search(line))
    ]
    assert found == []
