"""A running git process that reads commands and answers in lines, with a time limit for each exchange."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from registry.git.error import GitWriteError, WriteFailure, first_line, write_failure
from registry.git.pipes import widen

_PIECE_BYTES = 256 * 1024
# Error output is for a message: its end is enough.
_MOST_ERROR_BYTES = 16 * 1024
# How long a killed process may take to disappear: it waits for the disk in the kernel.
_END_LIMIT_S = 5.0


class RunningGit:
    """A git process with pipes. After any error it has ended, and nothing more can be sent."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        """Take a new process with pipes for input, output and errors. `name` is for messages."""
        self._process = process
        self._name = name
        self._unread = b""
        self._errors = b""
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            # A blocking write could wait for git while git waits for its output to be read.
            os.set_blocking(pipe.fileno(), False)
        widen(process.stdin)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """True when the process has ended, for whatever reason."""
        return self._process.poll() is not None

    def exchange(self, data: bytes, count: int, limit_s: float) -> list[bytes]:
        """Send `data`, and return the next `count` lines of the answer, without line ends.

        Raises GitWriteError, after the end of the process, when it ends early or the time is over.
        """
        deadline = time.monotonic() + limit_s
        unsent = memoryview(data)
        lines: list[bytes] = self._take_lines(count)
        with selectors.DefaultSelector() as selector:
            self._register(selector, sends=bool(unsent))
            while unsent or len(lines) < count:
                ready = selector.select(max(deadline - time.monotonic(), 0))
                if not ready:
                    self.kill()
                    raise self._failure(
                        WriteFailure.TIMED_OUT, f"it did not answer within {limit_s:g} seconds"
                    )
                for key, _ in ready:
                    if key.data == "input":
                        unsent = self._send(unsent)
                        if not unsent:
                            selector.unregister(key.fileobj)
                    elif not self._receive(key.fd, key.data):
                        self._raise_end(deadline)
                lines += self._take_lines(count - len(lines))
        return lines

    def _register(self, selector: selectors.BaseSelector, *, sends: bool) -> None:
        if self.has_ended:
            self._raise_end(time.monotonic())
        if sends:
            selector.register(_open(self._process.stdin), selectors.EVENT_WRITE, "input")
        selector.register(_open(self._process.stdout), selectors.EVENT_READ, "output")
        selector.register(_open(self._process.stderr), selectors.EVENT_READ, "errors")

    def _send(self, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(_open(self._process.stdin).fileno(), unsent[:_PIECE_BYTES]) :]
        except BlockingIOError:
            return unsent
        except BrokenPipeError:
            return unsent[len(unsent) :]  # the reason follows in the error output, and the end in the output

    def _receive(self, fd: int, kind: str) -> bool:
        """Read what is there; returns False at the end of the output."""
        try:
            piece = os.read(fd, _PIECE_BYTES)
        except BlockingIOError:
            return True
        if kind == "errors":
            self._errors = (self._errors + piece)[-_MOST_ERROR_BYTES:]
        else:
            self._unread += piece
        return bool(piece)

    def _take_lines(self, count: int) -> list[bytes]:
        lines: list[bytes] = []
        while len(lines) < count and b"\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\n")
            lines.append(line)
        return lines

    def _raise_end(self, deadline: float) -> None:
        """Wait for the process, which has closed a pipe, and raise the reason."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(deadline - time.monotonic(), 1))
        self.kill()
        status = self._process.returncode or 0
        text = self.errors()
        if status < 0 and not text:
            raise self._failure(_failure_of_signal(-status), f"it was ended by signal {-status}")
        raise self._failure(write_failure(text), first_line(text) if text else f"it ended with {status}")

    def _failure(self, failure: WriteFailure, text: str) -> GitWriteError:
        return GitWriteError(f"{self._name}: {text}", failure, errors=self.errors())

    def errors(self) -> str:
        """Return the error output so far."""
        pipe = self._process.stderr
        while pipe is not None and not pipe.closed:
            try:
                piece = os.read(pipe.fileno(), _PIECE_BYTES)
            except BlockingIOError:
                break
            if not piece:
                break
            self._errors = (self._errors + piece)[-_MOST_ERROR_BYTES:]
        return self._errors.decode("utf-8", "replace")

    def finish(self, data: bytes, limit_s: float) -> int:
        """Send the last command, and wait for the end; returns the exit status. Kills it after the limit.

        The limit counts once for sending and once for the end. Raises GitWriteError when the process cannot
        be killed.
        """
        if not self.has_ended:
            with suppress(GitWriteError):
                self.exchange(data, 0, limit_s)
            with suppress(OSError):
                _open(self._process.stdin).close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(limit_s)
        self.kill()
        return self._process.returncode

    def kill(self) -> None:
        """End the process at once, and close its pipes. Does nothing if it has ended before.

        Raises GitWriteError when it does not disappear, because it waits for the disk.
        """
        if not self.has_ended:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            try:
                self._process.wait(_END_LIMIT_S)
            except subprocess.TimeoutExpired:
                raise GitWriteError(
                    f"{self._name}: process {self.pid} cannot be ended", WriteFailure.TIMED_OUT
                ) from None
        self.errors()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                with suppress(OSError):
                    pipe.close()


def run_limited(process: subprocess.Popen[bytes], limit_s: float) -> tuple[int | None, bytes, str]:
    """Wait for a process that leads a process group; returns status (None: time over), output, errors.

    After the limit the whole group is killed: git's own children (ssh, a transport) as well.
    """
    try:
        output, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        kill_group(process)
        output, errors = process.communicate()
        return None, output, errors.decode("utf-8", "replace")
    return process.returncode, output, errors.decode("utf-8", "replace")


def kill_group(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that leads a process group, and to the group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _failure_of_signal(number: int) -> WriteFailure:
    # SIGXFSZ: a file would grow over the limit of the process (`ulimit -f`).
    return WriteFailure.DISK_FULL if number == signal.SIGXFSZ else WriteFailure.KILLED


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def as_options(settings: Sequence[tuple[str, str]]) -> list[str]:
    """Return settings as options of the git command."""
    return [word for name, value in settings for word in ("-c", f"{name}={value}")]
