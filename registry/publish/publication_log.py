"""The log of publications in a bucket: numbered records, which lock it, and what each one uploaded.

`_registry/publish/000042.json` is the record of publication 42. Its publisher created it under the condition
that it does not exist (If-None-Match: *), so of two publishers one has the number. Until it has finished, it
writes the record again and again as a sign of life. Below `_registry/publish/000042/` are the paths that it
uploads, and the ETags of what it has uploaded, so that the next one continues after an interruption.
"""

from __future__ import annotations

import platform
import re
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from registry.errors import RefusedError, RegistryError
from registry.publish.hash_tree import ADDED_FOLDER, FileDigest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from registry.publish.bucket import Bucket

LOG_FOLDER = f"{ADDED_FOLDER}/publish"
_PROBE = f"{LOG_FOLDER}/probe"
_CLOCK = f"{LOG_FOLDER}/clock"
_FORMAT = 1
_RECORD = re.compile(rf"{LOG_FOLDER}/(\d{{6,}})\.json\Z")
_PART = re.compile(rf"{LOG_FOLDER}/\d{{6,}}/(paths|left|uploaded)(?:/\d+)?\Z")

DEAD_AFTER_S = 300.0
"""A publication without a sign of life for this time was killed. Much longer than a request with retries."""
_SIGN_OF_LIFE_S = 15.0
_UPLOADS_EVERY_S = 2.0
_KEPT_RECORDS = 20

_PUBLISHING, _STOPPED, _DONE = "publishing", "stopped", "done"


@dataclass(frozen=True, slots=True)
class Record:
    """One publication. `state` is `publishing`, `stopped` (it failed or was interrupted) or `done`.

    `sequence` is that of the root that it publishes. `has_lock` is False in a store that overwrites an
    existing object although the request forbids it.
    """

    number: int
    state: str
    host: str
    started: str
    token: str
    sequence: int
    has_lock: bool

    @property
    def is_done(self) -> bool:
        """True if everything was uploaded, and old files are deleted."""
        return self.state == _DONE

    @property
    def path(self) -> str:
        """The path of the record."""
        return f"{LOG_FOLDER}/{self.number:06}.json"

    @property
    def folder(self) -> str:
        """The folder of what it uploads."""
        return f"{LOG_FOLDER}/{self.number:06}"

    def to_bytes(self) -> bytes:
        """Return the content of the record."""
        return orjson.dumps({"format": _FORMAT, **asdict(self)}, option=orjson.OPT_INDENT_2) + b"\n"


@dataclass(frozen=True, slots=True)
class LogState:
    """The newest record, None before the first publication, and the paths of all objects of the log."""

    newest: Record | None
    paths: tuple[str, ...]

    @property
    def is_interrupted(self) -> bool:
        """True if the newest publication is not finished."""
        return self.newest is not None and not self.newest.is_done


class PublicationLog:
    """The log of a bucket."""

    def __init__(self, bucket: Bucket, dead_after_s: float = DEAD_AFTER_S) -> None:
        """`dead_after_s` is the time without a sign of life after which a publication is over."""
        self._bucket = bucket
        self._dead_after_s = dead_after_s

    def read(self) -> LogState:
        """Return the state of the log. Raises RefusedError for a record that this version does not know."""
        paths = tuple(sorted(one.path for one in self._bucket.list(LOG_FOLDER)))
        numbers = [int(found[1]) for path in paths if (found := _RECORD.match(path))]
        newest = self._record(f"{LOG_FOLDER}/{max(numbers):06}.json") if numbers else None
        return LogState(newest, paths)

    def _record(self, path: str) -> Record | None:
        data = self._bucket.read(path)
        if data is None:
            return None
        try:
            found = orjson.loads(data)
            if found.pop("format") != _FORMAT:
                raise RefusedError(f"{self._bucket.name}: {path} is of a newer version", "update the program")
            return Record(**found)
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            raise RefusedError(
                f"{self._bucket.name}: {path} is not the record of a publication",
                "publish to another prefix",
            ) from None

    def left(self, state: LogState) -> set[str]:
        """Return the files that the published state no longer has; the next publication deletes them."""
        return set(self._lines(state, "left"))

    def intended(self, state: LogState) -> set[str]:
        """Return the paths that interrupted publications uploaded, or wanted to."""
        return set(self._lines(state, "paths"))

    def uploaded(self, state: LogState) -> Mapping[tuple[str, str], FileDigest]:
        """Return what interrupted publications uploaded, by path and ETag."""
        found = {}
        for line in self._lines(state, "uploaded"):
            sha256, size, etag, path = line.split(" ", 3)
            found[path, etag] = FileDigest(sha256, int(size))
        return found

    def _lines(self, state: LogState, part: str) -> Iterable[str]:
        for path in state.paths:
            match = _PART.match(path)
            if match is not None and match[1] == part:
                yield from (self._bucket.read(path) or b"").decode().splitlines()

    def claim(self, state: LogState, sequence: int, *, take_over: bool) -> Lease:
        """Begin the publication that follows `state`.

        Raises RefusedError if another one is running, or has begun since `state` was read. With `take_over`,
        one that is not finished counts as killed.
        """
        before = state.newest
        if before is not None and before.state == _PUBLISHING and not take_over:
            self._refuse_if_alive(before)
        has_lock = before.has_lock if before is not None else self._bucket.refuses_second_creation(_PROBE)
        record = Record(
            number=before.number + 1 if before is not None else 1,
            state=_PUBLISHING,
            host=platform.node(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            token=secrets.token_hex(16),
            sequence=sequence,
            has_lock=has_lock,
        )
        lease = Lease(self._bucket, self, record)
        with lease.stopped_by_errors():
            self._create(record)
            lease.confirm()
        return lease

    def _create(self, record: Record) -> None:
        if not record.has_lock:
            self._bucket.write(record.path, record.to_bytes())
        elif not self._bucket.create(record.path, record.to_bytes()):
            other = self._record(record.path)
            # A repeated request finds what the first one created.
            if other is None or other.token != record.token:
                raise self._busy(other)

    def _refuse_if_alive(self, record: Record) -> None:
        """Raise RefusedError if a record was written a short time ago, by the clock of the store."""
        self._bucket.write(_CLOCK, b"")
        times = {one.path: one.written for one in self._bucket.list(LOG_FOLDER)}
        if record.path not in times or _CLOCK not in times:
            return
        silent_s = (times[_CLOCK] - times[record.path]).total_seconds()
        if silent_s < self._dead_after_s:
            raise self._busy(record, silent_s)

    def _busy(self, other: Record | None, silent_s: float = 0.0) -> RefusedError:
        if other is not None and other.is_done:
            return RefusedError(
                f"{other.host} has published to {self._bucket.name} since it was read ({other.started})",
                "publish again",
            )
        who = f"{other.host} (since {other.started})" if other is not None else "another publisher"
        hint = "publish again when it has finished"
        if silent_s:
            minutes = round(self._dead_after_s / 60)
            hint += f"; if it was killed, wait {minutes} minutes, or add --take-over"
        return RefusedError(f"{who} is publishing to {self._bucket.name}", hint)


class Lease:
    """The right to publish: one publication, from its claim until it has finished.

    Methods raise RefusedError after another publisher took it over.
    """

    def __init__(self, bucket: Bucket, log: PublicationLog, record: Record) -> None:
        """Take the record that was created."""
        self._bucket = bucket
        self._log = log
        self.record = record
        self._confirmed_at = self._noted_at = time.time()
        self._notes: list[str] = []
        self._files = 0

    def confirm(self) -> None:
        """Check that this is still the newest publication, and show a sign of life."""
        newest = self._log.read().newest
        if newest is None or newest.token != self.record.token:
            other = f"{newest.host} (since {newest.started})" if newest is not None else "another publisher"
            raise RefusedError(f"{other} has taken over the publication to {self._bucket.name}")
        self._bucket.write(self.record.path, self.record.to_bytes())
        # The wall clock: another one can stop while the machine sleeps.
        self._confirmed_at = time.time()

    def keep(self) -> None:
        """Do what is due: a sign of life, and writing what was uploaded. Call it before each request."""
        now = time.time()
        if now - self._noted_at > _UPLOADS_EVERY_S:
            self.write_notes()
        if not 0 <= now - self._confirmed_at < _SIGN_OF_LIFE_S:
            self.confirm()

    def note(self, path: str, digest: FileDigest, etag: str | None) -> None:
        """Remember that a file was uploaded."""
        if etag:
            self._notes.append(f"{digest.sha256} {digest.size} {etag} {path}\n")

    def write_notes(self) -> None:
        """Write what was uploaded since the last time."""
        if self._notes:
            self._files += 1
            notes, self._notes = self._notes, []
            self._bucket.write(f"{self.record.folder}/uploaded/{self._files:06}", "".join(notes).encode())
        self._noted_at = time.time()

    def write_paths(self, part: str, paths: Iterable[str]) -> None:
        """Write a list of paths: `paths` that will be uploaded, or those `left` for the next publication."""
        lines = "".join(f"{path}\n" for path in sorted(paths))
        if lines:
            self._bucket.write(f"{self.record.folder}/{part}", lines.encode())

    def finish(self) -> None:
        """Remove what only an interrupted publication needs, and close the record."""
        own = f"{self.record.folder}/"
        oldest = self.record.number - _KEPT_RECORDS
        now = [one.path for one in self._bucket.list(LOG_FOLDER)]
        old = [path for path in now if _PART.match(path) and path != f"{own}left"]
        old += [path for path in now if (found := _RECORD.match(path)) and int(found[1]) <= oldest]
        self._bucket.delete([*old, *(path for path in now if path == _CLOCK)])
        self._close(_DONE)

    @contextmanager
    def stopped_by_errors(self) -> Iterator[None]:
        """Close the record if the block fails or is interrupted: the next publication need not wait."""
        try:
            yield
        except BaseException:
            with suppress(RegistryError):
                self.write_notes()
                self._close(_STOPPED)
            raise

    def _close(self, state: str) -> None:
        self.record = replace(self.record, state=state)
        self.confirm()
