"""Write plain data as YAML that the strict reader reads back exactly; for new files only, never for edits."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from registry.load import yaml

_WIDTH = 100
# Words, paths and names that need no quotes, unless YAML versions read the word differently.
_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9/_.+ -]*[A-Za-z0-9/_.+-])?\Z")


def to_yaml(data: dict[str, Any]) -> str:
    """Return a map as YAML in block style.

    Short lists and maps are in brackets, and quotes are used as needed.
    """
    return "".join(f"{line}\n" for line in _map_lines(data))


def _map_lines(data: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        if value.__class__ is str and "\n" not in value:
            lines.append(f"{_text(key, is_key=True)}: {_text(value)}")
        else:
            lines.extend(_item_lines(key, value))
    return lines


def _item_lines(key: str, value: Any) -> Sequence[str]:
    """Return the lines of one key of a map with its value."""
    name = _text(key, is_key=True)
    if isinstance(value, str):
        return _block_text(name, value)
    if not value or not isinstance(value, (dict, list)):
        return [f"{name}: {flow(value)}"]
    is_map_of_more = isinstance(value, dict) and (
        any(isinstance(item, (dict, list)) for item in value.values()) or _has_long_text(value)
    )
    in_one_line = "" if is_map_of_more else flow(value)
    if is_map_of_more or len(name) + len(in_one_line) > _WIDTH - 20:
        inner = _map_lines(value) if isinstance(value, dict) else _list_lines(value)
        return [f"{name}:", *(f"  {line}" if line else "" for line in inner)]
    return [f"{name}: {in_one_line}"]


def _has_long_text(value: Any) -> bool:
    """True for a map or list with a multi-line text, which is not readable in brackets."""
    if isinstance(value, dict):
        return any(
            _has_long_text(item) or (isinstance(item, str) and "\n" in item) for item in value.values()
        )
    return False


def _list_lines(data: list[Any]) -> list[str]:
    return [f"- {flow(item)}" for item in data]


@lru_cache(maxsize=4_096)
def _block_text(name: str, value: str) -> tuple[str, ...]:
    """Return a multi-line text in literal style if that is lossless, else quoted."""
    body = value.removesuffix("\n")
    lines = [
        f"{name}: |{'' if value.endswith(chr(10)) else '-'}",
        *(f"  {line}" if line else "" for line in body.split("\n")),
    ]
    again = yaml.read("\n".join([*lines, ""]).encode(), "").document
    return tuple(lines) if again is not None and again.data == {name: value} else (f"{name}: {flow(value)}",)


def flow(value: Any) -> str:
    """Return any value on one line."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_text(key, is_key=True)}: {flow(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


# Cached: revisions of one definition repeat nearly the same words, and checking each dominates the time.
@lru_cache(maxsize=16_384)
def _text(text: str, *, is_key: bool = False) -> str:
    """Return a text plain if the strict reader reads it back unchanged, also in brackets; else quoted."""
    is_ambiguous = yaml.is_ambiguous(text)
    if not is_ambiguous and _PLAIN.match(text):
        return text
    if text and text.isprintable() and text == text.strip() and not is_ambiguous:
        # Brackets and block style accept different texts: `-` is text in one and a list in the other.
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
    # Not as in JSON: YAML has no surrogate pairs.
    return {"\n": "\\n", "\t": "\\t"}.get(char) or (
        f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    )
