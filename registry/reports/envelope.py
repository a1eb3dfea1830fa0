"""The form that all JSON of the commands shares: one object with `format_version`, whatever it holds.

`registry show` and `registry log` print what the API answers instead, and `registry schema` a JSON Schema:
their forms have other rules (docs/consumer.md). The formats of other programs (SARIF, JUnit …) are theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.model.characters import dump_json

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT_VERSION = 1
"""Increased when a key is removed, renamed or changes its meaning. New keys can be added at any time."""


def enveloped(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a response with its format version."""
    return {"format_version": FORMAT_VERSION, **body}


def error_body(message: str, hint: str, exit_code: int) -> dict[str, Any]:
    """Return the response of a command that failed."""
    return {"error": {"message": message, "hint": hint, "exit_code": exit_code}}


def to_text(body: Mapping[str, Any]) -> str:
    """Return the response as JSON text, in ASCII so that terminals and pipes cannot damage it."""
    return dump_json(enveloped(body))
