"""Changes of a kind's schema that accept more than before. Pure.

The comparison knows the keywords of JSON Schema draft 2020-12. Where it cannot decide, it reports the change:
a false report costs a reviewer a minute, a missed one hides that a check is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.changes.meaning import Meaning, meaning
from registry.load.settings import CHANGE_LEVELS
from registry.model.diff import MISSING, same
from registry.model.pointer import escape_step, pointer_of
from registry.model.schema_reference import target_of
from registry.model.values import map_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from registry.load.kinds import Kind

_ANNOTATIONS = frozenset(
    (
        "title",
        "description",
        "examples",
        "default",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$schema",
        "$id",
        "$comment",
        "x-messages",
        "x-registry",
    )
)
_AT_LEAST = frozenset(
    ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties", "minContains")
)
_AT_MOST = frozenset(("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties", "maxContains"))
_SCHEMAS = frozenset(
    (
        "additionalProperties",
        "unevaluatedProperties",
        "items",
        "additionalItems",
        "unevaluatedItems",
        "propertyNames",
        "contains",
        "then",
        "else",
    )
)
# The registry generates this part from all adapter types. A new type does not weaken the schema.
_GENERATED = "adapters"
SchemaChange = tuple[str, Any, Any, str]
"""Pointer into the schema, old and new value, and the effect."""


def loosened_schema(old: Kind, new: Kind) -> Iterator[Meaning]:
    """Yield what a kind's schema newly accepts, or may accept when that cannot be decided."""
    lost = [pointer_of(one) for one in old.traits.secret_fields if one not in new.traits.secret_fields]
    if lost:
        yield meaning(
            "C203",
            "/x-registry/secret_fields",
            lost,
            MISSING,
            more="credentials in these fields are no longer detected",
        )
    for reference in old.references:
        if reference not in new.references:
            words = "references in this field are no longer checked"
            yield meaning(
                "C203",
                "/x-registry/references",
                f"{reference.pointer} → {reference.kind}",
                MISSING,
                more=words,
            )
    yield from _loosened_levels(old, new)
    for pointer, before, after, words in _Schemas(old.schema, new.schema).looser():
        yield meaning("C203", pointer, before, after, more=words)


def _loosened_levels(old: Kind, new: Kind) -> Iterator[Meaning]:
    """Changes of fields that the schema lets count for less."""
    default = {"added": "safe", "changed": "risky", "removed": "breaking"}
    for pointer in sorted({*old.traits.changes, *new.traits.changes}):
        for event, standard in default.items():
            before, after = (one.traits.changes.get(pointer, {}).get(event, standard) for one in (old, new))
            if CHANGE_LEVELS.index(after) > CHANGE_LEVELS.index(before):
                steps = ("x-registry", "changes", pointer, event)
                yield meaning(
                    "C203", pointer_of(steps), before, after, more="changes there have a lower level"
                )


def _type_effect(old: Any, new: Any) -> str:
    # A schema that accepts numbers accepts integers, too.
    added = set(_list(new)) - set(_list(old)) - ({"integer"} if "number" in _list(old) else set())
    return "values of other types are accepted" if new is MISSING or added else ""


def _enum_effect(old: Any, new: Any) -> str:
    is_wider = any(all(not same(one, other) for other in _list(old)) for one in _list(new))
    return "more values are accepted" if new is MISSING or is_wider else ""


def _required_effect(old: Any, new: Any) -> str:
    gone = [name for name in _list(old) if new is MISSING or name not in _list(new)]
    return f"{', '.join(map(str, gone))} may be missing" if gone else ""


def _minimum_effect(old: Any, new: Any) -> str:
    return "" if _are_numbers(old, new) and new >= old else "the limit is less strict"


def _maximum_effect(old: Any, new: Any) -> str:
    return "" if _are_numbers(old, new) and new <= old else "the limit is less strict"


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


# What a change of the keyword's value lets through; "" where the new value accepts no more than the old one.
_EFFECTS: Mapping[str, Callable[[Any, Any], str]] = {
    "type": _type_effect,
    "enum": _enum_effect,
    "required": _required_effect,
    **dict.fromkeys(_AT_LEAST, _minimum_effect),
    **dict.fromkeys(_AT_MOST, _maximum_effect),
}


class _Schemas:
    """Two versions of a kind's schema (JSON Schema draft 2020-12), compared keyword by keyword."""

    def __init__(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self._old, self._new = old, new
        self._found: list[SchemaChange] = []

    def looser(self) -> list[SchemaChange]:
        """Return everything that the new version accepts, or may accept, and the old one did not."""
        self._compare(self._old, self._new, "")
        for reference in sorted(_negated(self._old)):
            node = {"$ref": reference}
            if not same(self._resolved(node, self._old), self._resolved(node, self._new)):
                pointer = reference.removeprefix("#")
                old, new = _short(target_of(self._old, reference)), _short(target_of(self._new, reference))
                self._note(
                    pointer,
                    old,
                    new,
                    "used in a `not` or `if`: it may accept more",
                )
        return self._found

    def _note(self, pointer: str, old: Any, new: Any, words: str) -> None:
        self._found.append((pointer, old, new, words))

    def _compare(self, old: Any, new: Any, pointer: str) -> None:
        if old is False and new is not False:
            self._note(pointer, False, _short(new), "values that were rejected are accepted")
        if old is False or new is False or same(old, new):
            return
        before, after = map_of(old), map_of(new)
        for key, value in before.items():
            if key not in _ANNOTATIONS and not key.startswith("x-") and key != "$defs":
                self._keyword(key, value, after.get(key, MISSING), f"{pointer}/{escape_step(key)}", after)
        for key in ("$defs", "definitions"):
            for name in map_of(before.get(key)).keys() & map_of(after.get(key)).keys():
                if name != _GENERATED or pointer:
                    self._compare(before[key][name], after[key][name], f"{pointer}/{key}/{escape_step(name)}")

    def _keyword(self, key: str, old: Any, new: Any, pointer: str, around: Mapping[str, Any]) -> None:
        if same(old, new):
            return
        if key in ("properties", "patternProperties"):
            self._properties(map_of(old), map_of(new), pointer, around)
            if key == "patternProperties":
                self._new_patterns(map_of(old), map_of(new), pointer)
        elif key in _SCHEMAS:
            self._subschema(old, new, pointer)
        elif key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            self._branches(key, _list(old), [] if new is MISSING else _list(new), pointer)
        elif key in ("if", "not", "$ref", "$dynamicRef"):
            if not same(self._resolved(old, self._old), self._resolved(new, self._new)):
                self._note(pointer, _short(old), _short(new), "it may accept more")
        elif key in _EFFECTS:
            if effect := _EFFECTS[key](old, new):
                self._note(pointer, old, new, effect)
        else:
            # `pattern`, `const`, `format`, `uniqueItems`, `dependentRequired` and keywords unknown to this
            # program.
            self._note(pointer, _short(old), _short(new), "a changed or removed condition may accept more")

    def _subschema(self, old: Any, new: Any, pointer: str) -> None:
        self._compare(old, {} if new is MISSING else new, pointer)
        if new is MISSING and isinstance(old, dict) and _constrains(old):
            self._note(pointer, _short(old), MISSING, "no longer checked")

    def _properties(
        self, old: Mapping[str, Any], new: Mapping[str, Any], pointer: str, around: Mapping[str, Any]
    ) -> None:
        # A closed object rejects a key whose schema was removed, so nothing more is accepted.
        is_closed = False in (around.get("additionalProperties"), around.get("unevaluatedProperties"))
        for name, schema in old.items():
            place = f"{pointer}/{escape_step(name)}"
            if name in new:
                self._compare(schema, new[name], place)
            elif not is_closed and _constrains(schema):
                self._note(place, _short(schema), MISSING, "the value is no longer checked")

    def _new_patterns(self, old: Mapping[str, Any], new: Mapping[str, Any], pointer: str) -> None:
        for name in new.keys() - old.keys() - {"^x-"}:
            self._note(f"{pointer}/{escape_step(name)}", MISSING, _short(new[name]), "more keys are accepted")

    def _branches(self, key: str, old: list[Any], new: list[Any], pointer: str) -> None:
        rest_old = [one for one in old if not any(same(one, other) for other in new)]
        rest_new = [one for one in new if not any(same(one, other) for other in old)]
        if key in ("anyOf", "oneOf") and (len(new) > len(old) or not new):
            self._note(pointer, _short(old), _short(new), "more alternatives are accepted")
        elif key in ("allOf", "prefixItems") and len(rest_new) < len(rest_old):
            self._note(pointer, _short(old), _short(new), "a condition is no longer checked")
        for number, (one, other) in enumerate(zip(rest_old, rest_new, strict=False)):
            self._compare(one, other, f"{pointer}/{number}")

    def _resolved(self, node: Any, root: dict[str, Any], depth: int = 0) -> Any:
        """Return the node with its references resolved: a `not` or `if` can change through its references."""
        if isinstance(node, list):
            return [self._resolved(one, root, depth) for one in node]
        if not isinstance(node, dict):
            return node
        found = {
            key: self._resolved(value, root, depth) for key, value in node.items() if key not in _ANNOTATIONS
        }
        if isinstance(node.get("$ref"), str) and depth < 8:
            found["$ref"] = self._resolved(target_of(root, node["$ref"]), root, depth + 1)
        return found


def _negated(node: Any, *, inside: bool = False) -> set[str]:
    """Return the references within a `not` or `if`, where a stricter schema makes the whole accept more."""
    found: set[str] = set()
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and inside and isinstance(value, str):
                found.add(value)
            found |= _negated(value, inside=inside or key in ("not", "if"))
    elif isinstance(node, list):
        for value in node:
            found |= _negated(value, inside=inside)
    return found


def _constrains(schema: Any) -> bool:
    return schema is False or any(
        key not in _ANNOTATIONS and not key.startswith("x-") for key in map_of(schema)
    )


def _short(value: Any) -> Any:
    """Return a part of a schema for display. A large part is reduced to its keywords."""
    if isinstance(value, dict | list) and len(str(value)) > 300:
        return f"({', '.join(map(str, value))})"[:300] if isinstance(value, dict) else f"({len(value)} items)"
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is MISSING else [value]
