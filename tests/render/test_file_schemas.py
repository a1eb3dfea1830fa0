"""The schemas of what clients send accept exactly the files that the kind's own schema accepts."""

import copy
import json
from typing import Any

import jsonschema_rs
import pytest

from registry.check import RULES
from registry.load import yaml
from registry.load.kinds import Kind, Kinds, load_kinds
from registry.load.source import WorkTree
from registry.render.components import Components
from registry.render.file_schemas import FileSchemas
from tests.support.odd_values import ODD_VALUES, places_in, with_value

MOST_PLACES = 30


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    return load_kinds(WorkTree(tmp_path_factory.mktemp("empty")))[0]


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    components = Components({})
    file = FileSchemas(components, "KindFile", schema).file
    return jsonschema_rs.Draft202012Validator({**file, "components": {"schemas": components.schemas}})


def _documents(kind: Kind) -> list[Any]:
    """The examples of all rules and of the schema."""
    texts = [text for rule in RULES for text in (rule.bad, rule.good) if len(text) < 2_000]
    found = [yaml.read_data(text.encode()) for text in texts if not text.startswith("file:")]
    properties = kind.schema["properties"]
    examples = {key: part["examples"][0] for key, part in properties.items() if "examples" in part}
    return [one for one in found if isinstance(one, dict)] + [examples]


@pytest.mark.parametrize("name", ["process_definition", "application"])
def test_they_accept_what_the_schema_of_the_kind_accepts(kinds: Kinds, name: str) -> None:
    kind = kinds.by_name[name]
    expected, found = kind.validator, _validator(kind.schema)
    accepted = refused = 0
    for document in _documents(kind):
        variants = [document]
        for place in list(places_in(document))[:MOST_PLACES]:
            variants += [with_value(document, place, value) for value in ODD_VALUES]
        for one in variants:
            assert found.is_valid(one) == expected.is_valid(one), one
            accepted += expected.is_valid(one)
            refused += not expected.is_valid(one)
    assert min(accepted, refused) > 20


def test_a_schema_that_refers_to_itself_and_to_anchors_keeps_its_meaning() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "x-registry": {"type": "integer"},
            "self": {"$ref": "#"},
            "tree": {"$ref": "#/$defs/tree", "description": "A tree"},
            "named": {"$ref": "#tag"},
            "never": False,
            "any": True,
            "raw": {"const": {"$ref": "#/nothing"}},
        },
        "additionalProperties": False,
        "$defs": {
            "tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
            "tag": {"$anchor": "tag", "enum": ["a"]},
        },
        "x-registry": {"title": "Kind"},
    }
    original = copy.deepcopy(schema)
    components = Components({})
    file = FileSchemas(components, "KindFile", schema).file
    text = json.dumps([file, components.schemas])
    assert '"$defs"' not in text
    assert '"x-registry": {"title"' not in text
    assert schema == original
    found = jsonschema_rs.Draft202012Validator({**file, "components": {"schemas": components.schemas}})
    expected = jsonschema_rs.Draft202012Validator(schema)
    for document, is_valid in (
        ({"self": {"self": {"title": "T"}}}, True),
        ({"self": {"self": {"title": 1}}}, False),
        ({"tree": [[], [[]]]}, True),
        ({"tree": [[], [1]]}, False),
        ({"named": "a", "any": [1]}, True),
        ({"named": "b"}, False),
        ({"never": 1}, False),
        ({"x-registry": 1}, True),
        ({"x-registry": "1"}, False),
        ({"raw": {"$ref": "#/nothing"}}, True),
        ({"raw": {}}, False),
    ):
        assert expected.is_valid(document) is is_valid
        assert found.is_valid(document) is is_valid, document


@pytest.mark.parametrize(
    "more",
    [
        {"allOf": [{"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"required": ["c"]}]},
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    ],
)
def test_other_conditions_stay(more: dict[str, Any]) -> None:
    cases = [
        {
            "if": {"properties": {"t": {"const": value}}, "required": ["t"]},
            "then": {"properties": {"p": {"type": kind}}, "required": ["p"]},
        }
        for value, kind in (("x", "string"), ("y", "integer"))
    ]
    schema = {"type": "object", **more, "allOf": [*cases, *more.get("allOf", [])]}
    found, expected = _validator(schema), jsonschema_rs.Draft202012Validator(schema)
    for t in ({}, {"t": "x"}, {"t": "y"}, {"t": "z"}, {"t": 1}):
        for p in ({}, {"p": "text"}, {"p": 1}):
            for rest in ({}, {"a": 1}, {"a": 1, "b": 1, "c": 1}, {"b": 1, "c": 1}):
                document = {**t, **p, **rest}
                assert found.is_valid(document) == expected.is_valid(document), document
