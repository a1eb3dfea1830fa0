"""Parts of a JSON document of unknown form: a value of another type than the expected one counts as empty.

Files with errors are compared, reviewed and fixed, too, so the schema guarantees nothing.
"""

from __future__ import annotations

from typing import Any


def map_of(value: Any) -> dict[str, Any]:
    """Return the value if it is a map, otherwise an empty map."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return the value if it is a list, otherwise an empty list."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """Return the value if it is a text, otherwise an empty text."""
    return value if isinstance(value, str) else ""
