"""Child processes and the policy for Python's cycle collector.

All forks are in this module. A child shares the memory of its parent and ignores Ctrl-C, which reaches the
whole process group: the parent decides when to stop its children.
"""

import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, NoReturn, TypeVar

from registry.errors import UsageError

_MOMENT_S = 0.2
# Minimum number of parts for which a second process saves more than its start costs.
_WORTH_SHARING = 40
_TOKEN_BYTES = 4
# Maximum number of tokens: those of all parts must fit into a pipe.
_MOST_TOKENS = 16_000

Result = TypeVar("Result")
Part = TypeVar("Part")


def can_fork() -> bool:
    """Return True where this process can fork, and no other thread can hold a lock at that moment."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return False
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.finished.is_set():
            thread.join(_MOMENT_S)  # the timer of a git command that has finished ends soon
    return threading.active_count() == 1


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Child(Generic[Result]):
    """A forked process that runs a function.

    It sees the memory of this process at the time of the fork, without a copy.
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        """Start `work` in a new process. Call only if `can_fork` returns True."""
        self._pipe, theirs = os.pipe()
        self._process = os.fork()
        if not self._process:
            os.close(self._pipe)
            _work_and_end(work, theirs)
        os.close(theirs)

    def result(self) -> Result:
        """Wait for `work` and return its result.

        Raises the exception of `work`, or UsageError when the process was killed.
        """
        with open(self._pipe, "rb", closefd=False) as pipe:
            sent = pipe.read()
        self.close()
        if not sent:
            raise UsageError(
                "a child process of this command was killed", "check that there is enough memory"
            )
        succeeded, value = pickle.loads(sent)
        if not succeeded:
            raise value
        return value  # type: ignore[no-any-return]

    def close(self) -> None:
        """Kill the process if it is still running, and release its pipe."""
        if self._process:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            os.close(self._pipe)
            self._process = 0


def _work_and_end(work: Callable[[], object], pipe: int) -> NoReturn:
    """Run `work` in the child process and exit. The child must never run the parent's code."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            sent = pickle.dumps((True, work()), pickle.HIGHEST_PROTOCOL)
        except BaseException as error:  # noqa: BLE001 - the parent handles every error
            sent = _dumped(error)
        with open(pipe, "wb") as out:
            out.write(sent)
    finally:
        os._exit(0)


def _dumped(error: BaseException) -> bytes:
    try:
        return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - an error that cannot be pickled is sent as text
        return pickle.dumps((False, RuntimeError("".join(traceback.format_exception(error)))))


def share(
    parts: Sequence[Part],
    work: Callable[[Part], None],
    result: Callable[[], Result],
    on_progress: Callable[[int, int], None],
) -> Result | None:
    """Process every part, together with a child process where this saves time.

    Each process takes the next free part. Returns the value of `result` in the child, or None without a
    child. `on_progress` receives the number of parts taken and the total.
    """
    if not _WORTH_SHARING <= len(parts) <= _MOST_TOKENS or not can_fork():
        for number, part in enumerate(parts):
            on_progress(number, len(parts))
            work(part)
        return None
    # A pipe holds one token for each part, which can be read only once: reading it takes the part.
    tokens, writer = os.pipe()
    os.write(writer, b"".join(number.to_bytes(_TOKEN_BYTES, "big") for number in range(len(parts))))
    os.close(writer)

    def work_on_untaken(report: Callable[[int, int], None]) -> None:
        while token := os.read(tokens, _TOKEN_BYTES):
            number = int.from_bytes(token, "big")
            report(number, len(parts))
            work(parts[number])

    def in_child() -> Result:
        work_on_untaken(lambda _done, _total: None)
        return result()

    child = Child(in_child)
    try:
        work_on_untaken(on_progress)
        return child.result()
    finally:
        child.close()
        os.close(tokens)


def shared_map(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Return the result of `work` for each part, in order; a child process takes some, as in `share`."""
    found: dict[int, Result] = {}

    def work_on(number: int) -> None:
        found[number] = work(parts[number])

    found.update(share(range(len(parts)), work_on, lambda: found, lambda _done, _total: None) or {})
    return [found[number] for number in range(len(parts))]


@contextmanager
def without_cycle_collector() -> Iterator[None]:
    """Disable the cycle collector while many small objects are created.

    Otherwise the collector would scan them again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Enable the cycle collector inside `without_cycle_collector`, with a high threshold.

    It scans only objects created from now on.
    """
    threshold = gc.get_threshold()
    keep_for_good()
    try:
        yield
    finally:
        gc.disable()
        gc.set_threshold(*threshold)
        gc.unfreeze()


def never_collect() -> None:
    """Disable the cycle collector in a short-lived process.

    A collection would only scan objects that are freed soon after (0.3 s at 10,000 files).
    """
    gc.disable()


def keep_for_good() -> None:
    """Exclude all current objects from future collections, and collect cycles rarely."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()
