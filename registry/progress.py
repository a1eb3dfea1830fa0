"""Long work reports how far it is, and can be canceled."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Receives what is being done in a few words, and how far it is, for a line on the terminal. `total` 0: unknown."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show it."""


def silent(what: str, done: int = 0, total: int = 0) -> None:
    """Progress that is not shown."""


class CanceledError(Exception):
    """The work was canceled; it changed nothing."""


class CancelToken:
    """Passed to long work, which asks between its steps whether its result is still wanted."""

    def __init__(self, is_canceled: Callable[[], bool] = lambda: False) -> None:
        """`is_canceled` is called from the thread that works."""
        self._is_canceled = is_canceled

    def check(self) -> None:
        """Raises CanceledError once the work is canceled."""
        if self._is_canceled():
            raise CanceledError


NOT_CANCELED = CancelToken()
