"""A kind's JSON Schema to OpenAPI components that describe answers, in the part of JSON Schema that client generators read.

A file's schema says what an author may write. A client asks another question: which fields can be there, and of which type. So
conditions, patterns and limits are left out, every object is open for keys that come later, and lists of allowed values are only
noted (`x-extensible-enum`): a new value must not break a client. Each object with fields has a name of its own; pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from registry.model.schema_reference import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Schema = dict[str, Any]
# Of each schema these are kept as they are. Not `title`: generators take it for the name of a class, and several have the same.
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
    """Schemas by name. Generators make files and classes of the names, so two names never differ in case or signs alone."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        """`schemas` keep the names that they have."""
        self.schemas: dict[str, Schema] = dict(schemas)
        self._taken = {_plain(name) for name in schemas}

    def reserve(self, wanted: str) -> str:
        """A free name: the one that is wanted, or the same with a number behind it."""
        name, number = wanted, 1
        while _plain(name) in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(_plain(name))
        return name

    def add(self, wanted: str, schema: Schema) -> Schema:
        """Put a schema under the name that is wanted, or one like it; gives a reference to it."""
        name = self.reserve(wanted)
        self.schemas[name] = schema
        return reference(name)


class Shapes:
    """The schemas of answers for the parts of one kind's schema."""

    def __init__(self, components: Components, prefix: str, schema: Mapping[str, Any]) -> None:
        """`prefix` starts the names of all components; `schema` is the kind's, complete in itself."""
        self._components = components
        self._prefix = prefix
        self._schema = schema
        self._by_pointer: dict[str, Schema] = {}

    def of(self, node: Any, name: str, within: frozenset[str] = frozenset()) -> Schema:
        """The schema of a value; an object with fields becomes the component `name`. `within` are the references that led here."""
        if not isinstance(node, dict):
            return {}  # `true`: anything
        pointer = node.get("$ref")
        if isinstance(pointer, str):
            return self._referred(pointer, within) | (
                {"description": node["description"]} if "description" in node else {}
            )
        choices = [part for key in ("anyOf", "oneOf") for part in _list(node.get(key)) if _says_type(part)]
        if choices and "properties" not in node and "type" not in node:
            return _kept(node) | _union([self.of(part, f"{name}Choice", within) for part in choices])
        merged = self._merged(node, within)
        found = self._shape(merged, name, within)
        return self._components.add(name, found) if "properties" in found else found

    def _referred(self, pointer: str, within: frozenset[str]) -> Schema:
        """What a reference inside of the kind's schema leads to; an object with fields is one component for all references to it."""
        if pointer in self._by_pointer:
            return self._by_pointer[pointer]
        if pointer in within:
            return {}  # lists of themselves: no more can be said
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
        # It has its name before it is made, because it may refer to itself.
        name = self._components.reserve(name)
        self._by_pointer[pointer] = reference(name)
        self._components.schemas[name] = self._shape(merged, name, within)
        return self._by_pointer[pointer]

    def _merged(self, node: Schema, within: frozenset[str]) -> Schema:
        """A schema with the fields of those that hold at all times as well (`allOf`); conditions are left out."""
        merged = dict(node)
        for part in _list(node.get("allOf")):
            if not isinstance(part, dict) or "if" in part:
                continue
            pointer = part.get("$ref")
            if isinstance(pointer, str):
                part = {} if pointer in within else target_of(self._schema, pointer)  # noqa: PLW2901
                within |= {pointer}
            more = self._merged(part, within) if isinstance(part, dict) else {}
            both = _map(more.get("properties")) | _map(merged.get("properties"))
            merged = more | merged | ({"properties": both} if both else {})
        return merged

    def _shape(self, node: Schema, name: str, within: frozenset[str]) -> Schema:
        """The schema of a value whose `allOf` was merged into it."""
        types = _types(node)
        found = _kept(node) | ({"type": types[0] if len(types) == 1 else types} if types else {})
        if isinstance(node.get("enum"), list):
            found["x-extensible-enum"] = node["enum"]
        if "array" in types:
            found["items"] = self.of(node.get("items", True), f"{name}Item", within)
        if types != ["object"]:
            return found
        fields = {key: part for key, part in _map(node.get("properties")).items() if part is not False}
        # Open for other keys; of a map from names to values it is said what the values are.
        values = node.get("additionalProperties")
        found["additionalProperties"] = (
            self.of(values, f"{name}Value", within) if isinstance(values, dict) and not fields else True
        )
        if fields:
            found["properties"] = {
                key: self.of(part, name + pascal(key), within) for key, part in fields.items()
            }
            found["required"] = [key for key in _list(node.get("required")) if key in fields]
        return found


def reference(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def pascal(text: str) -> str:
    """`process_definition` as `ProcessDefinition`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", text))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _kept(node: Schema) -> Schema:
    found = {key: node[key] for key in _KEPT if key in node}
    return found if "description" in found or "title" not in node else {"description": node["title"]} | found


def _types(node: Schema) -> list[str]:
    """The types that a schema allows, where it says so or shows it."""
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


def _union(shapes: Iterable[Schema]) -> Schema:
    """One of several: each once, and of texts with some known values and texts of any kind the latter alone."""
    plain: list[Schema] = []
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


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
