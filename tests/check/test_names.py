"""Names of definitions at the limits of what paths, addresses and Windows can hold."""

import unicodedata
from pathlib import Path

import pytest

from registry.load.source import WorkTree
from registry.pipeline import check_source

GOOD = "title: T\nowners: [t]\ndefinition: {exec: /bin/x}\n"


def rules_for(root: Path, *names: str) -> list[str]:
    """The rules that definitions with these names break."""
    for name in names:
        path = root / f"definitions/process_definition/{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GOOD)
    return [one.rule for one in check_source(WorkTree(root)).problems]


@pytest.mark.parametrize(
    "name",
    [
        "a" * 200,
        "ä" * 100,
        f"{'a' * 99}/{'b' * 100}",
        "console",
        "com",
        "com10",
        "lpt",
        "a.con",
        "auxiliary",
        "1",
        "a-_.+b",
        unicodedata.normalize("NFC", "é"),
        "index/a",
    ],
)
def test_a_name_is_taken(tmp_path: Path, name: str) -> None:
    assert rules_for(tmp_path, name) == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a" * 201, "I003"),
        ("ä" * 100 + "a", "I003"),
        (f"{'a' * 100}/{'b' * 100}", "I003"),
        ("con", "I005"),
        ("CON", "I005"),
        ("com0", "I005"),
        ("com9", "I005"),
        ("lpt0", "I005"),
        ("lpt¹", "I005"),
        ("nul.txt", "I005"),
        ("aux/a", "I005"),
        ("a.", "I005"),
        ("a./b", "I005"),
        ("-a", "I001"),
        ("_a", "I001"),
        ("a b", "I001"),
        ("a\u3164", "I001"),
        (unicodedata.normalize("NFD", "é"), "I001"),
        ("\u212b", "I001"),  # ANGSTROM SIGN, which NFC makes a letter
        ("index", "I002"),
        ("Index", "I002"),
        ("a.json", "I002"),
    ],
)
def test_a_name_is_refused(tmp_path: Path, name: str, rule: str) -> None:
    assert rule in rules_for(tmp_path, name)


@pytest.mark.parametrize("pair", [("a", "A"), ("straße", "strasse"), ("ä", "Ä"), ("x/a", "X/a")])
def test_names_that_one_disk_holds_as_one_file_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    assert rules_for(tmp_path, *pair) == ["I004"]
