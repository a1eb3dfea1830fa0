"""`git log --raw` under way, and its output as commits with their changed paths."""

import os
import re
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from registry.git.error import GitError, first_line

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Row(NamedTuple):
    """One changed path of one commit, as `git log --raw` has it.

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
    parents: tuple[str, ...]
    author: str
    date: str
    message: str
    rows: tuple[Row, ...]


class PendingLog:
    """A `git log` under way."""

    def __init__(self, process: Any) -> None:
        """`process` was just started."""
        self._process = process
        self._chunks: list[bytes] = []
        self._thread: threading.Thread | None = None
        self._is_read = False

    def in_background(self) -> "PendingLog":
        """Let a thread take the output, so that git never waits while we do other work."""
        self._thread = threading.Thread(target=lambda: self._chunks.extend(self._read()), daemon=True)
        self._thread.start()
        return self

    def _read(self) -> Iterator[bytes]:
        while chunk := self._process.stdout.read(1 << 20):
            yield chunk
        self._is_read = True

    def commits(self) -> Iterator[LogCommit]:
        """All commits. Raises GitError where git fails."""
        if self._thread is not None:
            self._thread.join()
            self.close()
            yield from _parse_log(_tokens(self._chunks))
            return
        try:
            yield from _parse_log(_tokens(self._read()))
        finally:
            self.close()  # where git failed, this says so, and not what its output lacks

    def close(self) -> None:
        """End git, if it still runs. Raises GitError where it failed."""
        if not self._is_read:
            self._process.proc.kill()
        if self._thread is not None:
            self._thread.join()
        self._process.stdout.close()
        status = self._process.proc.wait()
        if status not in (0, -9):
            raise GitError(f"git log failed: {first_line(self._process.stderr.read().decode('utf-8', 'replace'))}")


def _tokens(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The NUL-ended parts of a stream."""
    rest = b""
    for chunk in chunks:
        parts = (rest + chunk).split(b"\0")
        rest = parts.pop()
        yield from parts
    if rest:
        yield rest


def _parse_log(tokens: Iterator[bytes]) -> Iterator[LogCommit]:
    """Commits from the tokens of `git log -z --raw` in our format; no field can hold a NUL, so places decide."""
    header: tuple[str, tuple[str, ...], str, str, str] | None = None
    rows: list[Row] = []
    for token in tokens:
        stripped = token.lstrip(b"\n")
        if not stripped:
            continue
        if stripped.startswith(b":"):
            row = _parse_row(stripped.decode(), tokens)
            if row is not None:
                rows.append(row)
            continue
        if header is not None:
            yield LogCommit(*header, tuple(rows))
        parents, author, date, message = (next(tokens).decode("utf-8", "replace") for _ in range(4))
        header = (stripped.decode(), tuple(parents.split()), author, _author_date(date), message.strip("\n"))
        rows = []
    if header is not None:
        yield LogCommit(*header, tuple(rows))


def _parse_row(facts: str, tokens: Iterator[bytes]) -> Row | None:
    """One raw line; a merge's has a colon, a mode, an id and (as asked) a path for each parent.

    None for a file that a merge took from one parent under the name it has with another: nothing changed in the merge.
    """
    parents = len(facts) - len(facts.lstrip(":"))
    fields = facts[parents:].split(" ")
    modes, blobs, status = fields[: parents + 1], fields[parents + 1 : -1], fields[-1]
    new_blob = _blob(modes[-1], blobs[-1])
    if parents > 1:
        paths = [os.fsdecode(next(tokens)) for _ in range(parents + 1)]
        if new_blob is not None and blobs[-1] in blobs[:-1] and paths[-1] in paths[:-1]:
            return None
        # Against the first parent that has the file: against one that lacks it, all of it would read as added.
        which = next((n for n in range(parents) if _blob(modes[n], blobs[n])), 0)
        others = tuple(blobs[n] for n in range(parents) if n != which and _blob(modes[n], blobs[n]))
        return Row(status[which], paths[which], paths[-1], _blob(modes[which], blobs[which]), new_blob, others)
    old_path = path = os.fsdecode(next(tokens))
    if status[0] in "RC":
        path = os.fsdecode(next(tokens))
    return Row(status[0], old_path, path, _blob(modes[0], blobs[0]), new_blob)


def _blob(mode: str, blob: str) -> str | None:
    """None for "no file", and for what is no plain file (a link, a submodule)."""
    return blob if mode.startswith("100") and blob.strip("0") else None


def _author_date(raw: str) -> str:
    seconds, _, offset = raw.partition(" ")
    return iso_date(int(seconds), offset) if re.fullmatch(r"-?[0-9]+", seconds) else ""


def iso_date(seconds: int, offset: str) -> str:
    """ISO 8601 with an offset; what no calendar holds (git keeps any number) becomes the nearest date that it does."""
    moment = _START + timedelta(seconds=min(max(seconds, -(10**10)), 2 * 10**11))
    return moment.astimezone(_zone(offset)).isoformat()


@lru_cache(maxsize=1024)
def _zone(offset: str) -> tzinfo:
    found = re.fullmatch(r"([+-])([0-9]{2})([0-9]{2})", offset)
    minutes = (int(found[2]) * 60 + int(found[3])) * (-1 if found[1] == "-" else 1) if found else 0
    return timezone(timedelta(minutes=minutes)) if minutes and abs(minutes) < 24 * 60 else UTC
