"""Read JSON from other programs within limits, with errors that name the mistake."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

Pairs = Callable[[list[tuple[str, Any]]], Any]


def read_json(
    data: bytes | str,
    *,
    deepest: int,
    pairs: Pairs | None = None,
    constant: Callable[[str], Any] | None = None,
) -> Any:
    """Parse a JSON text of at most `deepest` levels. `pairs` and `constant` are the hooks of `json.loads`.

    Raises ValueError (json.JSONDecodeError for a syntax error) with a message for the author of the text.
    """
    try:
        found = json.loads(data, object_pairs_hook=pairs, parse_constant=constant)
    except RecursionError as error:
        raise ValueError(_too_deep(deepest)) from error
    except ValueError as error:
        raise _explained(error) from error
    check_limits(found, deepest)
    return found


def check_limits(value: Any, deepest: int) -> None:
    """Raise ValueError for a value with too many levels or with a string that is not valid Unicode.

    An example of the latter is half of a surrogate pair (`\\ud800`).
    """
    level: Iterable[Any] = [value]
    for _ in range(deepest):
        below: list[Any] = []
        for one in level:
            if isinstance(one, str):
                _check_text(one)
            elif isinstance(one, dict):
                below.extend(one.keys())
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        if not below:
            return
        level = below
    if any(isinstance(one, (dict, list)) for one in level):
        raise ValueError(_too_deep(deepest))
    for one in level:
        if isinstance(one, str):
            _check_text(one)


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the text contains half of a surrogate pair, \\u{ord(text[error.start]):04x}"
            ) from error


def _too_deep(deepest: int) -> str:
    return f"nested deeper than {deepest} levels"


def _explained(error: ValueError) -> ValueError:
    """Reword an error for the author of the text; Python reports long numbers in terms of its API."""
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) or "digits" not in str(error):
        return error
    return ValueError(f"a number of more than {sys.get_int_max_str_digits():,} digits")
