"""Handling of Ctrl-C.

During start-up it ends the process at once (registry/__main__.py); in a command it is an exception.
"""

import signal
import threading


def allow_interrupts() -> None:
    """Make Ctrl-C raise KeyboardInterrupt. Before this call, it ends the process."""
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGINT, signal.default_int_handler)
