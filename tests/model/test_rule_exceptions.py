"""Which items of an `ignore` list except a finding, and what the redaction makes of them."""

import copy
from typing import Any

import pytest

from registry.credentials import HIDDEN, SecretFields
from registry.model.redaction import redacted
from registry.model.rule_exceptions import exceptions_in, is_excepted

FIELDS = SecretFields((("definition", "environment"), ("x-more",)))
SECRET = "hunter2"


def item(**changes: Any) -> dict[str, Any]:
    return {"rule": "X001", "reason": "A test value", **changes}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("", ()),
        ("/", ()),
        ("/a", ("a",)),
        ("/a/", ("a",)),
        ("/a/0/b", ("a", "0", "b")),
        ("/a~1b/c~0d", ("a/b", "c~d")),
    ],
)
def test_a_path_is_a_json_pointer_without_its_last_slash(path: str, steps: tuple[str, ...]) -> None:
    (found,) = exceptions_in({"ignore": ["no object", item(path=path)]})
    assert (found.place, found.rule, found.steps) == (1, "X001", steps)


@pytest.mark.parametrize(
    "wrong",
    [
        item(reason=""),
        item(reason=" \n"),
        item(reason=5),
        {"rule": "X001"},
        {"reason": "x"},
        item(rule=1),
        item(path="a"),
        item(path="a/b"),
        item(path=0),
        item(path=None),
        [],
    ],
)
def test_an_item_that_is_not_whole_excepts_nothing(wrong: Any) -> None:
    assert list(exceptions_in({"ignore": [wrong]})) == []


@pytest.mark.parametrize("ignore", [None, {}, "X001", {"rule": "X001", "reason": "x"}])
def test_what_is_no_list_excepts_nothing(ignore: Any) -> None:
    assert list(exceptions_in({"ignore": ignore})) == []


@pytest.mark.parametrize(
    ("path", "steps", "covered"),
    [
        ("", (), True),
        ("", ("a", 0), True),
        ("/a", ("a",), True),
        ("/a", ("a", "b", 1), True),
        ("/a", (), False),
        ("/a", ("ab",), False),
        ("/a/b", ("a",), False),
        ("/a/b", ("a", "b"), True),
        ("/a/b", ("a", "bc"), False),
        ("/a/b", ("x", "a", "b"), False),
        ("/a/1", ("a", 1), True),
        ("/a/1", ("a", 10), False),
    ],
)
def test_an_exception_covers_its_place_and_what_is_below(
    path: str, steps: tuple[str | int, ...], covered: bool
) -> None:
    exceptions = list(exceptions_in({"ignore": [item(path=path)]}))
    assert is_excepted(exceptions, "X001", steps) is covered
    assert not is_excepted(exceptions, "X002", steps)


def document(*ignore: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "T",
        "ignore": list(ignore),
        "definition": {"environment": {"PASSWORD": SECRET, "OTHER_PASSWORD": SECRET, "LEVEL": "info"}},
        "x-more": {"deep": [{"password": SECRET}]},
        "x-else": {"password": SECRET},
    }


def test_every_credential_is_hidden_in_a_copy() -> None:
    given = document()
    before = copy.deepcopy(given)
    shown = redacted(given, FIELDS)
    assert given == before
    assert shown["definition"]["environment"] == {
        "PASSWORD": HIDDEN,
        "OTHER_PASSWORD": HIDDEN,
        "LEVEL": "info",
    }
    assert shown["x-more"] == {"deep": [{"password": HIDDEN}]}
    assert shown["x-else"] == {"password": SECRET}  # outside of `definition` and the fields


def test_a_document_without_a_credential_is_given_back_as_it_is() -> None:
    given = {"definition": {"environment": {"LEVEL": "info"}}}
    assert redacted(given, FIELDS) is given


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("", []),
        ("/definition", ["more"]),
        ("/definition/environment/PASSWORD", ["OTHER", "more"]),
        ("/definition/environment/PASS", ["PASSWORD", "OTHER", "more"]),
        ("/definition/environment/PASSWORD/x", ["PASSWORD", "OTHER", "more"]),
        ("/x-more/deep/0/password", ["PASSWORD", "OTHER"]),
        ("/x-more/deep/1", ["PASSWORD", "OTHER", "more"]),
        ("definition", ["PASSWORD", "OTHER", "more"]),
    ],
)
def test_an_exception_shows_what_it_names_alone(path: str, hidden: list[str]) -> None:
    shown = redacted(document(item(path=path)), FIELDS)
    environment = shown["definition"]["environment"]
    values = {
        "PASSWORD": environment["PASSWORD"],
        "OTHER": environment["OTHER_PASSWORD"],
        "more": shown["x-more"]["deep"][0]["password"],
    }
    assert [name for name, value in values.items() if value == HIDDEN] == hidden
    assert {*values.values()} <= {HIDDEN, SECRET}


@pytest.mark.parametrize("wrong", [{"rule": "X002"}, {"rule": "W101"}, {"reason": " "}])
def test_an_exception_from_another_rule_or_without_a_reason_shows_nothing(wrong: dict[str, str]) -> None:
    shown = redacted(document(item(**wrong)), FIELDS)
    assert SECRET not in repr((shown["definition"], shown["x-more"]))
