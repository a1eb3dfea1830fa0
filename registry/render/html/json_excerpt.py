"""Shows a JSON value in limited space: the start of long texts, lists and maps. Pure: no I/O."""

from __future__ import annotations

from itertools import islice
from typing import Any

import orjson

_MORE = "…"
_CHARACTERS = 72
_ITEMS = 3
_KEYS = 16
_DEPTH = 5


def json_excerpt(value: Any) -> str:
    """Return a value as indented JSON. `…` replaces what is longer or deeper than the limits."""
    return _shown(value, "", _DEPTH)


def _shown(value: Any, indent: str, depth: int) -> str:
    if isinstance(value, str) and len(value) > _CHARACTERS:
        return _dump(value[:_CHARACTERS] + _MORE)
    if isinstance(value, dict) and value:
        return _map(value, indent, depth - 1) if depth else f"{{{_MORE}}}"
    if isinstance(value, list) and value:
        return _list(value, indent, depth - 1) if depth else f"[{_MORE}]"
    return _dump(value)


def _map(value: dict[str, Any], indent: str, depth: int) -> str:
    inside = f"{indent}  "
    some = islice(value.items(), _KEYS)
    lines = [f"{inside}{_dump(key)}: {_shown(item, inside, depth)}" for key, item in some]
    return _block("{", lines, len(value) > _KEYS, "}", indent)


def _list(value: list[Any], indent: str, depth: int) -> str:
    inside = f"{indent}  "
    parts = [_shown(item, inside, depth) for item in value[:_ITEMS]]
    is_cut = len(value) > _ITEMS
    on_one_line = f"[{', '.join([*parts, *([_MORE] if is_cut else [])])}]"
    if "\n" not in on_one_line and len(on_one_line) <= _CHARACTERS:
        return on_one_line
    return _block("[", [f"{inside}{part}" for part in parts], is_cut, "]", indent)


def _block(start: str, lines: list[str], is_cut: bool, end: str, indent: str) -> str:
    more = [f"{indent}  {_MORE}"] if is_cut else []
    return "\n".join([start, ",\n".join([*lines, *more]), f"{indent}{end}"])


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
