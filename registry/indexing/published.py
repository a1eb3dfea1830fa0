"""Read what was published of a registry's ids: from the site, a copy of it, or a commit.

A branch can be reset, and its ledger alone would then assign ids again. The published state is the record
outside it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.errors import RefusedError, UsageError
from registry.git import HIGH_WATER, Repository
from registry.ids import Mark, all_lines, mark_of, parse_ledger_files, segment_path, split_open
from registry.load.ledger_files import MAX_LEDGER_BYTES, read_ledger_files
from registry.load.source import Commit, Source
from registry.model.addresses import API_LEDGER, API_SNAPSHOT
from registry.model.definition import LEDGER_PATH
from registry.model.ledger_files import LedgerFiles

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable

_TIMEOUT_S = 30
# For a complete response: a server that sends a byte now and then would otherwise block forever.
_DEADLINE_S = 300
_HINT = "nothing was done, because the published state must be known"


@dataclass(frozen=True, slots=True)
class PublishedLedger:
    """A mark, and a function that reads the whole ledger it belongs to.

    The function raises UsageError or OSError.
    """

    mark: Mark
    read_ledger: Callable[[], bytes]


def read_published(where: str, root: Path, repository: Repository | None) -> PublishedLedger | None:
    """Return what is published at `where` (URL, folder, file or revision), or None for nothing yet.

    Raises UsageError when it cannot be read: without the published state, no id may be assigned.
    """
    if not where.strip():
        raise UsageError(
            "--published is empty",
            "a variable may be unset; give a URL or a folder, or remove --published",
        )
    if where.startswith(("http://", "https://")):
        return _at_address(where)
    path = Path(where)
    if path.exists():
        return _in_files(path)
    commit = repository.find(where) if repository is not None else None
    if repository is None or commit is None:
        raise UsageError(
            f"{where} is not a URL, a file or a revision",
            "examples: https://registry.example.org/, site/, origin/main",
        )
    return _in_commit(where, root, repository, commit)


def high_water(root: Path, repository: Repository) -> PublishedLedger | None:
    """Return what the last index run recorded in the high-water ref, or None without the ref.

    Raises UsageError when the ledger at that commit is broken, and GitError when git cannot read it.
    """
    commit = repository.commit_of(HIGH_WATER)
    return _in_commit(HIGH_WATER, root, repository, commit) if commit is not None else None


def refuse_to_replace(mark: Mark, source: Source) -> None:
    """Raise RefusedError when a site of `source` must not replace the site of `mark`.

    That is the case when its ledger lacks a line of the published one: ids would disappear and be assigned
    again.
    """
    lacks = lacks_lines_of(mark, source)
    if lacks:
        hint = (
            "build the newest commit of the main branch; if it was reset: registry index --recover "
            "--published"
        )
        raise RefusedError(f"{lacks}: nothing was built", f"{hint} {mark.where}")


def lacks_lines_of(mark: Mark, source: Source) -> str:
    """Describe what the ledger of `source` lacks of the ledger of `mark`; "" when it is complete."""
    settings = source.settings
    ledger, problems = parse_ledger_files(read_ledger_files(source), settings.registry_id)
    if mark.registry_id and mark.registry_id != ledger.registry_id:
        return (
            f"{mark.where} belongs to the registry {mark.registry_id}, "
            f"and this is {ledger.registry_id or 'one without an id'}"
        )
    if problems and mark.lines:
        return (
            f"{mark.where} has {mark.lines:,} ledger lines, but the ledger here is broken: "
            f"{problems[0].message}"
        )
    if mark.lines > len(ledger.entries):
        return (
            f"{mark.where} has {mark.lines:,} ledger lines, but only {len(ledger.entries):,} are present here"
        )
    return "" if ledger.extends(mark) else f"{mark.where} has ledger lines that differ here"


def _at_address(where: str) -> PublishedLedger | None:
    snapshot = where if where.endswith(".json") else f"{where.rstrip('/')}/{API_SNAPSHOT}"
    data = _get(snapshot)
    ledger = f"{snapshot.rpartition('/')[0]}/{API_LEDGER.rpartition('/')[2]}"

    def read_ledger() -> bytes:
        found = _get(ledger)
        if found is None:
            raise UsageError(f"{ledger} was not found")
        return found

    return PublishedLedger(_parse_snapshot(data, where), read_ledger) if data is not None else None


def _get(address: str) -> bytes | None:
    """Return the response body of a URL; None for status 404 or 410. Raises UsageError otherwise."""
    # Imported late: local builds read a site from a folder and do not need HTTP.
    import http.client
    import urllib.error
    import urllib.request

    try:
        request = urllib.request.Request(
            address, headers={"User-Agent": "process-registry", "Cache-Control": "no-cache"}
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            body = _read_body(answer)
    except urllib.error.HTTPError as error:
        error.close()  # it is the response too, and keeps its connection open
        # Only these mean "nothing yet". Any other failure may hide a site that has ids.
        if error.code in (404, 410):
            return None
        raise UsageError(f"{address} returned {error.code} {error.reason}", _HINT) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UsageError(f"{address} cannot be read: {reason}", _HINT) from error
    if len(body) > MAX_LEDGER_BYTES:
        raise UsageError(
            f"{address} has more than {MAX_LEDGER_BYTES:,} bytes",
            "check that it is the URL of a registry's site",
        )
    return body


def _read_body(answer: http.client.HTTPResponse) -> bytes:
    """Return the body, cut one byte above the size limit of a ledger.

    Raises TimeoutError when it takes too long.
    """
    deadline = time.monotonic() + _DEADLINE_S
    body = bytearray()
    # `read1` returns what has arrived. The timeout of the socket counts from each piece, so a server that
    # sends one byte a second needs the deadline.
    while len(body) <= MAX_LEDGER_BYTES and (piece := answer.read1(1 << 16)):
        body += piece
        if time.monotonic() > deadline:
            raise TimeoutError(f"no complete response in {_DEADLINE_S} s")
    return bytes(body)


def _in_files(path: Path) -> PublishedLedger | None:
    snapshot = path / API_SNAPSHOT if path.is_dir() else path
    try:
        if not snapshot.exists():
            return None
        if not snapshot.is_file():
            raise UsageError(
                f"{snapshot} is not a regular file", "name a site, its snapshot.json or a ledger"
            )
        data = snapshot.read_bytes()
        if snapshot.suffix in (".jsonl", ".ndjson"):
            files = _with_sealed(snapshot, data)
            ledger, problems = parse_ledger_files(files, "")
            if problems:
                span = problems[0].span
                file = (
                    snapshot
                    if span.path == LEDGER_PATH
                    else snapshot.parent / "ledger" / Path(span.path).name
                )
                raise UsageError(f"{file}:{span.line}: {problems[0].message}")
            return PublishedLedger(mark_of(ledger, str(path)), lambda: all_lines(files))
    except OSError as error:
        raise UsageError(f"{snapshot} cannot be read: {error.strerror}") from error
    return PublishedLedger(
        _parse_snapshot(data, str(path)), (snapshot.parent / API_LEDGER.rpartition("/")[2]).read_bytes
    )


def _with_sealed(path: Path, data: bytes) -> LedgerFiles:
    """Return the files of a copied ledger: `data`, and the segments beside it if it is an open segment."""
    found: dict[str, bytes] = {}
    for number in range(1, split_open(data).sealed + 1):
        name = segment_path(number)
        file = path.parent / "ledger" / Path(name).name
        if not file.is_file():
            break  # reported as missing
        found[name] = file.read_bytes()
    return LedgerFiles(data, found)


def _in_commit(where: str, root: Path, repository: Repository, commit: str) -> PublishedLedger | None:
    source = Commit(root, repository, commit)
    files = read_ledger_files(source)
    ledger, problems = parse_ledger_files(files, source.settings.registry_id)
    if problems:
        raise UsageError(f"{where}: {problems[0].message}", "name another source with --published")
    return PublishedLedger(mark_of(ledger, where), lambda: all_lines(files)) if ledger.entries else None


def _parse_snapshot(data: bytes, where: str) -> Mark:
    try:
        facts: Any = json.loads(data)
        next_ids = {kind: one["next_id"] for kind, one in facts["kinds"].items()}
        mark = Mark(
            where, facts["registry_id"] or "", next_ids, facts["ledger_lines"], facts["ledger_head"] or ""
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{where} is not the {API_SNAPSHOT} of a registry", "give the URL of the site"
        ) from error
    if not all(type(number) is int for number in (mark.lines, *next_ids.values())) or not isinstance(
        mark.head, str
    ):
        raise UsageError(f"{where} is not the {API_SNAPSHOT} of a registry", "give the URL of the site")
    return mark
