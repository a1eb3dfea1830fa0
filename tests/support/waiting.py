"""Waiting for conditions. No test depends on speed: limits are there so that what never comes ends a test at all."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
PATIENCE_S = 120
"""How long anything may take on a slow machine that others use, too."""


def eventually(holds: Callable[[], bool], what: str = "it", seconds: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.02)


def settled(value: Callable[[], Value], quiet_s: float) -> Value:
    """A value once it has been the same for `quiet_s` seconds; fails where it never is."""
    found, since = value(), time.monotonic()
    deadline = since + PATIENCE_S
    while time.monotonic() - since < quiet_s:
        time.sleep(0.05)
        if (now := value()) != found:
            found, since = now, time.monotonic()
            assert since < deadline, f"it never settles: {found!r}"
    return found
