"""The form that all JSON of the commands shares: one object with `format_version`, whatever it holds.

`registry show` and `registry log` print what the API answers instead, and `registry schema` a JSON Schema: their forms have
other rules (docs/consumer.md). The formats of other programs (SARIF, JUnit …) are theirs.
"""

from collections.abc import Mapping
from typing import Any

from registry.model.characters import dump_json

FORMAT_VERSION = 1
"""Raised when a key is removed, renamed or changes its meaning. New keys may come at any time."""


def enveloped(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a command's answer, as an object that says which form it has."""
    return {"format_version": FORMAT_VERSION, **body}


def error_body(message: str, hint: str, exit_code: int) -> dict[str, Any]:
    """What replaces an answer when the command could not give one."""
    return {"error": {"message": message, "hint": hint, "exit_code": exit_code}}


def to_text(body: Mapping[str, Any]) -> str:
    """The answer as JSON text. It is plain ASCII, so that no terminal and no pipe can damage it."""
    return dump_json(enveloped(body))
