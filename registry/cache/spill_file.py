"""Temporary storage for data that is needed later in this run and too large to hold in memory."""

import os
import tempfile
import weakref
from typing import NamedTuple

from registry.errors import UsageError


class SpillRange(NamedTuple):
    """A range in a spill file: offsets in bytes, the end exclusive."""

    start: int
    end: int


def no_room(error: OSError) -> UsageError:
    """Return the error for a full temporary folder."""
    return UsageError(
        f"the temporary folder {tempfile.gettempdir()} cannot be written: {error.strerror}",
        "free some space there, or set TMPDIR to another folder",
    )


class SpillFile:
    """A temporary file that one process writes; that process and its forks can read it."""

    def __init__(self) -> None:
        """Start empty. The file is deleted with the last reference to this object."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the object
        weakref.finalize(self, self._file.close)
        self._handle = self._file.fileno()
        self._end = self._flushed = 0
        self._owner = os.getpid()

    @property
    def is_ours(self) -> bool:
        """True in the process that created the file.

        Only one process may write, because forks share the file offset.
        """
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
        """Return the data of a range that `put` returned.

        Raises UsageError when the temporary folder is full.
        """
        # `pread` bypasses Python's buffer, so data must be in the file before it is read.
        if place.end > self._flushed:
            self.flush()
        # Unlike seek and read, `pread` does not move the offset that forks share.
        return os.pread(self._handle, place.end - place.start, place.start)

    def flush(self) -> None:
        """Make all data readable for other processes. Raises UsageError when the temporary folder is full."""
        try:
            self._file.flush()
        except OSError as error:
            raise no_room(error) from error
        self._flushed = self._end

    def believe(self, end: int) -> None:
        """Accept data up to `end` that another process has written and flushed."""
        self._end = self._flushed = end

    @property
    def size(self) -> int:
        """Number of bytes written."""
        return self._end
