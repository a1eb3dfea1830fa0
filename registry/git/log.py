"""Changes of each commit in a log, parsed from the output of `git diff-tree`."""

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

from registry.git.error import GitError, first_line
from registry.git.order import CommitOrder
from registry.git.pipes import widen

_START = datetime(1970, 1, 1)  # noqa: DTZ001 - the offset is written after it
# The largest and smallest number of commits per process: a second of work, and more than its start-up.
_LARGEST_PIECE, _SMALLEST_PIECE = 10_000, 1_000
_CHUNK_BYTES = 1024 * 1024
# Maximum lengths of the subject and the body of a commit message, in bytes of UTF-8.
MOST_SUBJECT, MOST_BODY = 1024, 2048


class LogRow(NamedTuple):
    """One changed path of one commit, as in git's raw format.

    `old_path` is the path before (different from `path` for a rename); `old_blob` and `blob` are None for "no
    file". `other_blobs` are the blobs of the other parents of a merge.
    """

    status: str
    old_path: str
    path: str
    old_blob: str | None
    blob: str | None
    other_blobs: tuple[str, ...] = ()


class LogCommit(NamedTuple):
    """One commit with its changed paths.

    `date` is the author's, ISO 8601 with the author's offset. `message` is its subject and at most 2 KiB of
    its body. `rows` are its changes; for a merge the files that differ from all its parents. `brought` are
    the changes of a merge against its first parent. A merge without either has only its name.
    """

    commit: str
    author: str
    email: str
    date: str
    message: str
    rows: tuple[LogRow, ...] = ()
    brought: tuple[LogRow, ...] = ()


class PendingLog:
    """A running `git log` or `git diff-tree`. A thread reads its output: git never waits for this process."""

    def __init__(self, process: Any, command: str, hint: Callable[[], str] = str) -> None:
        """`process` has just started the git `command`; `hint` returns advice for missing objects."""
        self._process = process
        self._command = command
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
        """Yield git's output in parts. Raises GitError if git failed."""
        while chunk := self._chunks.get():
            yield chunk
        self.close()

    def close(self) -> None:
        """End git if it is running. Raises GitError once if it failed."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_read:
            self._process.proc.kill()
        self._thread.join()
        self._process.stdout.close()
        status = self._process.proc.wait()
        if status not in (0, -9):
            message = first_line(self._process.stderr.read().decode("utf-8", "replace"))
            raise GitError(f"git {self._command} failed: {message}", self._hint())


class PendingLogs:
    """One log, read in parts by several git processes at once: finding changes is limited by the CPU."""

    def __init__(
        self, start: Callable[[Sequence[str]], PendingLog], order: CommitOrder, at_once: int
    ) -> None:
        """`start` starts reading some lines of commits, in the order given. The first are started now."""
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
        """Yield the input for git, newest first, in git's own traversal order.

        With existing packs this saves a tenth. A merge is listed twice: against all its parents, and against
        its first parent only.
        """
        for name in reversed(piece):
            yield name
            if name in self._merges:
                yield f"{name} {self._merges[name]}"

    def commits(self) -> Iterator[LogCommit]:
        """Yield the commits with changes and all merges, oldest first. Raises GitError if git fails."""
        try:
            while self._running:
                # Read while git is running; only the order has to wait.
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
        """End all running processes."""
        for _, log in self._running:
            log.close()
        self._running.clear()


def _with_merges(
    names: Iterable[str], found: Iterator[LogCommit], merges: Container[str]
) -> Iterator[LogCommit]:
    """Merge the `found` commits into the order of `names`, both oldest first.

    The two entries of a merge are combined, and merges without changes are added.
    """
    one = next(found, None)
    for name in names:
        if name not in merges:
            if one is not None and one.commit == name:
                yield one
                one = next(found, None)
            continue
        brought: tuple[LogRow, ...] = ()
        merge = LogCommit(name, "", "", "", "")
        # A path that differs from all parents also differs from the first one: a single entry is always the
        # latter.
        for is_combined in (False, True):
            if one is not None and one.commit == name:
                brought = brought if is_combined else one.rows
                merge = one._replace(rows=one.rows if is_combined else (), brought=brought)
                one = next(found, None)
        yield merge


def parse_log(chunks: Iterable[bytes]) -> Iterator[LogCommit]:
    """Yield the commits in git's output, in its order."""
    return _parse_log(nul_terminated(chunks))


def nul_terminated(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the NUL-terminated parts of a stream; bytes that are not UTF-8 become Python's surrogates."""
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


def decoded_path(token: str) -> str:
    """Return a path in git's output as Python spells it."""
    return token if token.isascii() else os.fsdecode(token.encode("utf-8", "surrogateescape"))


def _parse_log(tokens: Iterator[str]) -> Iterator[LogCommit]:
    """Parse commits from the tokens of `git diff-tree -z --raw`.

    No field contains NUL, so positions are unambiguous.
    """
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
    """Return the subject and at most 2 KiB of the body of a message, with `…` for omitted text.

    The result is stored and shown many times.
    """
    message = message.strip("\n")
    if len(message) <= MOST_SUBJECT // 4:  # characters, each of at most four bytes
        return message
    subject, line_end, body = message.partition("\n")
    return f"{_cut(subject, MOST_SUBJECT)}{line_end}{_cut(body, MOST_BODY)}"


def _cut(text: str, most: int) -> str:
    """Cut a text to at most `most` bytes of UTF-8, including `…`."""
    data = text.encode()
    return (
        text
        if len(data) <= most
        else data[: most - len("…".encode())].decode("utf-8", "ignore").rstrip() + "…"
    )


def _parse_row(facts: str, tokens: Iterator[str]) -> LogRow:
    """Parse one raw line: modes and ids before and after, and status; one or two paths follow."""
    old_mode, mode, old_blob, blob, status = facts[1:].split(" ")
    old_path = path = decoded_path(next(tokens))
    if status[0] in "RC":
        path = decoded_path(next(tokens))
    return LogRow(status[0], old_path, path, _blob(old_mode, old_blob), _blob(mode, blob))


def _parse_row_of_merge(facts: str, tokens: Iterator[str]) -> LogRow | None:
    """Parse a line of a merge, which has a colon, a mode, an id and a path for each parent.

    Returns None for a file that a merge took from one parent under its name in another parent: the merge
    changed nothing.
    """
    parents = len(facts) - len(facts.lstrip(":"))
    fields = facts[parents:].split(" ")
    modes, blobs, status = fields[: parents + 1], fields[parents + 1 : -1], fields[-1]
    new_blob = _blob(modes[-1], blobs[-1])
    paths = [decoded_path(next(tokens)) for _ in range(parents + 1)]
    # A parent without the file is listed with the path in the merge.
    had = [n for n in range(parents) if _blob(modes[n], blobs[n])]
    if (
        new_blob is not None
        and any(blobs[n] == new_blob for n in had)
        and any(paths[n] == paths[-1] for n in had)
    ):
        return None
    # Against the first parent that has the file: compared with one that lacks it, all content would be added.
    which = had[0] if had else 0
    others = tuple(blobs[n] for n in had[1:])
    return LogRow(status[which], paths[which], paths[-1], _blob(modes[which], blobs[which]), new_blob, others)


def _blob(mode: str, blob: str) -> str | None:
    """Return None for "no file" and for entries that are not regular files (links, submodules)."""
    return blob if mode.startswith("100") and blob.strip("0") else None


def _author_date(raw: str) -> str:
    seconds, _, offset = raw.partition(" ")
    return (
        iso_date(int(seconds), offset) if seconds.removeprefix("-").isdecimal() and seconds.isascii() else ""
    )


def iso_date(seconds: int, offset: str) -> str:
    """Return ISO 8601 with an offset.

    Dates outside the calendar (git accepts any number) become the nearest valid date.
    """
    shift, suffix = _zone(offset)
    moment = _START + timedelta(seconds=min(max(seconds, -(10**10)), 2 * 10**11) + shift)
    return moment.isoformat() + suffix


@lru_cache(maxsize=1024)
def _zone(offset: str) -> tuple[int, str]:
    """Return the seconds of an offset (`+0130`) and its ISO 8601 form; an invalid offset is UTC."""
    found = re.fullmatch(r"([+-])([0-9]{2})([0-9]{2})", offset)
    minutes = int(found[2]) * 60 + int(found[3]) if found else 0
    if not found or not minutes or minutes >= 24 * 60:
        return 0, "+00:00"
    return minutes * (-60 if found[1] == "-" else 60), f"{found[1]}{minutes // 60:02d}:{minutes % 60:02d}"
