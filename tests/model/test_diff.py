"""Changed fields: right for every two documents, blind to the order of keys, strict about types."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.model.diff import MISSING, Change, diff
from registry.model.pointer import pointer_of, steps_of

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 1.0])
    | st.text("ab/~0", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~0", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.text("ab/~", max_size=2), JSON, max_size=4)


def apply(document: Any, changes: list[Change]) -> Any:
    result = copy.deepcopy(document)
    for change in changes:
        *parents, last = steps_of(change.pointer)
        place = result
        for step in parents:
            place = place[step]
        if change.new is MISSING:
            del place[last]
        else:
            place[last] = change.new
    return result


def typed(value: Any) -> Any:
    """A value that is equal only to one of the same JSON types."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(DOCUMENTS, DOCUMENTS)
def test_the_changes_lead_from_one_document_to_the_other(old: Any, new: Any) -> None:
    assert typed(apply(old, diff(old, new))) == typed(new)


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself_with_its_keys_in_another_order(document: Any) -> None:
    assert diff(document, dict(reversed(list(document.items())))) == []


def test_true_and_one_differ_and_a_list_is_one_value() -> None:
    assert diff({"a": {"b": 1}}, {"a": {"b": True}}) == [Change("/a/b", 1, True)]
    assert diff({"a": [1, 2]}, {"a": [0, 1, 2]}) == [Change("/a", [1, 2], [0, 1, 2])]
    assert diff({"x": 1}, {}) == [Change("/x", 1, MISSING)]


def test_pointers_escape_what_they_must() -> None:
    assert pointer_of(("a/b", "c~d", 0)) == "/a~1b/c~0d/0"
    assert steps_of("/a~1b/c~0d/0") == ("a/b", "c~d", "0")
