"""What each commit of a log changed: `git diff-tree` under way, and its output as commits with their changed paths."""

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from queue import SimpleQueue
from typing import Any, NamedTuple

from registry.git.blobs import widen
from registry.git.error import GitError, first_line

_START = datetime(1970, 1, 1)  # noqa: DTZ001 - the offset is written behind it
# So many commits are read by one process, at most (a second of work) and at least (more than its start takes).
_LARGEST_PIECE, _SMALLEST_PIECE = 10_000, 1_000
_CHUNK_BYTES = 1024 * 1024


class Row(NamedTuple):
    """One changed path of one commit, as git's raw format has it.

    `old_path` is the path before (other than `path` for a rename), `old_blob` and `blob` are None for "no file".
    `other_blobs` are what the further parents of a merge have.
    """

    status: str
    old_path: str
    path: str
    old_blob: str | None
    blob: str | None
    other_blobs: tuple[str, ...] = ()


class LogCommit(NamedTuple):
    """One commit with its changed paths; `date` is the author's, ISO 8601 with the author's offset."""

    commit: str
    author: str
    date: str
    message: str
    rows: tuple[Row, ...]


class PendingLog:
    """A `git diff-tree` under way. A thread takes its output, so that git never waits while we do other work."""

    def __init__(self, process: Any, hint: Callable[[], str] = str) -> None:
        """`process` was just started; `hint` says what to do when objects are missing."""
        self._process = process
        self._hint = hint
        widen(process.stdout)
        self._chunks: SimpleQueue[bytes] = SimpleQueue()
        self._is_read = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while chunk := self._process.stdout.read(_CHUNK_BYTES):
                self._chunks.put(chunk)
            self._is_read = True
        finally:
            self._chunks.put(b"")

    def output(self) -> Iterator[bytes]:
        """Part after part, as git gives it. Raises GitError where it failed."""
        while chunk := self._chunks.get():
            yield chunk
        self.close()

    def close(self) -> None:
        """End git, if it still runs. Raises GitError where it failed, once."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_read:
            self._process.proc.kill()
        self._thread.join()
        self._process.stdout.close()
        status = self._process.proc.wait()
        if status not in (0, -9):
            said = first_line(self._process.stderr.read().decode("utf-8", "replace"))
            raise GitError(f"git diff-tree failed: {said}", self._hint())


class PendingLogs:
    """One log, read in pieces by several processes of git at once: looking for what a commit changed takes git a core."""

    def __init__(self, start: Callable[[Sequence[str]], PendingLog], names: Sequence[str], at_once: int) -> None:
        """`start` starts reading some commits, in the order given; `names` are all, oldest first. The first ones are started now."""
        self._start = start
        size = min(_LARGEST_PIECE, max(_SMALLEST_PIECE, len(names) // (2 * at_once)))
        # Each with its newest one first, as git itself goes through a history: with packs as they are it needs a tenth less.
        self._pieces = iter([names[place : place + size][::-1] for place in range(0, len(names), size)])
        self._running: deque[PendingLog] = deque()
        for _ in range(at_once):
            self._start_next()

    def _start_next(self) -> None:
        piece = next(self._pieces, None)
        if piece is not None:
            self._running.append(self._start(piece))

    def commits(self) -> Iterator[LogCommit]:
        """All commits, oldest first. Raises GitError where git fails."""
        try:
            while self._running:
                # Read while git is at it; only the order has to wait.
                newest_first = [*_parse_log(_tokens(self._running[0].output()))]
                self._running.popleft()
                self._start_next()
                yield from reversed(newest_first)
        finally:
            self.close()

    def close(self) -> None:
        """End what still runs."""
        for log in self._running:
            log.close()
        self._running.clear()


def _tokens(chunks: Iterable[bytes]) -> Iterator[str]:
    """The NUL-ended parts of a stream; what is not UTF-8 in them as Python's surrogates."""
    return chain.from_iterable(_token_lists(chunks))


def _token_lists(chunks: Iterable[bytes]) -> Iterator[list[str]]:
    rest = b""
    for chunk in chunks:
        whole, _, rest = (rest + chunk).rpartition(b"\0")
        if whole:
            yield whole.decode("utf-8", "surrogateescape").split("\0")
    if rest:
        yield [rest.decode("utf-8", "surrogateescape")]


def _text(token: str) -> str:
    return token if token.isascii() else token.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _path(token: str) -> str:
    return token if token.isascii() else os.fsdecode(token.encode("utf-8", "surrogateescape"))


def _parse_log(tokens: Iterator[str]) -> Iterator[LogCommit]:
    """Commits from the tokens of `git diff-tree -z --raw` in our format; no field can hold a NUL, so places decide."""
    header: tuple[str, str, str, str] | None = None
    rows: list[Row] = []
    for token in tokens:
        facts = token.lstrip("\n")
        if not facts:
            continue
        if facts[0] == ":":
            row = _parse_row(facts, tokens) if facts[1] != ":" else _parse_row_of_merge(facts, tokens)
            if row is not None:
                rows.append(row)
            continue
        if header is not None:
            yield LogCommit(*header, tuple(rows))
        author, date, message = next(tokens), next(tokens), next(tokens)
        header = (facts, _text(author), _author_date(date), _text(message).strip("\n"))
        rows = []
    if header is not None:
        yield LogCommit(*header, tuple(rows))


def _parse_row(facts: str, tokens: Iterator[str]) -> Row:
    """One raw line: modes and ids before and after, what happened; the path, or both, come next."""
    old_mode, mode, old_blob, blob, status = facts[1:].split(" ")
    old_path = path = _path(next(tokens))
    if status[0] in "RC":
        path = _path(next(tokens))
    return Row(status[0], old_path, path, _blob(old_mode, old_blob), _blob(mode, blob))


def _parse_row_of_merge(facts: str, tokens: Iterator[str]) -> Row | None:
    """A merge's line, which has a colon, a mode, an id and (as asked) a path for each parent.

    None for a file that a merge took from one parent under the name it has with another: nothing changed in the merge.
    """
    parents = len(facts) - len(facts.lstrip(":"))
    fields = facts[parents:].split(" ")
    modes, blobs, status = fields[: parents + 1], fields[parents + 1 : -1], fields[-1]
    new_blob = _blob(modes[-1], blobs[-1])
    paths = [_path(next(tokens)) for _ in range(parents + 1)]
    if new_blob is not None and blobs[-1] in blobs[:-1] and paths[-1] in paths[:-1]:
        return None
    # Against the first parent that has the file: against one that lacks it, all of it would read as added.
    which = next((n for n in range(parents) if _blob(modes[n], blobs[n])), 0)
    others = tuple(blobs[n] for n in range(parents) if n != which and _blob(modes[n], blobs[n]))
    return Row(status[which], paths[which], paths[-1], _blob(modes[which], blobs[which]), new_blob, others)


def _blob(mode: str, blob: str) -> str | None:
    """None for "no file", and for what is no plain file (a link, a submodule)."""
    return blob if mode.startswith("100") and blob.strip("0") else None


def _author_date(raw: str) -> str:
    seconds, _, offset = raw.partition(" ")
    return iso_date(int(seconds), offset) if seconds.removeprefix("-").isdecimal() and seconds.isascii() else ""


def iso_date(seconds: int, offset: str) -> str:
    """ISO 8601 with an offset; what no calendar holds (git keeps any number) becomes the nearest date that it does."""
    shift, suffix = _zone(offset)
    moment = _START + timedelta(seconds=min(max(seconds, -(10**10)), 2 * 10**11) + shift)
    return moment.isoformat() + suffix


@lru_cache(maxsize=1024)
def _zone(offset: str) -> tuple[int, str]:
    """Seconds that an offset (`+0130`) adds, and how ISO 8601 writes it; one that no clock has is UTC."""
    found = re.fullmatch(r"([+-])([0-9]{2})([0-9]{2})", offset)
    minutes = int(found[2]) * 60 + int(found[3]) if found else 0
    if not found or not minutes or minutes >= 24 * 60:
        return 0, "+00:00"
    return minutes * (-60 if found[1] == "-" else 60), f"{found[1]}{minutes // 60:02d}:{minutes % 60:02d}"
