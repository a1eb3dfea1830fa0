"""Handling of Ctrl-C.

During start-up it ends the process at once (registry/__main__.py); in a command it is an exception.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Received:
    """Whether Ctrl-C came. Not a threading.Event: its lock could be held when the signal arrives."""

    is_set = False


def allow_interrupts() -> None:
    """Make Ctrl-C raise KeyboardInterrupt. Before this call, it ends the process."""
    _Received.is_set = False
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGINT, _interrupt)


@contextmanager
def interrupted_by_termination() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt, too, for a command that must end other programs first.

    SIGHUP comes when the terminal closes. One that is ignored (nohup) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    earlier = {one: signal.getsignal(one) for one in numbers}
    try:
        for one, handler in earlier.items():
            if handler is not signal.SIG_IGN:
                signal.signal(one, _interrupt)
        yield
    finally:
        for one, handler in earlier.items():
            signal.signal(one, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _Received.is_set = True
    raise KeyboardInterrupt


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt if Ctrl-C came before; call it before a command begins to wait.

    Python ignores exceptions in some callbacks, for example those of imports. A Ctrl-C at that moment would
    be lost, and the command would go on without an end.
    """
    if _Received.is_set:
        raise KeyboardInterrupt
