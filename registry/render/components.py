"""Converts a kind's JSON Schema to OpenAPI components that describe API answers. Pure: no I/O.

The output uses only the part of JSON Schema that client generators support. The schema of a file says what an
author may write. A client needs the possible fields and their types. Therefore conditions, patterns and
limits are omitted, and every object allows additional keys. Lists of allowed values become annotations
(`x-extensible-enum`), because a new value must not break a client. Each object with fields is a named
component.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from registry.model.schema_reference import target_of
from registry.model.values import list_of, map_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OpenApiSchema = dict[str, Any]
# Keywords that are kept unchanged. `title` is omitted: generators use it as a class name, and several schemas
# may have the same title.
_KEPT = ("description", "format", "deprecated", "examples")
_TYPE_NAMES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}


class Components:
    """Schemas by name.

    Generators create files and classes from the names, so two names never differ only in case or punctuation.
    """

    def __init__(self, schemas: Mapping[str, OpenApiSchema]) -> None:
        """Start with `schemas`, which keep their names."""
        self.schemas: dict[str, OpenApiSchema] = dict(schemas)
        self._taken = {_plain(name) for name in schemas}

    def reserve(self, wanted: str) -> str:
        """Return `wanted` if it is free, otherwise `wanted` with a number appended."""
        name, number = wanted, 1
        while _plain(name) in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(_plain(name))
        return name

    def add(self, wanted: str, schema: OpenApiSchema) -> OpenApiSchema:
        """Add a schema under `wanted` or a similar free name, and return a reference to it."""
        name = self.reserve(wanted)
        self.schemas[name] = schema
        return reference(name)


class Shapes:
    """Schemas of API answers for the parts of one kind's schema."""

    def __init__(self, components: Components, prefix: str, schema: Mapping[str, Any]) -> None:
        """Take the prefix of all component names and the complete schema of the kind."""
        self._components = components
        self._prefix = prefix
        self._schema = schema
        self._by_pointer: dict[str, OpenApiSchema] = {}

    def of(self, node: Any, name: str, within: frozenset[str] = frozenset()) -> OpenApiSchema:
        """Return the schema of a value; an object with fields becomes the component `name`.

        `within` are the references that led to this value.
        """
        if not isinstance(node, dict):
            return {}  # `true`: any value
        pointer = node.get("$ref")
        if isinstance(pointer, str):
            return self._referred(pointer, within) | (
                {"description": node["description"]} if "description" in node else {}
            )
        choices = [part for key in ("anyOf", "oneOf") for part in list_of(node.get(key)) if _says_type(part)]
        if choices and "properties" not in node and "type" not in node:
            return _kept(node) | _union([self.of(part, f"{name}Choice", within) for part in choices])
        merged = self._merged(node, within)
        found = self._shape(merged, name, within)
        return self._components.add(name, found) if "properties" in found else found

    def _referred(self, pointer: str, within: frozenset[str]) -> OpenApiSchema:
        """Return the schema that a reference in the kind's schema leads to.

        An object with fields is one component for all references to it.
        """
        if pointer in self._by_pointer:
            return self._by_pointer[pointer]
        if pointer in within:
            return {}  # a reference to itself: no further detail is possible
        within |= {pointer}
        target = target_of(self._schema, pointer)
        steps = [
            step
            for step in unquote(pointer.removeprefix("#")).split("/")
            if step and step not in ("$defs", "properties")
        ]
        name = self._prefix + "".join(map(pascal, steps or ["file"]))
        merged = self._merged(target, within) if isinstance(target, dict) and "$ref" not in target else {}
        if not (merged.get("properties") and _types(merged) == ["object"]):
            return self.of(target, name, within)
        # Reserve the name first, because the schema may refer to itself.
        name = self._components.reserve(name)
        self._by_pointer[pointer] = reference(name)
        self._components.schemas[name] = self._shape(merged, name, within)
        return self._by_pointer[pointer]

    def _merged(self, node: OpenApiSchema, within: frozenset[str]) -> OpenApiSchema:
        """Merge the unconditional parts of `allOf` into a schema. Conditions are omitted."""
        merged = dict(node)
        for part in list_of(node.get("allOf")):
            if not isinstance(part, dict) or "if" in part:
                continue
            pointer = part.get("$ref")
            if isinstance(pointer, str):
                part = {} if pointer in within else target_of(self._schema, pointer)  # noqa: PLW2901
                within |= {pointer}
            more = self._merged(part, within) if isinstance(part, dict) else {}
            both = map_of(more.get("properties")) | map_of(merged.get("properties"))
            merged = more | merged | ({"properties": both} if both else {})
        return merged

    def _shape(self, node: OpenApiSchema, name: str, within: frozenset[str]) -> OpenApiSchema:
        """Return the schema of a value whose `allOf` was merged into it."""
        types = _types(node)
        found = _kept(node) | ({"type": types[0] if len(types) == 1 else types} if types else {})
        if isinstance(node.get("enum"), list):
            found["x-extensible-enum"] = node["enum"]
        if "array" in types:
            found["items"] = self.of(node.get("items", True), f"{name}Item", within)
        return found | self._fields(node, name, within) if types == ["object"] else found

    def _fields(self, node: OpenApiSchema, name: str, within: frozenset[str]) -> OpenApiSchema:
        """Return the keywords for the fields of an object."""
        fields = {key: part for key, part in map_of(node.get("properties")).items() if part is not False}
        if fields:
            return {
                "additionalProperties": True,
                "properties": {
                    key: self.of(part, name + pascal(key), within) for key, part in fields.items()
                },
                "required": [key for key in list_of(node.get("required")) if key in fields],
            }
        # Objects allow additional keys; a map from names to values describes its values.
        values = node.get("additionalProperties")
        is_map = isinstance(values, dict)
        return {"additionalProperties": self.of(values, f"{name}Value", within) if is_map else True}


def reference(name: str) -> OpenApiSchema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def pascal(text: str) -> str:
    """Return `process_definition` as `ProcessDefinition`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", text))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _kept(node: OpenApiSchema) -> OpenApiSchema:
    found = {key: node[key] for key in _KEPT if key in node}
    return found if "description" in found or "title" not in node else {"description": node["title"]} | found


def _types(node: OpenApiSchema) -> list[str]:
    """Return the types that a schema allows, declared or implied by its keywords."""
    found = node.get("type")
    if isinstance(found, str):
        return [found]
    if isinstance(found, list):
        return list(found)
    values = (
        node["enum"] if isinstance(node.get("enum"), list) else [node["const"]] if "const" in node else []
    )
    if values:
        return list(dict.fromkeys(_TYPE_NAMES[type(value)] for value in values))
    return ["object"] if "properties" in node else ["array"] if "items" in node else []


def _says_type(part: Any) -> bool:
    return isinstance(part, dict) and ("$ref" in part or bool(_types(part)))


def _union(shapes: Iterable[OpenApiSchema]) -> OpenApiSchema:
    """Return a schema that allows any of `shapes`.

    Duplicates are removed, and text with known values is merged into text of any kind.
    """
    plain: list[OpenApiSchema] = []
    for shape in shapes:
        alike = [
            one
            for one in plain
            if "$ref" not in one
            and one.get("type") == shape.get("type")
            and shape.get("type") not in (None, "object", "array")
        ]
        if not alike and shape not in plain:
            plain.append(shape)
        for one in alike:
            if "x-extensible-enum" not in shape:
                one.pop("x-extensible-enum", None)
    return plain[0] if len(plain) == 1 else {"anyOf": plain}
