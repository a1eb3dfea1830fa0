"""What a source's ledger says: the ids that are its own, and those of deleted definitions."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from registry.history.archive import NO_REVISIONS
from registry.ids import Ledger, parse_ledger_files
from registry.load.ledger_files import read_ledger_files
from registry.load.settings import SETTINGS_PATH, Settings
from registry.model.addresses import has_address
from registry.model.definition import LEDGER_FOLDER, LEDGER_PATH, definition_path
from registry.model.problem import Problem, Severity, Span
from registry.snapshot.tombstones import Tombstone

if TYPE_CHECKING:
    from collections.abc import Collection

    from registry.history.archive import History
    from registry.ids import LedgerEntry
    from registry.load.kinds import Kinds
    from registry.load.loader import Loaded
    from registry.load.source import Source

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class OwnLedger(NamedTuple):
    """The ledger of a source and what is wrong with it.

    `is_fork`: it is of another registry, and then has no entries here.
    """

    ledger: Ledger
    problems: tuple[Problem, ...]
    is_fork: bool


def read_own_ledger(source: Source, settings: Settings) -> OwnLedger:
    """Read the ledger. A fork publishes no ids: they are not its own."""
    ledger, problems = parse_ledger_files(read_ledger_files(source), settings.registry_id)
    if not ledger.entries or ledger.registry_id == settings.registry_id:
        return OwnLedger(ledger, problems, is_fork=False)
    foreign = _foreign(ledger, settings)
    if settings.registry_id:
        ledger = Ledger((), settings.registry_id, settings.registry_id)
    return OwnLedger(ledger, (*problems, foreign), is_fork=True)


def _foreign(ledger: Ledger, settings: Settings) -> Problem:
    span = Span(SETTINGS_PATH)
    if not settings.registry_id:
        message = f"the ledger belongs to the registry {ledger.registry_id}, but registry_id is not set"
        hint = f"restore it: registry_id: {ledger.registry_id}"
        return Problem("I026", Severity.ERROR, span, message, hint)
    message = f"the ids belong to the registry {ledger.registry_id}: all definitions are shown without an id"
    files = f"-r {LEDGER_PATH} {LEDGER_FOLDER}" if ledger.sealed else LEDGER_PATH
    hint = f"to make this fork a registry of its own, remove the ledger: git rm {files}"
    return Problem("I027", Severity.WARNING, span, message, hint)


def find_tombstones(
    source: Source, loaded: Loaded, ledger: Ledger, kinds: Kinds, history: History | None
) -> list[Tombstone]:
    """Return every id that was assigned and that no definition carries."""
    there = set(map(itemgetter(0, 2), loaded.definitions))  # kind and id
    gone = [entry for key, entry in ledger.latest.items() if key not in there and entry.kind in kinds.by_name]
    if not gone:
        return []
    revisions = {
        (one.kind, one.id): history.of(one.kind, one.id, definition_path(one.kind, one.name))
        if history is not None
        else NO_REVISIONS
        for one in gone
    }
    lost = _lost_blobs(source, ledger, {key for key, known in revisions.items() if not known})
    return [
        Tombstone(one.kind, one.id, one.name, revisions[key], ledger.last_lines[key], lost.get(key))
        for one in gone
        for key in [(one.kind, one.id)]
    ]


def _lost_blobs(
    source: Source, ledger: Ledger, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """Return the contents of definitions that the history does not lead to, from the commits that the ledger
    names for them.

    Git keeps commits of a branch that was reset for some time, in the repository where that happened;
    elsewhere there is nothing.
    """
    repository = source.repository
    if repository is None or not wanted:
        return {}
    prefix = repository.prefix_of(source.root)
    lines = [one for one in ledger.entries if (one.kind, one.id) in wanted and _names_content(one)]
    if not lines:
        return {}
    objects = repository.objects_at_places(
        [(one.commit or "", prefix + definition_path(one.kind, one.name)) for one in lines]
    )
    # Later lines win: they are of later states.
    return {
        (one.kind, one.id): blob for one, blob in zip(lines, objects, strict=True) if _COMMIT.fullmatch(blob)
    }


def _names_content(entry: LedgerEntry) -> bool:
    """True for a line with a commit in which the definition may have a file."""
    has_commit = entry.commit is not None and _COMMIT.fullmatch(entry.commit) is not None
    return entry.state != "gone" and has_commit and has_address(entry.name)
