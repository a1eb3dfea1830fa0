"""The one temporary store: data that is needed later in this run, and too much to hold in memory."""

import os
import tempfile
import weakref
from typing import NamedTuple

from registry.errors import UsageError


class SpillRange(NamedTuple):
    """Where data is in a spill file: offsets in bytes, the end exclusive."""

    start: int
    end: int


def no_room(error: OSError) -> UsageError:
    """The error for a temporary folder that takes no more data."""
    return UsageError(
        f"the temporary folder {tempfile.gettempdir()} cannot be written: {error.strerror}",
        "make room there, or set TMPDIR to another folder",
    )


class SpillFile:
    """A temporary file that one process writes, and that it and the processes forked from it read."""

    def __init__(self) -> None:
        """Start empty. The file goes when the last reference to this object does."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the object
        weakref.finalize(self, self._file.close)
        self._handle = self._file.fileno()
        self._end = self._flushed = 0
        self._owner = os.getpid()

    @property
    def is_ours(self) -> bool:
        """True in the process that made the file. Of it and those forked from it only one may write: they share the end."""
        return self._owner == os.getpid()

    def put(self, data: bytes) -> SpillRange:
        """Append data. Raises UsageError when the temporary folder is full."""
        start = self._end
        try:
            self._file.write(data)
        except OSError as error:
            raise no_room(error) from error
        self._end = start + len(data)
        return SpillRange(start, self._end)

    def get(self, place: SpillRange) -> bytes:
        """The data at a range that `put` gave."""
        if place.end > self._flushed:
            self.flush()
        return os.pread(self._handle, place.end - place.start, place.start)

    def flush(self) -> None:
        """Make everything readable for other processes. Raises UsageError when the temporary folder is full."""
        try:
            self._file.flush()
        except OSError as error:
            raise no_room(error) from error
        self._flushed = self._end

    def believe(self, end: int) -> None:
        """Take over that another process has written and flushed everything up to `end`."""
        self._end = self._flushed = end

    @property
    def size(self) -> int:
        """How many bytes were put."""
        return self._end
