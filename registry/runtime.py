"""When a second process may share what this one holds, and how many can work at once."""

import os
import sys
import threading

_MOMENT_S = 0.2


def can_fork() -> bool:
    """True where a process can be forked, and no other thread can leave it a lock that nobody will ever release."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return False
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.finished.is_set():
            thread.join(_MOMENT_S)  # a command of git that has ended leaves its time limit to end by itself
    return threading.active_count() == 1


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
