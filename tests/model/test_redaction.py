"""What is hidden of documents: an exception shows what it names and what is below, and no neighbor."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.credentials import HIDDEN, SecretFields
from registry.load.source import WorkTree
from registry.model.pointer import pointer_of
from registry.model.redaction import hidden_pointers, redacted
from registry.model.rule_exceptions import exceptions_in, is_excepted
from registry.pipeline import check_source
from tests.conftest import Run
from tests.support.repo import RepoBuilder

SECRET, OTHER = "kXq9Lr2vTz81Wm4p", "Zt5Hb8sWq2Rk9Lx3"
HEAD = "title: T\nowners: [t]\ndefinition:\n  exec: /bin/a\n"
FIELDS = SecretFields((("definition",),), (("argv", "exec"),))


def document(inside: dict[str, Any], *paths: str, **more: Any) -> dict[str, Any]:
    return {
        "ignore": [{"rule": "X001", "path": path, "reason": "Reviewed"} | more for path in paths],
        "definition": inside,
    }


@pytest.mark.parametrize(
    ("shown", "hidden", "path"),
    [
        (("DB_PASS",), ("DB_PASSWORD",), "/definition/DB_PASS"),
        (("a/password",), ("a", "password"), "/definition/a~1password"),
        (("~password",), ("password",), "/definition/~0password"),
        (("a", "password"), ("a/password",), "/definition/a"),
        (("password",), ("password2",), "/definition/password/"),
        (("", "password"), ("password",), "/definition//password"),
    ],
)
def test_an_exception_shows_no_neighbor(shown: tuple[str, ...], hidden: tuple[str, ...], path: str) -> None:
    inside: dict[str, Any] = {}
    for steps, value in ((shown, SECRET), (hidden, OTHER)):
        node = inside
        for step in steps[:-1]:
            node = node.setdefault(step, {})
        node[steps[-1]] = value
    text = repr(redacted(document(inside, path), FIELDS)["definition"])
    assert (SECRET in text, OTHER in text) == (True, False)


def test_an_exception_for_an_argument_is_not_one_for_ten_others() -> None:
    argv = [f"--password={SECRET}{number}" for number in range(12)]
    shown = redacted(document({"argv": argv}, "/definition/argv/1"), FIELDS)["definition"]["argv"]
    assert [HIDDEN in item for item in shown] == [number != 1 for number in range(12)]


@pytest.mark.parametrize(
    "more",
    [
        {"reason": ""},
        {"reason": "  "},
        {"reason": None},
        {"reason": ["x"]},
        {"rule": "X0011"},
        {"path": None},
        {"path": 1},
        {"path": []},
        {"path": "definition/password"},
    ],
)
def test_an_exception_that_is_none_shows_nothing(more: dict[str, Any]) -> None:
    assert redacted(document({"password": SECRET}, "/definition/password", **more), FIELDS)["definition"] == {
        "password": HIDDEN
    }


def test_nothing_to_hide_makes_no_copy() -> None:
    there = document({"password": SECRET}, "/definition")
    assert redacted(there, FIELDS) is there


_KEYS = st.sampled_from(
    ["PASS", "PASSWORD", "DB_PASS", "DB_PASSWORD", "a/TOKEN", "TOKEN", "~TOKEN", "0", "00", "LEVEL"]
)
_VALUES = st.sampled_from([SECRET, OTHER, "info", "${NAME}"])
_TREES = st.recursive(
    _VALUES,
    lambda inner: st.dictionaries(_KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=10,
)


def _texts(node: Any, steps: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        return [found for key, value in items for found in _texts(value, (*steps, key))]
    return [(steps, node)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=st.dictionaries(_KEYS, _TREES, max_size=5), data=st.data())
def test_what_is_hidden_is_what_no_exception_covers(tree: dict[str, Any], data: st.DataObject) -> None:
    """Hiding with exceptions is hiding without any, except at the values that the checker would except."""
    places = [steps[: data.draw(st.integers(1, len(steps)))] for steps, _ in _texts(tree) if steps]
    chosen = data.draw(st.lists(st.sampled_from(places), max_size=2)) if places else []
    there = document(tree, *[pointer_of(("definition", *steps)) for steps in chosen])
    everything = dict(_texts(redacted({"definition": tree}, FIELDS)["definition"]))
    exceptions = [*exceptions_in(there)]
    for steps, value in _texts(redacted(there, FIELDS)["definition"]):
        covered = is_excepted(exceptions, "X001", ("definition", *steps))
        assert covered == any(steps[: len(one)] == one for one in chosen)
        assert value == (dict(_texts(tree))[steps] if covered else everything[steps])


def test_checker_and_pages_agree_on_what_an_exception_covers(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    ignore = "ignore: [{rule: X001, path: /definition/environment/DB_PASS, reason: The test database has no other}]\n"
    environment = f"  environment: {{DB_PASS: {SECRET}, DB_PASSWORD: {OTHER}, DB_PASS_2: {OTHER}}}\n"
    repo.define("a", ignore + HEAD + environment)
    found = [one.pointer for one in check_source(WorkTree(repo.root)).problems if one.rule == "X001"]
    assert found == ["/definition/environment/DB_PASSWORD", "/definition/environment/DB_PASS_2"]
    repo.commit("add it")
    repo.define(
        "a", ignore + HEAD + f'  environment: {{DB_PASS: {SECRET}, DB_PASSWORD: "${{DB_PASSWORD}}"}}\n'
    )
    repo.commit("take the others out")
    assert run("index", "-C", str(repo.root)).code == 0
    assert run("build", "-C", str(repo.root)).code == 0
    files = [path for path in Path(repo.root / "site").resolve().rglob("*") if path.is_file()]
    assert [path for path in files if OTHER.encode() in path.read_bytes()] == []
    assert f'"DB_PASS":"{SECRET}"' in (repo.root / "site/api/process_definition/1/history.json").read_text()
    for command in (("log", "a"), ("diff", "HEAD~2..HEAD"), ("show", "a@1")):
        assert OTHER not in run(*command, "-C", str(repo.root)).out


def test_pointers_of_hidden_values_are_those_that_redaction_changes() -> None:
    shown = document({"a/password": SECRET, "b": {"password": OTHER}, "c": "x"}, "/definition/b")
    assert hidden_pointers(shown, FIELDS) == ("/definition/a~1password",)
    assert redacted(shown, FIELDS)["definition"]["a/password"] == HIDDEN
    assert hidden_pointers(document({"c": "x"}), FIELDS) == ()
