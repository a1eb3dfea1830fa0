"""JSON Pointers (RFC 6901): the only code that reads or writes them."""

from functools import lru_cache
from typing import Any


def escape_step(step: str | int) -> str:
    """One step of a JSON Pointer."""
    return str(step).replace("~", "~0").replace("/", "~1")


def pointer_of(steps: tuple[str | int, ...]) -> str:
    """The JSON Pointer of a path of keys and indexes."""
    return "".join(f"/{escape_step(step)}" for step in steps)


@lru_cache(maxsize=4096)
def steps_of(pointer: str) -> tuple[str, ...]:
    """The keys and indexes of a JSON Pointer, all as text."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def value_at(document: Any, pointer: str) -> Any:
    """The value at a JSON Pointer that names only keys of maps; None where there is none, and for the pointer ""."""
    steps = steps_of(pointer)
    for step in steps:
        document = document.get(step) if isinstance(document, dict) else None
    return document if steps else None
