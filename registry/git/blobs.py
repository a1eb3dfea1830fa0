"""Contents of files by blob id, from a running `git cat-file --batch-command`; large files are never read."""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from registry.git.error import GitError
from registry.git.pipes import widen

# Ids are sent in batches of this size. Two batches must fit into a pipe next to each other (SHA-256 ids as
# well): otherwise git and this process could wait for each other, both pipes full.
_BATCH = 150
# Bytes read from a pipe at once: hundreds of contents, while Python's own buffer holds only a few.
_BUFFER_BYTES = 256 * 1024


class Oversize(NamedTuple):
    """Placeholder for a file larger than the caller accepts: `size` in bytes. Its content was not read."""

    size: int


class _Known(NamedTuple):
    """Git's answer for one blob: the line before its content, and its size.

    The size is negative if git has no such object.
    """

    blob: str
    header: bytes
    size: int


class PendingBlobs:
    """Contents that git is reading; use it as a context manager.

    Git first reports the sizes of a batch of blobs, and only blobs within the limit are requested. The sizes
    of the next batch are requested before these contents, so that git is never idle.
    """

    def __init__(self, process: Any, at_most: int, hint: Callable[[], str] = str) -> None:
        """`process` is a new `git cat-file --batch-command --buffer` with pipes.

        `at_most` is the limit in bytes. `hint` returns advice for missing contents.
        """
        self._process = process
        self._at_most = at_most
        self._hint = hint
        self._unsent: deque[str] = deque()
        # The answers that git will send, in order: sizes of a batch (ids), or one content (its size
        # information).
        self._sent: deque[tuple[bool, deque[Any]]] = deque()
        self._asks_for_sizes = False
        self._count = 0
        self._output = io.BufferedReader(process.stdout.raw, _BUFFER_BYTES)
        widen(process.stdout)
        widen(process.stdin)

    def __enter__(self) -> "PendingBlobs":
        """Return this object."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the git process."""
        with suppress(OSError):  # the process has already ended
            self._process.stdin.close()
        self._output.close()
        # not GitPython's `wait`, which raises: a caller that stops reading early ends git
        self._process.proc.wait()

    def ask(self, blobs: Iterable[str]) -> None:
        """Request more blobs; git reads them in the background."""
        before = len(self._unsent)
        self._unsent.extend(blobs)
        self._count += len(self._unsent) - before
        if not self._asks_for_sizes:
            self._send(())
        if self._sent and self._sent[0][0]:  # no other request is pending: the sizes arrive at once
            self._read_sizes()

    def answers(self, count: int | None = None) -> Iterator[tuple[str, bytes | Oversize]]:
        """Yield the next `count` requested blobs, or all: ids with contents, in order.

        Raises GitError for a blob that git does not have.
        """
        sent, output, at_most = self._sent, self._output, self._at_most
        for _ in range(self._count if count is None else count):
            while sent[0][0] or not sent[0][1]:
                if sent[0][0]:
                    self._read_sizes()
                else:
                    sent.popleft()
            self._count -= 1
            blob, header, size = sent[0][1].popleft()
            if size > at_most:
                yield blob, Oversize(size)
                continue
            start = len(header)
            data = output.read(start + size + 1) if size >= 0 else b""
            if len(data) != start + size + 1 or not data.startswith(header):
                raise GitError(
                    f"git does not have the blob {blob}", self._hint() or "git fsck shows what is missing"
                )
            yield blob, data[start:-1]

    def _read_sizes(self) -> None:
        """Read the next sizes from git's output, and request those contents."""
        _, blobs = self._sent.popleft()
        self._asks_for_sizes = False
        readline = self._output.readline
        known = []
        for blob in blobs:
            header = readline()
            words = header.split()
            known.append(
                _Known(blob, header, int(words[2]) if len(words) == 3 and words[1] == b"blob" else -1)
            )
        self._send(known)

    def _send(self, known: Iterable[_Known]) -> None:
        """Request the sizes of the next batch, and the contents of small enough blobs in `known`."""
        lines = []
        if self._unsent:
            blobs = deque([self._unsent.popleft() for _ in range(min(_BATCH, len(self._unsent)))])
            lines += [f"info {blob}\n" for blob in blobs]
            self._sent.append((True, blobs))
            self._asks_for_sizes = True
        if known:
            lines += [f"contents {one.blob}\n" for one in known if 0 <= one.size <= self._at_most]
            self._sent.append((False, deque(known)))
        if lines:
            with suppress(BrokenPipeError):  # git ended: the reader of its answer gets the error
                self._process.stdin.write("".join([*lines, "flush\n"]).encode())
                self._process.stdin.flush()
