"""Documents that requests ask for."""

from typing import Any

import pytest

from registry.writes.document import intended_document, merge_patch, merged_edits, new_document
from registry.writes.requests import Operation

# RFC 7396, appendix A.
RFC_7396: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396)
def test_merge_patch_as_in_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_documents_are_not_changed_in_place() -> None:
    document: dict[str, Any] = {"definition": {"a": {"b": 1}}}
    merge_patch(document, {"definition": {"a": {"b": 2, "c": 3}}})
    merged_edits(document, document, {"definition": {"a": {"b": 2}}})
    assert document == {"definition": {"a": {"b": 1}}}


def test_put_and_patch_replace_named_keys() -> None:
    document = {"id": 3, "title": "T", "definition": {"exec": "a", "timeout": 1}}
    body = {"name": "n", "definition": {"exec": "b"}}
    for operation in (Operation.REPLACE, Operation.UPDATE):
        found = intended_document(operation, document, body)
        assert found == {"id": 3, "title": "T", "definition": {"exec": "b"}}
        assert list(found) == ["id", "title", "definition"]


def test_a_new_document_has_the_order_of_the_schema_and_keeps_that_of_the_definition() -> None:
    body = {"x-own": 1, "definition": {"z": 1, "a": 2}, "title": "T", "name": "n"}
    found = new_document(body, 7, ["id", "title", "definition"])
    assert list(found) == ["id", "title", "definition", "x-own"]
    assert list(found["definition"]) == ["z", "a"]


def test_edits_of_different_fields_are_merged() -> None:
    seen = {"a": 1, "b": {"c": 1, "d": 1}, "gone": 1}
    current = {"a": 2, "b": {"c": 1, "d": 1, "e": 1}, "gone": 1}
    requested = {"a": 1, "b": {"c": 2, "d": 1}}
    assert merged_edits(seen, current, requested) == ({"a": 2, "b": {"c": 2, "d": 1, "e": 1}}, ())


@pytest.mark.parametrize(
    ("current", "requested", "pointer"),
    [
        ({"a": 2}, {"a": 3}, "/a"),
        ({"a": 2}, {"a": 2}, "/a"),  # both counted up
        ({}, {"a": 3}, "/a"),
        ({"a": 2}, {}, "/a"),
        ({"a": 1, "b": {"c": 1}}, {"a": 1, "b": 2}, "/b"),
        ({"a": 1, "b": 2}, {"a": 1, "b": {"c": 1}}, "/b"),
        ({"a": 1, "l": [1, 2]}, {"a": 1, "l": [3]}, "/l"),
    ],
)
def test_edits_of_the_same_field_conflict(current: Any, requested: Any, pointer: str) -> None:
    _, conflicts = merged_edits({"a": 1}, current, requested)
    assert [one.pointer for one in conflicts] == [pointer]


@pytest.mark.parametrize(
    ("current", "requested", "pointer"),
    [
        ({"b": {"c": 2}}, {"b": 3}, "/b"),
        ({"b": {"c": 2}}, {}, "/b"),
        ({"b": 3}, {"b": {"c": 2}}, "/b/c"),
        ({}, {"b": {"c": 2}}, "/b/c"),
    ],
)
def test_an_edit_inside_a_map_conflicts_with_one_of_the_whole_map(
    current: Any, requested: Any, pointer: str
) -> None:
    _, conflicts = merged_edits({"b": {"c": 1}}, current, requested)
    assert [one.pointer for one in conflicts] == [pointer]


def test_a_conflict_shows_both_values() -> None:
    _, conflicts = merged_edits({"a": 1}, {}, {"a": 3})
    assert [one.body for one in conflicts] == [{"pointer": "/a", "requested": 3}]
