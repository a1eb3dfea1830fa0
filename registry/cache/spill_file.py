"""Documents put aside: those that are read, checked, and not looked at again before their pages are made."""

import os
import tempfile
import weakref

from registry.errors import UsageError

SpillRange = tuple[int, int, int]
"""Where the JSON of a document starts, where it ends, and where the bytes of its file end."""


def no_room(error: OSError) -> UsageError:
    """That the temporary folder takes no more, said to whoever can change it."""
    return UsageError(
        f"the temporary folder {tempfile.gettempdir()} cannot be written: {error.strerror}",
        "make room there, or set TMPDIR to another",
    )


class SpillFile:
    """A temporary file that this process and those forked from it read."""

    def __init__(self) -> None:
        """Empty. The file goes when nobody has the shelf any more."""
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is there as long as we are
        weakref.finalize(self, self._file.close)
        self._end = 0

    def put(self, json: bytes, raw: bytes) -> SpillRange:
        """Put a document there: its data as JSON, and the bytes of its file."""
        start, middle = self._end, self._end + len(json)
        try:
            self._file.write(json + raw)
        except OSError as error:
            raise no_room(error) from error
        self._end = middle + len(raw)
        return start, middle, self._end

    def get(self, place: SpillRange) -> tuple[bytes, bytes]:
        """What was put at a place."""
        start, middle, end = place
        record = os.pread(self._file.fileno(), end - start, start)
        return record[: middle - start], record[middle - start :]
