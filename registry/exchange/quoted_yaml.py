"""YAML in which every text is in double quotes, so that programs of all YAML versions read the same."""

import re
from collections.abc import Mapping
from typing import Any

from registry.load.yaml.scalars import is_ambiguous
from registry.load.yaml.writer import quoted, scalar

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*\Z")
# YAML finds the `:` of a key only within 1,024 characters.
_LONGEST_KEY = 1_000


def quoted_yaml(data: Mapping[str, Any]) -> str:
    """Return a map as YAML in block style. Keys that are plain words in all YAML versions have no quotes."""
    return "".join(f"{line}\n" for line in _map_lines(data))


def _map_lines(data: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        name = key if _PLAIN_KEY.match(key) and not is_ambiguous(key) else quoted(key)
        first, *others = _value_lines(value)
        if len(name) > _LONGEST_KEY:
            lines.append(f"? {name}")
            name = ""
        lines += [f"{name}:{first}", *others]
    return lines


def _value_lines(value: Any) -> list[str]:
    """Return what follows after `:` or `-`, and the lines below it, indented."""
    if isinstance(value, str):
        return [f" {quoted(value)}"]
    if isinstance(value, Mapping):
        return ["", *(f"  {line}" for line in _map_lines(value))] if value else [" {}"]
    if isinstance(value, list | tuple):
        return ["", *(f"  {line}" for item in value for line in _item_lines(item))] if value else [" []"]
    return [f" {scalar(value)}"]


def _item_lines(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        first, *others = _map_lines(value)
        return [f"- {first}", *(f"  {line}" for line in others)]
    first, *others = _value_lines(value)
    return [f"-{first}", *others]
