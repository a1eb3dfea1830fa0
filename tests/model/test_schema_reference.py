"""References within a schema: encoded pointers, anchors, lists, loops, and those that lead nowhere."""

from typing import Any

import pytest

from registry.model.schema_reference import followed, target_of

NAMED = {"$anchor": "named", "properties": {"a": True}}
DOCUMENT: dict[str, Any] = {
    "allOf": [{"title": "first"}, NAMED],
    "$defs": {
        "a b": {"title": "blank"},
        "a/b": {"title": "slash"},
        "a~b": {"title": "tilde"},
        "50%": {"title": "percent"},
        "chain": {"$ref": "#named"},
        "loop": {"$ref": "#/$defs/loop"},
        "dynamic": {"$dynamicAnchor": "moving"},
        "any": True,
    },
}


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("#", DOCUMENT),
        ("#/allOf/0", {"title": "first"}),
        ("#/$defs/a%20b", {"title": "blank"}),
        ("#/%24defs/a~1b", {"title": "slash"}),
        ("#/$defs/a~0b", {"title": "tilde"}),
        ("#/$defs/50%25", {"title": "percent"}),
        ("#named", NAMED),
        ("#moving", {"$dynamicAnchor": "moving"}),
        ("#/$defs/any", True),
        ("#/allOf/7", True),
        ("#/allOf/x", True),
        ("#/nothing/here", True),
        ("#nothing", True),
    ],
)
def test_a_reference_leads_to_its_schema_or_to_one_that_allows_anything(reference: str, target: Any) -> None:
    assert target_of(DOCUMENT, reference) == target


def test_references_are_followed_to_the_schema_with_the_fields() -> None:
    assert followed(DOCUMENT, {"$ref": "#/$defs/chain"}) == NAMED
    assert followed(DOCUMENT, {"$ref": "#/$defs/loop"}) == {"$ref": "#/$defs/loop"}
    assert followed(DOCUMENT, {"$ref": "#/$defs/any"}) == {}
    own = {"properties": {"b": True}, "$ref": "#named"}
    assert followed(DOCUMENT, own) == own
