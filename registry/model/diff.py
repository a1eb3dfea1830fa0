"""Compare two documents: changed fields by JSON Pointer (RFC 6901); pure."""

from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from registry.model.pointer import escape_step, steps_of


class Missing(Enum):
    """Marks a field that did not exist before, or no longer exists."""

    MISSING = "missing"


MISSING = Missing.MISSING


class Change(NamedTuple):
    """One changed field: its JSON Pointer and the value before and after (`MISSING` if there was none)."""

    pointer: str
    old: Any
    new: Any


def field_at(document: Any, pointer: str) -> Any:
    """Return the value of a field by its JSON Pointer, which names only keys of maps, or `MISSING`."""
    for step in steps_of(pointer):
        if not isinstance(document, dict) or step not in document:
            return MISSING
        document = document[step]
    return document


def diff(old: Any, new: Any) -> list[Change]:
    """Return the changed fields. Maps are compared by key, lists as one value; the order of keys is ignored.

    A list is one value because its items have no names: an argument inserted at the start would otherwise
    change every argument.
    """
    if type(old) is not dict or type(new) is not dict:
        return [] if same(old, new) else [Change("", old, new)]
    changes: list[Change] = []
    _collect(old, new, "", changes)
    return changes


def _collect(old: dict[str, Any], new: dict[str, Any], pointer: str, changes: list[Change]) -> None:
    # Append to one list: nested generators take twice the time, and histories call this 50,000 times.
    common = len(old)
    for key, value in old.items():
        if key not in new:
            changes.append(Change(pointer + _step(key), value, MISSING))
            common -= 1
            continue
        other = new[key]
        if value is other:
            continue  # the usual case between two revisions
        if type(value) is dict and type(other) is dict:
            _collect(value, other, pointer + _step(key), changes)
        elif value != other if type(value) is str else not same(value, other):
            changes.append(Change(pointer + _step(key), value, other))
    if len(new) > common:
        for key, value in new.items():
            if key not in old:
                changes.append(Change(pointer + _step(key), MISSING, value))


def same(old: Any, new: Any) -> bool:
    """True for equal JSON values: types matter, the order of keys does not."""
    if old is new:
        return True
    # `1 == True` and `1 == 1.0` in Python, but not in JSON; also inside maps and lists.
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(same(value, new[key]) for key, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(map(same, old, new))
    return bool(old == new)


# Cached, because files have the same keys repeatedly.
@lru_cache(maxsize=4096)
def _step(key: str) -> str:
    return f"/{escape_step(key)}"
