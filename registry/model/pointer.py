"""JSON Pointers (RFC 6901): the only code that reads or writes them."""

from functools import lru_cache


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
