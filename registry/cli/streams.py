"""The standard streams of the process: usable whatever they are connected to, closed, full or unable to show a character."""

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
        """`error` is what the system said."""
        super().__init__(
            f"standard output cannot be written: {error.strerror}", _HINTS.get(error.errno or 0, "")
        )
        self.errno = error.errno


_HINTS = {
    errno.ENOSPC: "free some space",
    errno.EBADF: "it is closed: redirect it to a file, or to /dev/null",
}


class _Stream(io.TextIOWrapper):
    """A standard stream that writes what its encoding has no character for as an escape (`\\u2192`).

    When it cannot be written, standard output raises OutputError; standard error is dropped, because nobody can be told.
    """

    is_error = False

    @classmethod
    def instead_of(cls, stream: io.TextIOWrapper, *, is_error: bool) -> "_Stream":
        """The same stream. The one before must be kept: Python closes the file when it goes."""
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
        """Write text."""
        try:
            return super().write(text)
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Write what is waiting."""
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        # Python would try to write the rest when it ends, and complain.
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
    """Open what whoever started us has closed (`>&-`): the next file opened would get its number, and be written to.

    Standard output is opened for reading, so that writing to it fails as it does with a closed one.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest free number, which is this one


def _opened(number: int, mode: str) -> TextIO:
    return cast("TextIO", os.fdopen(number, mode, encoding="utf-8", closefd=False))
