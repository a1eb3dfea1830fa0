"""Plain data to YAML text that the strict reader takes back exactly; for new files only, never for editing one."""

import json
from functools import lru_cache
from typing import Any

import orjson

from registry import yaml

_WIDTH = 100


def to_yaml(data: dict[str, Any]) -> str:
    """A map as YAML in block style, short lists and maps in brackets, everything quoted that needs it."""
    return "".join(f"{line}\n" for line in _map_lines(data))


def _map_lines(data: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        is_map_of_more = isinstance(value, dict) and any(isinstance(item, (dict, list)) for item in value.values())
        if is_map_of_more:
            lines.extend(_item_lines(key, value))
        else:
            lines.extend(_lines_of_text(key, orjson.dumps(value)))
    return lines


# The revisions of one definition hold the same values again and again: a fifth of the time.
@lru_cache(maxsize=16_384)
def _lines_of_text(key: str, value: bytes) -> tuple[str, ...]:
    return tuple(_item_lines(key, orjson.loads(value)))


def _item_lines(key: str, value: Any) -> list[str]:
    """One key of a map with its value."""
    name = _text(key, is_key=True)
    if (isinstance(value, (dict, list)) and value and len(name) + len(flow(value)) > _WIDTH - 20) or _has_long_text(value):
        inner = _map_lines(value) if isinstance(value, dict) else _list_lines(value)
        return [f"{name}:", *(f"  {line}" if line else "" for line in inner)]
    if isinstance(value, dict) and any(isinstance(item, (dict, list)) for item in value.values()):
        return [f"{name}:", *(f"  {line}" for line in _map_lines(value))]
    if isinstance(value, str) and "\n" in value:
        return _block_text(name, value)
    return [f"{name}: {flow(value)}"]


def _has_long_text(value: Any) -> bool:
    """True for a map or list that holds a text of several lines, which cannot stand in brackets readably."""
    if isinstance(value, dict):
        return any(_has_long_text(item) or (isinstance(item, str) and "\n" in item) for item in value.values())
    return False


def _list_lines(data: list[Any]) -> list[str]:
    return [f"- {flow(item)}" for item in data]


def _block_text(name: str, value: str) -> list[str]:
    """A text of several lines in literal style, where that gives it back exactly; else quoted."""
    body = value.removesuffix("\n")
    lines = [f"{name}: |{'' if value.endswith(chr(10)) else '-'}", *(f"  {line}" if line else "" for line in body.split("\n"))]
    again = yaml.read("\n".join([*lines, ""]).encode(), "").document
    return lines if again is not None and again.data == {name: value} else [f"{name}: {flow(value)}"]


def flow(value: Any) -> str:
    """Any value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key, is_key=True)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


# Revisions of one definition hold nearly the same words again and again, and reading each is most of the time.
@lru_cache(maxsize=65_536)
def _text(text: str, *, is_key: bool = False) -> str:
    """A text plain where the strict reader takes it back as the same text, inside brackets too; else quoted."""
    if text and text.isprintable() and text == text.strip():
        # In brackets and in block style, which do not take the same: `-` is text in one and a list in the other.
        wanted = {text: 1} if is_key else {"a": text}
        plain = f"{text}: 1" if is_key else f"a: {text}"
        if _reads_as(f"[{{{plain}}}]", [wanted]) and _reads_as(plain, wanted):
            return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _reads_as(text: str, wanted: Any) -> bool:
    reading = yaml.read(text.encode("utf-8", "replace"), "")
    return not reading.problems and reading.document is not None and reading.document.data == wanted


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    # Not as JSON does it: YAML knows no pairs of surrogates.
    return {"\n": "\\n", "\t": "\\t"}.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")
