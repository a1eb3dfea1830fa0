"""Runs one command with limits on time and output, and ends all processes that it started."""

from __future__ import annotations

import math
import os
import resource
import selectors
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, TYPE_CHECKING, NamedTuple

from registry.execution.process_tree import ProcessTree, adopting_orphans, kill_children_since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from registry.execution.launcher import LaunchCommand

_POLL_S = 0.1
_PIECE_BYTES = 64 * 1024
# Error output is for a message: its end is enough.
_MOST_ERROR_BYTES = 16 * 1024
# No single file may become larger, wherever the program writes it.
_LARGEST_FILE_BYTES = 256 * 1024 * 1024
# A folder with more files, or folders in folders, counts as full: adding up sizes would take too long.
_MOST_FILES = 10_000
_DEEPEST = 200
_OUTPUT_BYTES = 16 * 1024 * 1024


class End(StrEnum):
    """How a run ended. STOPPED: a service that had answered, or need not answer.

    NO_OUTPUT: with success, but without the file that has its output.
    """

    EXITED = "exited"
    STOPPED = "stopped"
    TIMED_OUT = "timed out"
    NO_ANSWER = "no answer"
    NO_OUTPUT = "no output"
    TOO_LARGE = "too large"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take.

    `seconds` from start to end; then SIGTERM, and SIGKILL after `grace_s` more. `output_bytes` is for each of
    output and error output, and for all files in the folder of messages. A service has `first_answer_s` for
    its first answer, and has finished when it was silent for `idle_s`.
    """

    seconds: float = 60.0
    grace_s: float = 10.0
    output_bytes: int = _OUTPUT_BYTES
    first_answer_s: float = 10.0
    idle_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has ended, with all of its processes.

    `status` is the exit status as a shell shows it: 128 and the number of the signal that ended the program.
    `output` and `errors` are from the standard streams, of `errors` only the end. `is_late`: a service
    answered only after its input was closed. `reason` says why the program did not start.
    """

    end: End
    status: int | None
    output: bytes
    errors: bytes
    seconds: float
    is_late: bool = False
    reason: str = ""


class Streams(NamedTuple):
    """Files for the standard streams of one run.

    `output` is that of the messages: standard output, or standard error with `is_swapped`; `errors` is the
    other one.
    """

    input: Path
    output: Path
    errors: Path
    is_swapped: bool = False


def run_with_files(command: LaunchCommand, streams: Streams, watched: Path, limits: Limits) -> Finished:
    """Run a command whose standard streams are files; that of the input exists already.

    `watched` is the folder that the program may write to; it contains the message, if that is a file.
    """
    started = time.monotonic()
    room = limits.output_bytes + _size_of(watched)
    with (
        streams.input.open("rb") as source,
        streams.output.open("wb") as output,
        streams.errors.open("wb") as errors,
    ):
        try:
            pair = (errors, output) if streams.is_swapped else (output, errors)
            with _started(command, source, *pair) as (process, tree):
                end = _wait(process, tree, limits, lambda: _is_too_large(streams, watched, limits, room))
        except (OSError, ValueError) as error:
            return _not_started(error, started)
    found = Finished(
        end,
        _status(process),
        _head(streams.output, limits.output_bytes),
        _tail(streams.errors),
        time.monotonic() - started,
    )
    return _checked_start(found, command, is_swapped=streams.is_swapped)


def _wait(
    process: subprocess.Popen[bytes], tree: ProcessTree, limits: Limits, is_too_large: Callable[[], bool]
) -> End:
    deadline = time.monotonic() + limits.seconds
    while not _has_ended(process, min(_POLL_S, max(deadline - time.monotonic(), 0))):
        if is_too_large():
            return End.TOO_LARGE
        if time.monotonic() >= deadline:
            tree.terminate()
            _has_ended(process, limits.grace_s)
            return End.TIMED_OUT
    return End.TOO_LARGE if is_too_large() else End.EXITED


def _is_too_large(streams: Streams, watched: Path, limits: Limits, room: int) -> bool:
    largest = max(streams.output.stat().st_size, streams.errors.stat().st_size)
    return largest > limits.output_bytes or _size_of(watched, room) > room


def _size_of(folder: Path, enough: float = math.inf) -> int:
    """Return the bytes that the files below a folder have, or more than `enough` if there are too many."""
    size = count = 0
    pending = [(str(folder), 0)]
    while pending:
        place, depth = pending.pop()
        with suppress(OSError), os.scandir(place) as entries:  # removed meanwhile, or not readable
            for entry in entries:
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, depth + 1))
                else:
                    size += entry.stat(follow_symlinks=False).st_size
                if size > enough or count > _MOST_FILES or depth > _DEEPEST:
                    return _LARGEST_FILE_BYTES + size
    return size


@dataclass(frozen=True, slots=True)
class Talk:
    """What a service is sent, and where its answers are.

    `stream` are the bytes of its input, None if it has none. `ends`: the message ends with the input, so the
    input is closed at once. `has_answers`: it is to write something, on standard error if `is_swapped`.
    """

    stream: bytes | None
    ends: bool = False
    has_answers: bool = True
    is_swapped: bool = False


def run_with_pipes(command: LaunchCommand, talk: Talk, limits: Limits) -> Finished:
    """Run a service: send its input, and collect its answers until it is idle.

    The input stays open until then, as in production. A service that is still running is stopped.
    """
    started = time.monotonic()
    source = subprocess.DEVNULL if talk.stream is None else subprocess.PIPE
    try:
        with _started(command, source, subprocess.PIPE, subprocess.PIPE) as (process, tree):
            conversation = _Conversation(process, talk, limits)
            end = conversation.until_idle()
            status = None
            if end is End.EXITED:
                status = process.wait()
            elif end is not End.TOO_LARGE:
                tree.terminate()
                _has_ended(process, limits.grace_s)
    except (OSError, ValueError) as error:
        return _not_started(error, started)
    found = Finished(
        end,
        _status(process) if status is not None else None,
        conversation.output,
        conversation.errors,
        time.monotonic() - started,
        conversation.is_late,
    )
    return _checked_start(found, command, is_swapped=talk.is_swapped)


class _Conversation:
    """Sends the input of a service, and reads its output."""

    def __init__(self, process: subprocess.Popen[bytes], talk: Talk, limits: Limits) -> None:
        self.output = self.errors = b""
        self.is_late = False
        self._process = process
        self._answers = process.stderr if talk.is_swapped else process.stdout
        self._unsent = memoryview(talk.stream or b"")
        self._talk = talk
        self._limits = limits
        self._start = self._newest = time.monotonic()
        self._selector = selectors.DefaultSelector()
        for pipe, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, event)
        self._is_open = process.stdin is not None

    def until_idle(self) -> End:
        """Exchange data until the end; the service may still run then."""
        with self._selector:
            while True:
                for key, _ in self._selector.select(_POLL_S):
                    self._handle(key.fileobj)  # type: ignore[arg-type]
                if len(self.output) > self._limits.output_bytes:
                    return End.TOO_LARGE
                if self._process.poll() is not None and not self._has_more():
                    return self._end_of_process()
                now = time.monotonic()
                is_over = now - self._start > self._limits.seconds
                if is_over or (self._is_idle(now) and not self._close_input()):
                    is_answered = bool(self.output) or not self._talk.has_answers
                    return End.STOPPED if is_answered else End.NO_ANSWER

    def _end_of_process(self) -> End:
        """Return EXITED, or STOPPED if it ended because its input did: in production that stays open."""
        is_answered = bool(self.output) or not self._talk.has_answers
        was_closed = self._process.stdin is not None and not self._is_open and not self._talk.ends
        return End.STOPPED if was_closed and is_answered else End.EXITED

    def _is_idle(self, now: float) -> bool:
        if self._unsent:
            return False
        if self.output or not self._talk.has_answers:
            return now - self._newest > self._limits.idle_s
        return now - self._newest > self._limits.first_answer_s

    def _close_input(self) -> bool:
        """Close the input; returns False if it was closed before."""
        was_open, self._is_open = self._is_open, False
        if was_open and self._process.stdin is not None:
            self._unregister(self._process.stdin)
            with suppress(OSError):
                self._process.stdin.close()
            self._newest = time.monotonic()
        return was_open

    def _handle(self, pipe: IO[bytes]) -> None:
        if pipe is self._process.stdin:
            self._send(pipe)
            return
        try:
            piece = os.read(pipe.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return
        if not piece:
            self._unregister(pipe)
        elif pipe is self._answers:
            self.is_late = self.is_late or (not self.output and not self._talk.ends and not self._is_open)
            self.output += piece
            self._newest = time.monotonic()
        else:
            self.errors = (self.errors + piece)[-_MOST_ERROR_BYTES:]

    def _send(self, pipe: IO[bytes]) -> None:
        try:
            self._unsent = self._unsent[os.write(pipe.fileno(), self._unsent[:_PIECE_BYTES]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent = self._unsent[:0]
        if not self._unsent:
            self._newest = time.monotonic()
            if self._talk.ends:
                self._close_input()
            else:
                self._unregister(pipe)

    def _unregister(self, pipe: IO[bytes]) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(pipe)

    def _has_more(self) -> bool:
        """Read what the ended process left in the pipes; returns True if there was something."""
        before = len(self.output)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None and pipe in self._selector.get_map():
                self._handle(pipe)
        return len(self.output) > before


@contextmanager
def _started(
    command: LaunchCommand,
    source: IO[bytes] | int,
    output: IO[bytes] | int,
    errors: IO[bytes] | int,
) -> Iterator[tuple[subprocess.Popen[bytes], ProcessTree]]:
    """Start a command in a session of its own. At the end of the context all of its processes are gone.

    Raises OSError if the program cannot be started.
    """
    with adopting_orphans() as earlier:
        try:
            with _limited_files():
                process = subprocess.Popen(
                    [_encoded(word) for word in command.arguments],
                    stdin=source,
                    stdout=output,
                    stderr=errors,
                    cwd=command.cwd,
                    env={_encoded(name): _encoded(value) for name, value in command.environment.items()},
                    pass_fds=command.inherited,
                    start_new_session=True,
                )
            tree = ProcessTree(process, command.wrappers, earlier, command.terminate)
        except BaseException:
            # An interrupt can arrive before Popen has returned, when the program is running already.
            kill_children_since(earlier)
            raise
        try:
            yield process, tree
        finally:
            tree.kill()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _encoded(word: str) -> bytes:
    """Return text in UTF-8, as it is in the definition, in every locale. Paths can have other bytes."""
    return word.encode("utf-8", "surrogateescape")


@contextmanager
def _limited_files() -> Iterator[None]:
    """Limit the size of files for processes that are started in the context, and forbid core dumps.

    The limits of this process are changed for a moment: a function that runs between fork and exec
    (`preexec_fn`) can deadlock.
    """
    wanted = {resource.RLIMIT_FSIZE: _LARGEST_FILE_BYTES, resource.RLIMIT_CORE: 0}
    earlier = {which: resource.getrlimit(which) for which in wanted}
    try:
        for which, size in wanted.items():
            soft, hard = earlier[which]
            if soft == resource.RLIM_INFINITY or soft > size:
                resource.setrlimit(which, (size, hard))
        yield
    finally:
        for which, limits in earlier.items():
            resource.setrlimit(which, limits)


def _has_ended(process: subprocess.Popen[bytes], limit_s: float) -> bool:
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _status(process: subprocess.Popen[bytes]) -> int | None:
    status = process.returncode
    return 128 - status if status is not None and status < 0 else status


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _MOST_ERROR_BYTES, 0))
        return file.read()


def _not_started(error: OSError | ValueError, started: float) -> Finished:
    """Return that the system refused the program, or its arguments or environment (ValueError)."""
    reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return Finished(End.NOT_STARTED, None, b"", b"", time.monotonic() - started, reason=reason)


def _checked_start(found: Finished, command: LaunchCommand, *, is_swapped: bool) -> Finished:
    """Return the run, or that the launcher could not start the program, which it reports as its own error."""
    reported, other = (found.output, found.errors) if is_swapped else (found.errors, found.output)
    reason = "" if other else command.failure(found.status, reported.decode("utf-8", "replace"))
    return Finished(End.NOT_STARTED, None, b"", b"", found.seconds, reason=reason) if reason else found
