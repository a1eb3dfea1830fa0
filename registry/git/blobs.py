"""`git cat-file --batch` under way: file contents by blob id, asked for ahead of being read."""

import io
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from registry.git.error import GitError

# So many are asked for before one is read. What is written to git must fit into a pipe: else git and we could wait for each
# other, both pipes full.
_MOST_ASKED = 200
_PIPE_BYTES = 1024 * 1024
# So much is taken out of a pipe at once: hundreds of contents, where Python's own buffer holds a few.
_BUFFER_BYTES = 256 * 1024


def widen(pipe: Any) -> None:
    """Let a pipe hold more, where the system can: git goes on while we do other work."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl
    except ImportError:
        return
    with suppress(OSError):
        fcntl(pipe.fileno(), F_SETPIPE_SZ, _PIPE_BYTES)


class PendingBlobs:
    """Contents that git is reading; use it as a context."""

    def __init__(self, process: Any) -> None:
        """`process` is `git cat-file --batch`, just started, with pipes for its input and output."""
        self._process = process
        self._to_ask: deque[str] = deque()
        self._asked: deque[str] = deque()
        self._output = io.BufferedReader(process.stdout.raw, _BUFFER_BYTES)
        widen(process.stdout)

    def __enter__(self) -> "PendingBlobs":
        """This."""
        return self

    def __exit__(self, *_: object) -> None:
        """End git."""
        with suppress(OSError):  # it ended by itself
            self._process.stdin.close()
        self._output.close()
        self._process.proc.wait()  # not GitPython's, which raises: whoever stops reading early ends git

    def ask(self, blobs: Iterable[str]) -> None:
        """Ask for more; git reads them while we do something else."""
        self._to_ask.extend(blobs)
        self._send()

    def answers(self, count: int | None = None) -> Iterator[tuple[str, bytes]]:
        """The next `count` of those asked for, or all: blob ids with their contents, in order. Raises GitError for one that git does not have."""
        output = self._output
        left = len(self._asked) + len(self._to_ask) if count is None else count
        for _ in range(left):
            blob = self._asked.popleft()
            header = output.readline().split()
            if len(header) != 3 or header[1] != b"blob":
                raise GitError(f"git has no file contents {blob}", "is this a partial clone? fetch everything first")
            data = output.read(int(header[2]) + 1)
            if len(self._asked) < _MOST_ASKED // 2:
                self._send()
            yield blob, data[:-1]

    def _send(self) -> None:
        count = min(_MOST_ASKED - len(self._asked), len(self._to_ask))
        if count > 0:
            blobs = [self._to_ask.popleft() for _ in range(count)]
            self._asked.extend(blobs)
            with suppress(BrokenPipeError):  # git ended: whoever reads its answer is told
                self._process.stdin.write("".join(f"{blob}\n" for blob in blobs).encode())
                self._process.stdin.flush()
