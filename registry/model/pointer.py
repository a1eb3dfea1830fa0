"""JSON Pointers (RFC 6901): the only code that reads or writes them."""

from functools import lru_cache
from typing import Any


def escape_step(step: str | int) -> str:
    """Escape one step of a JSON Pointer."""
    return str(step).replace("~", "~0").replace("/", "~1")


def pointer_of(steps: tuple[str | int, ...]) -> str:
    """Return the JSON Pointer of a path of keys and indexes."""
    return "".join(f"/{escape_step(step)}" for step in steps)


@lru_cache(maxsize=4096)
def steps_of(pointer: str) -> tuple[str, ...]:
    """Return the keys and indexes of a JSON Pointer, all as text."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def value_at(document: Any, pointer: str) -> Any:
    """Return the value at a JSON Pointer that names only keys of maps; None if missing or for ""."""
    steps = steps_of(pointer)
    for step in steps:
        document = document.get(step) if isinstance(document, dict) else None
    return document if steps else None
