"""Rules of plug-ins: found by their entry points, and refused where their ids could not be told from others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.check.plugins import plugin_rules
from registry.errors import UsageError

MODULE = """
from registry.check.rule import Rule
from registry.model.problem import Severity

def rule(id):
    return Rule(id, Severity.WARNING, "title", "why", "", "", find=lambda rule, definition, registry: iter(()))

RULES = {rules}
"""


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Plug-ins are read once for each process."""
    plugin_rules.cache_clear()
    yield
    plugin_rules.cache_clear()


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    """A package with an entry point for each name: an expression that gives its rules."""
    monkeypatch.syspath_prepend(str(folder))
    (folder / "acme-1.0.dist-info").mkdir()
    (folder / "acme-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    lines = ["[process_registry.rules]"]
    for name, rules in entries.items():
        module = f"plugin_{folder.name}_{name}".replace("-", "_")
        (folder / f"{module}.py").write_text(MODULE.format(rules=rules))
        lines.append(f"{name} = {module}:RULES")
    (folder / "acme-1.0.dist-info/entry_points.txt").write_text("\n".join(lines))


@pytest.mark.parametrize("name", ["AB1", "ACME1", "ACME0001", "ABCDEFGHIJKL1234"])
def test_an_id_with_two_to_twelve_capitals_and_one_to_four_digits_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    install(tmp_path, monkeypatch, one=f"[rule({name!r})]")
    assert [rule.id for rule in plugin_rules()] == [name]


@pytest.mark.parametrize(
    "name",
    [
        "A1",
        "W101",
        "ABCDEFGHIJKLM1",
        "ACME",
        "ACME12345",
        "acme1",
        "Acme1",
        "ACME1\n",
        "ACME-1",
        "1ACME1",
        "",
    ],
)
def test_any_other_id_is_refused_with_the_name_of_the_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    install(tmp_path, monkeypatch, one=f"[rule({name!r})]")
    with pytest.raises(UsageError, match="plug-in `one`"):
        plugin_rules()


def test_two_rules_with_one_id_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, one="[rule('ACME1')]", two="[rule('ACME2'), rule('ACME1')]")
    with pytest.raises(UsageError, match="ACME1"):
        plugin_rules()


def test_rules_come_in_the_order_of_names_and_one_need_not_be_in_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, b="rule('ACME1')", a="(rule('ACME3'), rule('ACME2'))")
    assert [rule.id for rule in plugin_rules()] == ["ACME3", "ACME2", "ACME1"]
