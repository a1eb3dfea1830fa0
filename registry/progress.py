"""How far long work is, told to whoever shows it."""

from typing import Protocol


class Progress(Protocol):
    """Told what is being done in a few words, and how far it is, for a line on the terminal. `total` 0: nobody knows."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show it."""


def silent(what: str, done: int = 0, total: int = 0) -> None:
    """Progress that nobody looks at."""
