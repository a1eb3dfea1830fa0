"""Makes the standard streams usable if they are closed, full or have a limited character set."""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TextIO, cast

from registry.errors import UsageError


class OutputError(UsageError):
    """Standard output cannot be written; `errno` says why (EPIPE: the reader has ended)."""

    def __init__(self, error: OSError) -> None:
        """`error` is the error of the operating system."""
        super().__init__(
            f"standard output cannot be written: {error.strerror}", _HINTS.get(error.errno or 0, "")
        )
        self.errno = error.errno


_HINTS = {
    errno.ENOSPC: "free some space",
    errno.EBADF: "it is closed: redirect it to a file, or to /dev/null",
}


class _Stream(io.TextIOWrapper):
    """A standard stream that writes characters outside its encoding as escapes (`\\u2192`).

    If it cannot be written, standard output raises OutputError. Errors of standard error are ignored: there
    is no stream left to report them.
    """

    is_error = False

    @classmethod
    def instead_of(cls, stream: io.TextIOWrapper, *, is_error: bool) -> "_Stream":
        """A replacement for `stream`, which must be kept: Python closes the file when it is freed."""
        made = cls(
            stream.buffer,
            stream.encoding,
            "backslashreplace",
            line_buffering=stream.line_buffering or is_error,
            write_through=stream.write_through,
        )
        made.is_error = is_error
        return made

    def write(self, text: str, /) -> int:
        """Write text. Raises OutputError if standard output cannot be written."""
        if text == "":
            return 0  # click probes streams with an empty text and ignores the error
        try:
            return super().write(text)
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Write buffered text. Raises OutputError if standard output cannot be written."""
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        # At exit Python would try to write the rest of the buffer, and print an error.
        with suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.fileno())
            os.close(nothing)
        if not self.is_error:
            raise OutputError(error) from error


def prepare_streams() -> None:
    """Make the three streams usable for the rest of the process."""
    _open_closed()
    sys.stdin = sys.stdin or _opened(0, "r")
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name) or _opened(number, "w")
        if isinstance(stream, io.TextIOWrapper):
            _kept.append(stream)
            setattr(sys, name, _Stream.instead_of(stream, is_error=number == 2))


_kept: list[TextIO] = []


def _open_closed() -> None:
    """Open the standard streams that the parent process closed (`>&-`).

    Otherwise the next opened file would get their number. Standard output is opened for reading, so that a
    write fails as it does on a closed stream.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest free number, which is this one


def _opened(number: int, mode: str) -> TextIO:
    return cast("TextIO", os.fdopen(number, mode, encoding="utf-8", closefd=False))
