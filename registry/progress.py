"""Progress reports and cancellation of long operations."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Receives a short description of the current step and its progress, for a line on the terminal.

    `total` is 0 if unknown.
    """

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show the progress."""


def silent(what: str, done: int = 0, total: int = 0) -> None:
    """Discard the progress."""


class CanceledError(Exception):
    """The operation was canceled. It changed nothing."""


class CancelToken:
    """Lets a long operation check between its steps whether its result is still wanted."""

    def __init__(self, is_canceled: Callable[[], bool] = lambda: False) -> None:
        """Take a function that returns True once canceled. It is called from the working thread."""
        self._is_canceled = is_canceled

    def check(self) -> None:
        """Raise CanceledError once the operation is canceled."""
        if self._is_canceled():
            raise CanceledError


NOT_CANCELED = CancelToken()
