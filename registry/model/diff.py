"""Two documents to their changed fields, by JSON Pointer (RFC 6901); pure."""

from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from registry.model.pointer import escape_step


class Missing(Enum):
    """Stands where a field did not exist before, or does not exist any more."""

    MISSING = "missing"


MISSING = Missing.MISSING


class Change(NamedTuple):
    """One changed field: its JSON Pointer, and the value before and after (`MISSING` where there was none)."""

    pointer: str
    old: Any
    new: Any


def diff(old: Any, new: Any) -> list[Change]:
    """The fields that differ, maps key by key, lists as one value; the order of keys is no change.

    A list is one value because its items have no names: an argument put in front would otherwise read as
    every argument changed.
    """
    if type(old) is not dict or type(new) is not dict:
        return [] if same(old, new) else [Change("", old, new)]
    changes: list[Change] = []
    _collect(old, new, "", changes)
    return changes


def _collect(old: dict[str, Any], new: dict[str, Any], pointer: str, changes: list[Change]) -> None:
    # Appends to one list: nested generators take twice the time, and histories ask for this 50,000 times.
    common = len(old)
    for key, value in old.items():
        if key not in new:
            changes.append(Change(pointer + _step(key), value, MISSING))
            common -= 1
            continue
        other = new[key]
        if value is other:
            continue  # from one revision to the next most of a document is
        if type(value) is dict and type(other) is dict:
            _collect(value, other, pointer + _step(key), changes)
        elif value != other if type(value) is str else not same(value, other):
            changes.append(Change(pointer + _step(key), value, other))
    if len(new) > common:
        for key, value in new.items():
            if key not in old:
                changes.append(Change(pointer + _step(key), MISSING, value))


def same(old: Any, new: Any) -> bool:
    """Equal as JSON values: types count, the order of keys does not."""
    if old is new:
        return True
    # `1 == True` and `1 == 1.0` in Python, but not in JSON; inside of maps and lists too.
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(same(value, new[key]) for key, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(map(same, old, new))
    return bool(old == new)


# Files have the same keys again and again.
@lru_cache(maxsize=4096)
def _step(key: str) -> str:
    return f"/{escape_step(key)}"
