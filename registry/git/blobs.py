"""`git cat-file --batch-command` under way: file contents by blob id, requested ahead of being read, and never a large one."""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from registry.git.error import GitError

# Ids are sent in batches of this size. Two batches must fit into a pipe next to each other (SHA-256 ids as well):
# otherwise git and this process could wait for each other, both pipes full.
_BATCH = 150
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


class Oversize(NamedTuple):
    """Stands for the contents of a file that is larger than the caller reads: `size` in bytes. Nothing of it was read."""

    size: int


class _Known(NamedTuple):
    """What git says of one blob: the line that opens its contents, and its size; a size below 0 where git has no such file."""

    blob: str
    header: bytes
    size: int


class PendingBlobs:
    """Contents that git is reading; use it as a context.

    Git reports the sizes of a batch of blobs first, and only those that are small enough are requested. The sizes of the
    next batch are requested in the same breath, in front of the contents, so that git always has something to do.
    """

    def __init__(self, process: Any, at_most: int, hint: Callable[[], str] = str) -> None:
        """`process` is `git cat-file --batch-command --buffer`, just started, with pipes; `at_most` bytes of a file are read.

        `hint` says what to do when contents are missing.
        """
        self._process = process
        self._at_most = at_most
        self._hint = hint
        self._unsent: deque[str] = deque()
        # What git will answer, in this order: sizes of a batch (ids), or contents of one (what is known of each blob).
        self._sent: deque[tuple[bool, deque[Any]]] = deque()
        self._asks_for_sizes = False
        self._count = 0
        self._output = io.BufferedReader(process.stdout.raw, _BUFFER_BYTES)
        widen(process.stdout)
        widen(process.stdin)

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
        """Request more; git reads them while we do something else."""
        before = len(self._unsent)
        self._unsent.extend(blobs)
        self._count += len(self._unsent) - before
        if not self._asks_for_sizes:
            self._send(())
        if self._sent and self._sent[0][0]:  # nothing else is under way: sizes are there at once
            self._read_sizes()

    def answers(self, count: int | None = None) -> Iterator[tuple[str, bytes | Oversize]]:
        """The next `count` of those requested, or all: blob ids with their contents, in order.

        Raises GitError for one that git does not have.
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
                    f"git has no file contents {blob}", self._hint() or "git fsck shows what is missing"
                )
            yield blob, data[start:-1]

    def _read_sizes(self) -> None:
        """Read the sizes that are next in git's output, and request those contents."""
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
        """Request the sizes of the next batch, and the contents of those `known` that are small enough."""
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
            with suppress(BrokenPipeError):  # git ended: whoever reads its answer is told
                self._process.stdin.write("".join([*lines, "flush\n"]).encode())
                self._process.stdin.flush()
