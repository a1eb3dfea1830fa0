"""Explain why a document is invalid: one finding per mistake, with a suggestion and a hint.

jsonschema-rs validates quickly. jsonschema is used only for invalid documents, to find the reasons.
"""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.errors import nearest
from registry.load.durations import seconds_of
from registry.load.yaml.writer import flow
from registry.model.schema_reference import target_of
from registry.model.values import map_of

if TYPE_CHECKING:
    from jsonschema import ValidationError

Schema = Mapping[str, Any]
Pointer = tuple[str | int, ...]
_TYPES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "empty",
}
# Of several findings about one value, the first in this list is the mistake; the others follow from it.
_PRIORITY = ("type", "enum", "const", "not", "minLength", "minItems", "minProperties", "pattern")
# Comparison time grows with the square of the length, and longer words are not typing mistakes.
_LONGEST_KEY = 64
# A longer hint does not help.
_LONGEST_TEXT = 500


class Finding(NamedTuple):
    """One mistake in a document.

    `rule` is the rule for definitions: S001 (key missing), S002 (unknown key), S003 (wrong type), S004 (not
    an allowed value) or S005 (wrong form). `name` is a key of the map at `path`, or None for the value
    itself. `keyword` is the JSON Schema keyword that failed.
    """

    rule: str
    path: Pointer
    name: str | None
    keyword: str
    message: str
    hint: str

    @property
    def pointer(self) -> Pointer:
        """The steps to the location to report."""
        return self.path if self.name is None or self.rule == "S001" else (*self.path, self.name)

    @property
    def is_key(self) -> bool:
        """True when the key at `pointer` is the mistake, not its value.

        A missing key is reported at the key of its map.
        """
        return self.name is not None or self.rule == "S001"


class _LinearTime:
    """Replacement for `re` inside jsonschema: patterns run in the engine of jsonschema-rs.

    A registry's own schema may contain a pattern such as `(a+)+$`, for which Python's engine needs
    exponential time. Both validators must also agree on what matches.
    """

    @staticmethod
    def search(pattern: str, text: str) -> bool:
        return bool(_pattern(pattern).is_valid(text))


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


def explain(
    root: Schema, data: Any, misspellings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Finding]:
    """Yield one finding for each reason why `data` does not validate against `root`.

    `root` is a JSON Schema 2020-12 whose references all start with `#`. `misspellings` maps common wrong
    names of a key to the key.
    """
    from jsonschema import Draft202012Validator, _keywords, _utils

    # jsonschema has no setting for its engine. Both modules use only `search`.
    for module in (_keywords, _utils):
        module.re = _LinearTime  # type: ignore[attr-defined]
    findings: list[Finding] = []
    for error in Draft202012Validator(root).iter_errors(data):
        findings.extend(_findings(error, root, misspellings))
    yield from _one_each(findings)


def _one_each(findings: Iterable[Finding]) -> list[Finding]:
    """Reduce findings to one per mistake."""
    unknown = {(finding.path, finding.hint) for finding in findings if finding.rule == "S002"}
    best: dict[tuple[Any, ...], Finding] = {}
    for finding in findings:
        if finding.rule == "S001" and (finding.path, f"did you mean `{finding.name}`?") in unknown:
            continue  # the key exists under a misspelled name
        place = (finding.path, finding.name)
        known = best.get(place)
        if known is None or _rank(finding) < _rank(known):
            best[place] = finding
    values = {finding.path for finding in best.values() if finding.name is None}
    return [
        finding
        for finding in best.values()
        if finding.name is None or finding.path not in values or finding.rule == "S002"
    ]


def _rank(finding: Finding) -> int:
    return _PRIORITY.index(finding.keyword) if finding.keyword in _PRIORITY else len(_PRIORITY)


def _findings(error: "ValidationError", root: Schema, misspellings: Mapping[str, str]) -> Iterator[Finding]:
    """Convert one error of jsonschema to findings."""
    path: Pointer = tuple(error.absolute_path)
    keyword = str(error.validator)
    chain = _schemas_on_the_way(error, root)
    message = _message(chain, keyword)
    value: Any = error.instance
    if keyword == "anyOf" and not message:
        # The schemas here only say "one of these words, or any text": report the errors of the last branch.
        yield from _findings(_last_branch(error), root, misspellings)
    elif keyword == "required":
        yield from _missing_keys(error, path, message)
    elif keyword in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown_keys(chain[-1], value, path, root, misspellings)
    elif "propertyNames" in error.absolute_schema_path:
        # The instance of this error is the key itself, so every keyword may have failed.
        yield Finding("S002", path, str(value), keyword, f"`{value}` {message or 'cannot be a key here'}", "")
    elif keyword == "type":
        yield _wrong_type(error, path, message)
    elif keyword in ("enum", "const"):
        yield _wrong_choice(error, path, keyword)
    else:
        words = _located(path, message) if message else _limit(error, path, keyword)
        yield Finding("S005", path, None, keyword, words, "")


def _missing_keys(error: "ValidationError", path: Pointer, message: str) -> Iterator[Finding]:
    required: Any = error.validator_value
    present: Any = error.instance
    for name in required:
        if name not in present:
            hint = "" if message else f"add `{name}: …`"
            yield Finding("S001", path, name, "required", message or f"`{name}` is missing", hint)


def _wrong_choice(error: "ValidationError", path: Pointer, keyword: str) -> Finding:
    limit: Any = error.validator_value
    value: Any = error.instance
    choices = [choice for choice in (limit if keyword == "enum" else [limit]) if choice is not None]
    guess = nearest(value, choices) if isinstance(value, str) else ""
    message = f"{_name(path)} cannot be {_shown(value)}"
    return Finding("S004", path, None, keyword, message, guess or f"one of {', '.join(map(str, choices))}")


def _last_branch(error: "ValidationError") -> "ValidationError":
    return max(error.context, key=lambda one: (one.schema_path[0], -len(one.absolute_path)))


def _schemas_on_the_way(error: "ValidationError", root: Schema) -> list[Any]:
    """Return the schemas from the root to the one with the failed keyword.

    References, which the path omits, are followed.
    """
    node: Any = root
    chain = [node]
    for step in error.absolute_schema_path:
        while isinstance(node, dict) and step not in node and "$ref" in node:
            node = target_of(root, node["$ref"])
            chain.append(node)
        node = node[step]
        if step == "$dynamicRef":  # the path contains it, unlike `$ref`
            node = target_of(root, node)
        if isinstance(node, dict):
            chain.append(node)
    return chain


def _message(chain: list[Any], keyword: str) -> str:
    """Return the message (`x-messages`) for a failed keyword from the nearest schema that has one."""
    # Only the last few schemas: messages further up describe something else.
    for node in reversed(chain[-4:]):
        words = node.get("x-messages")
        if isinstance(words, dict) and keyword in words:
            return str(words[keyword])
    return ""


def _unknown_keys(
    schema: Any, value: Any, path: Pointer, root: Schema, misspellings: Mapping[str, str]
) -> Iterator[Finding]:
    known, patterns = _known_keys(schema, root)
    for key in value:
        if key in known or any(_LinearTime.search(pattern, key) for pattern in patterns):
            continue
        guess = misspellings.get(key)
        hint = _elsewhere(key, path, root) or (
            f"did you mean `{guess}`?" if guess in known else _guess(key, known)
        )
        yield Finding(
            "S002",
            path,
            key,
            "additionalProperties",
            f"unknown key `{key}`",
            hint or f"known keys: {', '.join(known)}",
        )


def _guess(key: str, known: Iterable[str]) -> str:
    """Return a hint with the most likely known keys; "" if none is similar."""
    from difflib import SequenceMatcher

    if len(key) > _LONGEST_KEY:
        return ""
    # Ids are never written by hand.
    likeness = {word: SequenceMatcher(None, word, key.lower()).ratio() for word in known if word != "id"}
    best = max(likeness.values(), default=0.0)
    likely = [f"`{word}`" for word, ratio in likeness.items() if ratio >= max(best - 0.05, 0.6)]
    return f"did you mean {' or '.join(likely[:3])}?" if likely else ""


def _elsewhere(key: str, path: Pointer, root: Schema) -> str:
    """Return where a key belongs that is on the wrong side of `definition:`; "" for other keys."""
    around = root.get("properties", {})
    inside = _known_keys(around.get("definition", {}), root)[0]
    if not path and key in inside:
        return f"move it into `definition:`, indented: `  {key}: …`"
    if path == ("definition",) and key in around:
        return "move it to the top level, next to `definition:`"
    return ""


def _known_keys(schema: Any, root: Schema) -> tuple[dict[str, None], list[str]]:
    """Return the keys to suggest, and patterns of all other keys that a schema and its parts accept.

    jsonschema's unevaluated properties are not used: if a part of an `allOf` fails, all keys of that part
    count as unevaluated.
    """
    keys: dict[str, None] = {}
    patterns: list[str] = []
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        for key, sub in node.get("properties", {}).items():
            if isinstance(sub, dict) and sub.get("deprecated"):
                patterns.append(f"^{re.escape(key)}$")  # accepted, but never suggested
            else:
                keys[key] = None
        patterns.extend(node.get("patternProperties", ()))
        waiting.extend(node.get("allOf", ()))
        if "$ref" in node:
            waiting.append(target_of(root, node["$ref"]))
    return keys, patterns


def _wrong_type(error: "ValidationError", path: Pointer, message: str) -> Finding:
    if message:
        return Finding("S003", path, None, "type", _located(path, message), "")
    limit: Any = error.validator_value
    wanted: list[str] = limit if isinstance(limit, list) else [limit]
    words = " or ".join(_TYPES[one] for one in wanted)
    value = error.instance
    hint = _type_hint(value, wanted, path, error.schema)
    return Finding("S003", path, None, "type", f"{_name(path)} must be {words}, not {_type_of(value)}", hint)


def _type_hint(value: Any, wanted: list[str], path: Pointer, schema: Any) -> str:
    """Return a hint how to write the intended value; "" when the intention is unclear."""
    if value is None:
        return "give it a value, or remove the key"
    field = path[-1] if path else ""
    if isinstance(value, str):
        return _hint_for_text(value, wanted, str(field), schema)
    if "string" in wanted and isinstance(value, (bool, int)):
        return f'quote it: "{str(value).lower()}"'
    if "string" in wanted and isinstance(value, float):
        return 'quote it exactly as written: "…"'  # `2.50` reads as 2.5 here
    if "object" in wanted and field == "environment" and isinstance(value, list):
        return 'write a map: NAME: "value"'
    return ""


def _hint_for_text(text: str, wanted: list[str], field: str, schema: Any) -> str:
    if "array" in wanted:
        return _list_hint(field, text)
    if {"number", "integer"} & set(wanted):
        return _number_hint(text, schema, is_duration=field == "timeout", is_whole="number" not in wanted)
    return ""


def _list_hint(field: str, text: str) -> str:
    """Return the hint for a single text in place of a list."""
    if len(text) > _LONGEST_TEXT:
        return "write a list"
    if field != "argv":
        return f"write {field}: {flow([part.strip() for part in text.split(',') if part.strip()])}"
    try:
        words = shlex.split(text)
    except ValueError:
        return f"write {field}: {_in_quotes([text])}, or one item for each argument"
    as_one = (
        f", or {field}: {_in_quotes([text])} for one argument"
        if len(words) > 1 and not text.startswith("-")
        else ""
    )
    return f"write {field}: {_in_quotes(words)}{as_one}"


def _in_quotes(words: list[str]) -> str:
    return f"[{', '.join(json.dumps(word, ensure_ascii=False) for word in words)}]"


def _number_hint(text: str, schema: Any, *, is_duration: bool, is_whole: bool) -> str:
    """Return the hint with the number that a text represents, if the schema accepts it."""
    number = seconds_of(text) if is_duration else None
    if number is None and re.fullmatch(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?", text):
        number = Decimal(text)
    fits = number is not None and not (is_whole and number != number.to_integral_value())
    if not fits or number is None or _is_outside(number, schema):
        return "write a number of seconds" if is_duration else "write a number"
    shown = f"{number.normalize():f}"
    return f"write {shown}" if is_duration else f"write {shown}, without quotes"


def _is_outside(number: Decimal, schema: Any) -> bool:
    limits = map_of(schema)
    return bool(
        number < limits.get("minimum", number)
        or number > limits.get("maximum", number)
        or ("exclusiveMinimum" in limits and number <= limits["exclusiveMinimum"])
    )


def _limit(error: "ValidationError", path: Pointer, keyword: str) -> str:
    limit = error.validator_value
    shown = f"{limit:,}" if isinstance(limit, (int, float)) and not isinstance(limit, bool) else str(limit)
    words = {
        "minLength": "is empty" if limit == 1 else f"needs at least {shown} characters",
        "maxLength": f"is longer than {shown} characters",
        "minimum": f"must be at least {shown}",
        "maximum": f"must be at most {shown}",
        "exclusiveMinimum": f"must be greater than {shown}",
        "minItems": f"needs at least {shown} items",
        "minProperties": f"needs at least {shown} keys",
        "uniqueItems": "contains the same item twice",
        "not": "is not allowed here",
    }
    return _located(path, words.get(keyword) or "has an invalid format")


def _located(path: Pointer, words: str) -> str:
    # Older copies of the program's schemas start these sentences with "say".
    return words if words.startswith(("specify ", "say ")) else f"{_name(path)} {words}"


def _name(path: Pointer) -> str:
    if not path:
        return "the file"
    if isinstance(path[-1], int):
        return f"item {path[-1] + 1} of `{path[-2]}`" if len(path) > 1 else f"item {path[-1] + 1}"
    return f"`{path[-1]}`"


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false" if value else "false or true"
    kinds = {
        dict: "a map",
        list: "a list",
        str: "text",
        int: "a number",
        float: "a number",
        type(None): "empty",
    }
    return kinds[type(value)]


def _shown(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) and len(value) <= 60 else _type_of(value)
