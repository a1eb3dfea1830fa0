"""The adapters of a process: how messages reach it and leave it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIZE = re.compile(r"([0-9]+) ?([kKMGT]?)(i?)B?\Z")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def adapter_parameters(side: str, adapter: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of an adapter in one map; `side` is input or output."""
    rest = {key: value for key, value in adapter.items() if key != f"{side}_type"}
    params = rest.pop(f"{side}_params", None) or rest.pop(f"{side}_parameters", None) or {}
    return {**params, **rest} if isinstance(params, dict) else rest


def size_in_bytes(value: Any) -> float:
    """Return a size such as 500 or `10KB` in bytes; infinity for no limit or an invalid value."""
    if isinstance(value, int):
        return value
    found = _SIZE.match(value) if isinstance(value, str) else None
    return int(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]] if found else float("inf")
