"""The adapters of a process: how messages reach it and leave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def adapter_parameters(side: str, adapter: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of an adapter in one map; `side` is input or output."""
    rest = {key: value for key, value in adapter.items() if key != f"{side}_type"}
    params = rest.pop(f"{side}_params", None) or rest.pop(f"{side}_parameters", None) or {}
    return {**params, **rest} if isinstance(params, dict) else rest
