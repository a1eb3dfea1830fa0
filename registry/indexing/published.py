"""What was published of a registry's ids: read back from the site, a copy of it, or a commit.

It is the memory outside of the branch: a branch can be set back, and then its ledger alone would give ids again.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.errors import UsageError
from registry.git import HIGH_WATER, Repository
from registry.ids import Mark, mark_of, parse_ledger
from registry.load.settings import SETTINGS_PATH, parse_settings
from registry.load.source import MAX_LEDGER_BYTES, Commit
from registry.model.addresses import API_LEDGER, API_SNAPSHOT
from registry.model.definition import LEDGER_PATH

_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Published:
    """A mark, and how to get the whole ledger that it is of."""

    mark: Mark
    read_ledger: Callable[[], bytes]


def read_published(where: str, root: Path, repository: Repository | None) -> Published | None:
    """What lies at `where`: an address, a folder or file, or a revision; None when nothing was published there yet.

    Raises UsageError when it cannot be reached: then nobody knows, and nothing must be given.
    """
    if where.startswith(("http://", "https://")):
        return _at_address(where)
    path = Path(where)
    if path.exists():
        return _in_files(path)
    commit = repository.find(where) if repository is not None else None
    if repository is None or commit is None:
        raise UsageError(
            f"{where} is no address, no file and no revision",
            "as in https://registry.example.org/, site/ or origin/main",
        )
    return _in_commit(where, root, repository, commit)


def high_water(root: Path, repository: Repository) -> Published | None:
    """What the last index run noted in the repository itself, as far as it is here."""
    commit = repository.commit_of(HIGH_WATER)
    return _in_commit(HIGH_WATER, root, repository, commit) if commit is not None else None


def _at_address(where: str) -> Published | None:
    snapshot = where if where.endswith(".json") else f"{where.rstrip('/')}/{API_SNAPSHOT}"
    data = _get(snapshot)
    ledger = f"{snapshot.rpartition('/')[0]}/{API_LEDGER.rpartition('/')[2]}"

    def read_ledger() -> bytes:
        found = _get(ledger)
        if found is None:
            raise UsageError(f"there is nothing at {ledger}")
        return found

    return Published(_parse_snapshot(data, where), read_ledger) if data is not None else None


def _get(address: str) -> bytes | None:
    """The body at an address; None for "not found"."""
    request = urllib.request.Request(
        address, headers={"User-Agent": "process-registry", "Cache-Control": "no-cache"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            body = answer.read(MAX_LEDGER_BYTES + 1)
            assert isinstance(body, bytes)
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            return None
        raise UsageError(
            f"{address} answers {error.code} {error.reason}",
            "nothing was given: what was published must be known",
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UsageError(
            f"{address} cannot be read: {reason}", "nothing was given: what was published must be known"
        ) from error
    if len(body) > MAX_LEDGER_BYTES:
        raise UsageError(
            f"{address} has more than {MAX_LEDGER_BYTES:,} bytes", "is it the address of a registry's site?"
        )
    return body


def _in_files(path: Path) -> Published | None:
    snapshot = path / API_SNAPSHOT if path.is_dir() else path
    try:
        if not snapshot.exists():
            return None
        data = snapshot.read_bytes()
        if snapshot.suffix in (".jsonl", ".ndjson"):
            ledger, problems = parse_ledger(data, "")
            if problems:
                raise UsageError(f"{snapshot}:{problems[0].span.line}: {problems[0].message}")
            return Published(mark_of(ledger, str(path)), lambda: data)
    except OSError as error:
        raise UsageError(f"{snapshot} cannot be read: {error.strerror}") from error
    return Published(
        _parse_snapshot(data, str(path)), (snapshot.parent / API_LEDGER.rpartition("/")[2]).read_bytes
    )


def _in_commit(where: str, root: Path, repository: Repository, commit: str) -> Published | None:
    source = Commit(root, repository, commit)
    data = source.read(LEDGER_PATH, at_most=MAX_LEDGER_BYTES)
    settings, _ = parse_settings(source.read(SETTINGS_PATH))
    ledger, problems = parse_ledger(data, settings.registry_id)
    if problems:
        raise UsageError(f"{where}: {problems[0].message}", "name another place with --published")
    return Published(mark_of(ledger, where), lambda: data or b"") if ledger.entries else None


def _parse_snapshot(data: bytes, where: str) -> Mark:
    try:
        facts: Any = json.loads(data)
        next_ids = {kind: one["next_id"] for kind, one in facts["kinds"].items()}
        mark = Mark(
            where, facts["registry_id"] or "", next_ids, facts["ledger_lines"], facts["ledger_head"] or ""
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{where} is no {API_SNAPSHOT} of a registry", "name the address of the site"
        ) from error
    if not all(type(number) is int for number in (mark.lines, *next_ids.values())) or not isinstance(
        mark.head, str
    ):
        raise UsageError(f"{where} is no {API_SNAPSHOT} of a registry", "name the address of the site")
    return mark
