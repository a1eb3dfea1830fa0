"""What each commit of a log changed: `git diff-tree` under way, and its output as commits with their changed paths."""

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from queue import SimpleQueue
from typing import Any, NamedTuple

from registry.git.blobs import widen
from registry.git.error import GitError, first_line
from registry.git.order import CommitOrder

_START = datetime(1970, 1, 1)  # noqa: DTZ001 - the offset is written behind it
# So many commits are read by one process, at most (a second of work) and at least (more than its start takes).
_LARGEST_PIECE, _SMALLEST_PIECE = 10_000, 1_000
_CHUNK_BYTES = 1024 * 1024
# Bytes of UTF-8 that are kept of a commit's message.
MOST_SUBJECT, MOST_BODY = 1024, 2048


class LogRow(NamedTuple):
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
    """One commit with its changed paths.

    `date` is the author's, ISO 8601 with the author's offset. `message` is its subject and at most 2 KiB of its body.
    `rows` are what it changed; of a merge the files that differ from all its parents. `brought` is what a merge changed
    against its first parent. A merge without any of both has only its name.
    """

    commit: str
    author: str
    email: str
    date: str
    message: str
    rows: tuple[LogRow, ...] = ()
    brought: tuple[LogRow, ...] = ()


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

    def __init__(
        self, start: Callable[[Sequence[str]], PendingLog], order: CommitOrder, at_once: int
    ) -> None:
        """`start` starts reading some lines of commits, in the order given. The first ones are started now."""
        self._start = start
        self._merges = order.merges
        names = order.names
        size = min(_LARGEST_PIECE, max(_SMALLEST_PIECE, len(names) // (2 * at_once)))
        self._pieces = iter([names[place : place + size] for place in range(0, len(names), size)])
        self._running: deque[tuple[Sequence[str], PendingLog]] = deque()
        for _ in range(at_once):
            self._start_next()

    def _start_next(self) -> None:
        piece = next(self._pieces, None)
        if piece is not None:
            self._running.append((piece, self._start([*self._lines(piece)])))

    def _lines(self, piece: Sequence[str]) -> Iterator[str]:
        """What git is asked for, newest first, as it goes through a history itself: with packs as they are it needs a tenth less.

        A merge is asked for twice: against all its parents, and then as if the first one was the only one.
        """
        for name in reversed(piece):
            yield name
            if name in self._merges:
                yield f"{name} {self._merges[name]}"

    def commits(self) -> Iterator[LogCommit]:
        """The commits that changed something and all merges, oldest first. Raises GitError where git fails."""
        try:
            while self._running:
                # Read while git is at it; only the order has to wait.
                piece, log = self._running[0]
                newest_first = [*parse_log(log.output())]
                self._running.popleft()
                self._start_next()
                if self._merges:
                    yield from _with_merges(piece, reversed(newest_first), self._merges)
                else:
                    yield from reversed(newest_first)
        finally:
            self.close()

    def close(self) -> None:
        """End what still runs."""
        for _, log in self._running:
            log.close()
        self._running.clear()


def _with_merges(
    names: Iterable[str], found: Iterator[LogCommit], merges: Container[str]
) -> Iterator[LogCommit]:
    """The commits that were `found` among `names`, both oldest first; what was found of a merge in one, and merges without changes."""
    one = next(found, None)
    for name in names:
        if name not in merges:
            if one is not None and one.commit == name:
                yield one
                one = next(found, None)
            continue
        brought: tuple[LogRow, ...] = ()
        merge = LogCommit(name, "", "", "", "")
        # What differs from all parents differs from the first one, too: of a single part it is always the latter.
        for is_combined in (False, True):
            if one is not None and one.commit == name:
                brought = brought if is_combined else one.rows
                merge = one._replace(rows=one.rows if is_combined else (), brought=brought)
                one = next(found, None)
        yield merge


def parse_log(chunks: Iterable[bytes]) -> Iterator[LogCommit]:
    """The commits in git's output, in its order."""
    return _parse_log(_tokens(chunks))


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
    header: tuple[str, str, str, str, str] | None = None
    rows: list[LogRow] = []
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
        author, email, date, message = next(tokens), next(tokens), next(tokens), next(tokens)
        header = (facts, _text(author), _text(email), _author_date(date), shown_message(_text(message)))
        rows = []
    if header is not None:
        yield LogCommit(*header, tuple(rows))


def shown_message(message: str) -> str:
    """The subject of a message and at most 2 KiB of its body; `…` where more was written. It is stored and shown many times."""
    message = message.strip("\n")
    if len(message) <= MOST_SUBJECT // 4:  # characters, of which each takes at most four bytes
        return message
    subject, line_end, body = message.partition("\n")
    return f"{_cut(subject, MOST_SUBJECT)}{line_end}{_cut(body, MOST_BODY)}"


def _cut(text: str, most: int) -> str:
    """A text of at most `most` bytes of UTF-8, `…` included."""
    data = text.encode()
    return (
        text
        if len(data) <= most
        else data[: most - len("…".encode())].decode("utf-8", "ignore").rstrip() + "…"
    )


def _parse_row(facts: str, tokens: Iterator[str]) -> LogRow:
    """One raw line: modes and ids before and after, what happened; the path, or both, come next."""
    old_mode, mode, old_blob, blob, status = facts[1:].split(" ")
    old_path = path = _path(next(tokens))
    if status[0] in "RC":
        path = _path(next(tokens))
    return LogRow(status[0], old_path, path, _blob(old_mode, old_blob), _blob(mode, blob))


def _parse_row_of_merge(facts: str, tokens: Iterator[str]) -> LogRow | None:
    """A merge's line, which has a colon, a mode, an id and (as asked) a path for each parent.

    None for a file that a merge took from one parent under the name it has with another: nothing changed in the merge.
    """
    parents = len(facts) - len(facts.lstrip(":"))
    fields = facts[parents:].split(" ")
    modes, blobs, status = fields[: parents + 1], fields[parents + 1 : -1], fields[-1]
    new_blob = _blob(modes[-1], blobs[-1])
    paths = [_path(next(tokens)) for _ in range(parents + 1)]
    # A parent without the file is listed with the path that the merge has.
    had = [n for n in range(parents) if _blob(modes[n], blobs[n])]
    if (
        new_blob is not None
        and any(blobs[n] == new_blob for n in had)
        and any(paths[n] == paths[-1] for n in had)
    ):
        return None
    # Against the first parent that has the file: against one that lacks it, all of it would read as added.
    which = had[0] if had else 0
    others = tuple(blobs[n] for n in had[1:])
    return LogRow(status[which], paths[which], paths[-1], _blob(modes[which], blobs[which]), new_blob, others)


def _blob(mode: str, blob: str) -> str | None:
    """None for "no file", and for what is no plain file (a link, a submodule)."""
    return blob if mode.startswith("100") and blob.strip("0") else None


def _author_date(raw: str) -> str:
    seconds, _, offset = raw.partition(" ")
    return (
        iso_date(int(seconds), offset) if seconds.removeprefix("-").isdecimal() and seconds.isascii() else ""
    )


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
