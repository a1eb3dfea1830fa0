"""Child processes that share what this process holds, and the one policy for Python's cycle collector.

All forks are here. A child ignores Ctrl-C, which reaches the whole process group: the parent decides, and ends its children.
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
# From this many parts on, a second process pays for its start.
_WORTH_SHARING = 40
_TOKEN_BYTES = 4
# The tokens of all parts must fit into a pipe.
_MOST_TOKENS = 16_000

Result = TypeVar("Result")
Part = TypeVar("Part")


def can_fork() -> bool:
    """True where a process can be forked, and no other thread can leave it a lock that is never released."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return False
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.finished.is_set():
            thread.join(_MOMENT_S)  # the time limit of a git command that has ended is about to end, too
    return threading.active_count() == 1


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Child(Generic[Result]):
    """A forked process at work; it sees everything that this process held when it began, without a copy."""

    def __init__(self, work: Callable[[], Result]) -> None:
        """Start `work` in a new process. Needs `can_fork`."""
        self._pipe, theirs = os.pipe()
        self._process = os.fork()
        if not self._process:
            os.close(self._pipe)
            _work_and_end(work, theirs)
        os.close(theirs)

    def result(self) -> Result:
        """What `work` returned, once it has. Raises what it raised, or UsageError where the process was killed."""
        with open(self._pipe, "rb", closefd=False) as pipe:
            sent = pipe.read()
        self.close()
        if not sent:
            raise UsageError("a process of this command was killed", "is there enough memory?")
        succeeded, value = pickle.loads(sent)
        if not succeeded:
            raise value
        return value  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._process:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            os.close(self._pipe)
            self._process = 0


def _work_and_end(work: Callable[[], object], pipe: int) -> NoReturn:
    """In the child, which ends here: not even a bug may let it go on as if it were the parent."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            sent = pickle.dumps((True, work()), pickle.HIGHEST_PROTOCOL)
        except BaseException as error:  # noqa: BLE001 - all of it is the parent's to handle
            sent = _dumped(error)
        with open(pipe, "wb") as out:
            out.write(sent)
    finally:
        os._exit(0)


def _dumped(error: BaseException) -> bytes:
    try:
        return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - whatever cannot be sent is sent as text
        return pickle.dumps((False, RuntimeError("".join(traceback.format_exception(error)))))


def share(
    parts: Sequence[Part],
    work: Callable[[Part], None],
    result: Callable[[], Result],
    on_progress: Callable[[int, int], None],
) -> Result | None:
    """Work on every part, together with a child process where that pays; each takes the next part that is not taken yet.

    Gives what `result` returns in the child; None where there was none. `on_progress` gets the numbers of parts taken and of all.
    """
    if not _WORTH_SHARING <= len(parts) <= _MOST_TOKENS or not can_fork():
        for number, part in enumerate(parts):
            on_progress(number, len(parts))
            work(part)
        return None
    # One token per part in a pipe: reading one takes it, and the system lets each be read once.
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


@contextmanager
def without_cycle_collector() -> Iterator[None]:
    """Collect no cycles while hundreds of thousands of small objects are made: the collector would scan them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Inside `without_cycle_collector`: collect cycles again, rarely, and only among objects that are made from now on."""
    threshold = gc.get_threshold()
    keep_for_good()
    try:
        yield
    finally:
        gc.disable()
        gc.set_threshold(*threshold)
        gc.unfreeze()


def never_collect() -> None:
    """For a short process: the collector would only scan what is thrown away a moment later (0.3 s at 10,000 files)."""
    gc.disable()


def keep_for_good() -> None:
    """What there is now stays: never scan it again, and collect cycles rarely among what comes."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()
