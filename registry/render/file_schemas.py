"""Converts a kind's JSON Schema to OpenAPI components that describe what clients send. Pure: no I/O.

Unlike the schemas of answers, these keep every condition, pattern and limit: the server checks them. Each
schema that is referred to becomes a component, because most tools follow references to components only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from registry.model.schema_reference import target_of
from registry.model.values import map_of
from registry.render.components import Components, OpenApiSchema, pascal, reference

if TYPE_CHECKING:
    from collections.abc import Mapping

# `title` is left out: generators use it as a class name, and several schemas may have the same title.
_LEFT_OUT = frozenset({"$schema", "$id", "$defs", "$anchor", "$dynamicAnchor", "$comment", "title"})
_OURS = frozenset({"x-registry", "x-messages"})
_REFERENCES = frozenset({"$ref", "$dynamicRef"})
# Where the keywords of JSON Schema 2020-12 have schemas: as values by name, in a list, or as the value.
_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas"})
_IN_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_AS_VALUES = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


class FileSchemas:
    """The parts of one kind's schema, with references to components."""

    def __init__(self, components: Components, prefix: str, schema: Mapping[str, Any]) -> None:
        """Take the prefix of all component names and the complete schema of the kind."""
        self._components = components
        self._prefix = prefix
        self._schema = schema
        self._by_pointer: dict[str, OpenApiSchema] = {}

    @property
    def file(self) -> OpenApiSchema:
        """The schema of a whole file."""
        return map_of(self.of(self._schema))

    def of(self, node: Any) -> Any:
        """Return a part of the schema; `false` stays `false`, `true` becomes the empty schema."""
        if not isinstance(node, dict):
            return {} if node is True else node
        node = _with_alternatives(node)
        found = {key: self._value(key, value) for key, value in node.items() if key not in _LEFT_OUT | _OURS}
        pointer = next((node[key] for key in _REFERENCES if isinstance(node.get(key), str)), None)
        if pointer is not None:
            found = {key: value for key, value in found.items() if key not in _REFERENCES}
            found |= self._referred(pointer)
        if "title" in node and "description" not in found:
            found["description"] = node["title"]
        return found

    def _value(self, keyword: str, value: Any) -> Any:
        if keyword in _BY_NAME and isinstance(value, dict):
            return {name: self.of(part) for name, part in value.items()}
        if keyword in _IN_LISTS and isinstance(value, list):
            return [self.of(part) for part in value]
        return self.of(value) if keyword in _AS_VALUES and value is not False else value

    def _referred(self, pointer: str) -> OpenApiSchema:
        """Return the reference to the component of a part that the schema refers to."""
        known = self._by_pointer.get(pointer)
        if known is not None:
            return known
        steps = [
            step
            for step in unquote(pointer.removeprefix("#")).split("/")
            if step and step not in ("$defs", "properties")
        ]
        # Reserve the name first, because the schema may refer to itself.
        name = self._components.reserve(self._prefix + "".join(map(pascal, steps or ["whole"])))
        self._by_pointer[pointer] = reference(name)
        found = self.of(target_of(self._schema, pointer))
        self._components.schemas[name] = found if isinstance(found, dict) else {"not": {}}
        return self._by_pointer[pointer]


class _Case(NamedTuple):
    """A condition on the value of one key: `then` applies where it is `value`."""

    key: str
    value: str
    then: Mapping[str, Any]

    @property
    def schema(self) -> OpenApiSchema:
        properties = {self.key: {"const": self.value}, **self.then.get("properties", {})}
        return {"properties": properties, "required": [self.key, *self.then.get("required", ())]}


def _with_alternatives(node: OpenApiSchema) -> OpenApiSchema:
    """Return a schema of equal meaning whose conditions on the value of one key are alternatives in `anyOf`.

    Few tools understand `if`, and those that do need time that doubles with each condition.
    """
    parts = node.get("allOf")
    if not isinstance(parts, list) or "anyOf" in node:
        return node
    cases = [case for part in parts if (case := _case(part)) is not None]
    values = [case.value for case in cases]
    if len(values) < 2 or len({case.key for case in cases}) > 1 or len(set(values)) < len(values):
        return node
    key = cases[0].key
    other = {"not": {"properties": {key: {"enum": values}}, "required": [key]}}
    rest = [part for part in parts if _case(part) is None]
    found = {name: value for name, value in node.items() if name != "allOf"}
    return found | {"anyOf": [*(case.schema for case in cases), other]} | ({"allOf": rest} if rest else {})


def _case(part: Any) -> _Case | None:
    """Return the case of `{"if": {"properties": {key: {"const": value}}, "required": [key]}, "then": …}`."""
    match part:
        case {"if": {"required": [str(key)], "properties": properties}, "then": dict(then)}:
            value = properties.get(key) if isinstance(properties, dict) else None
        case _:
            return None
    constant = value.get("const") if isinstance(value, dict) else None
    plain = {"if": {"properties": {key: {"const": constant}}, "required": [key]}, "then": then}
    is_simple = then.keys() <= {"properties", "required"} and key not in then.get("properties", {})
    return _Case(key, constant, then) if isinstance(constant, str) and part == plain and is_simple else None
