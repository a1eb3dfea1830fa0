"""The snapshot of a commit in which files with errors have their last valid content."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from registry.errors import ProblemsError
from registry.history.archive import NO_REVISIONS, Revisions
from registry.ids import parse_ledger_files
from registry.load.ledger_files import read_ledger_files
from registry.model.definition import definition_path, kind_and_name
from registry.model.problem import Problem, Severity
from registry.pipeline import read_state
from registry.snapshot import BrokenFile, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from registry.cache.build_cache import BuildCache
    from registry.load.source import Commit

# What these rules report can be the fault of another file, and earlier contents have the same errors.
_OF_OTHERS = frozenset({"R001", "R004"})
# Each one costs a full check of the registry, and a file with 20 broken revisions in a row is a case for a
# person.
_MOST_CONTENTS = 20
_ID = re.compile(rb"^id:[ \t]*([1-9][0-9]{0,15})[ \t]*(?:#.*)?\r?$", re.MULTILINE)


def read_valid(source: Commit, cache: BuildCache) -> Snapshot:
    """Return the snapshot of a commit.

    A definition with errors has its last valid content, if one of its last 20 is valid; otherwise it is left
    out. `broken` lists both. Raises ProblemsError for errors in settings, schemas or the ledger.
    """
    blobs: dict[str, str | None] = {}
    first: dict[str, tuple[Problem, ...]] = {}
    earlier: dict[str, list[str]] = {}
    # An earlier content can have errors of its own or cause new ones in others, so check again until none is
    # left. Each round uses up a content of some file, so the loop ends.
    while True:
        found = read_state(source.with_blobs(blobs) if blobs else source, cache=cache, accepted=_OF_OTHERS)
        errors = _errors_by_path(found.problems)
        own = {path: some for path, some in errors.items() if any(one.rule not in _OF_OTHERS for one in some)}
        first |= {path: some for path, some in errors.items() if path not in first and path not in blobs}
        if found.snapshot is not None:
            return _with_broken(found.snapshot, first, blobs)
        if not own or any(kind_and_name(path) is None or blobs.get(path, "") is None for path in own):
            raise ProblemsError(found.problems, source.read, "the main branch has errors")
        for path in own:
            if path not in earlier:
                earlier[path] = _earlier_blobs(source, path)
            blobs[path] = earlier[path].pop(0) if earlier[path] else None


def _earlier_blobs(source: Commit, path: str) -> list[str]:
    """Return the earlier contents of a file with errors, newest first; also those before it was moved."""
    known = _blobs_of(source, path)[1:]
    if known:
        return known
    before = _last_path(source, path)
    return _blobs_of(source, before) if before is not None and source.type_of(before) is None else []


def _blobs_of(source: Commit, path: str) -> list[str]:
    prefix = source.repository.prefix_of(source.root)
    return source.repository.blobs_of(source.commit, prefix + path, at_most=_MOST_CONTENTS)


def _last_path(source: Commit, path: str) -> str | None:
    """Return the path that the definition in a file had when the ledger was written, or None.

    The file has errors, so its id is read as a line of text.
    """
    place, data = kind_and_name(path), next(iter(source.read_many([path])))[1]
    number = _ID.search(data) if isinstance(data, bytes) else None
    if place is None or number is None:
        return None
    ledger, _ = parse_ledger_files(read_ledger_files(source), source.settings.registry_id or "")
    entry = ledger.latest.get((place[0], int(number[1])))
    return definition_path(place[0], entry.name) if entry is not None else None


def _errors_by_path(problems: Iterable[Problem]) -> Mapping[str, tuple[Problem, ...]]:
    found: dict[str, list[Problem]] = defaultdict(list)
    for one in problems:
        if one.severity is Severity.ERROR:
            found[one.span.path].append(one)
    return {path: tuple(some) for path, some in found.items()}


def _with_broken(
    snapshot: Snapshot, errors: Mapping[str, tuple[Problem, ...]], blobs: Mapping[str, str | None]
) -> Snapshot:
    """Return the snapshot with its list of files with errors, and only the revisions that it shows."""
    broken, shown = [], dict(snapshot.revisions)
    for path, problems in sorted(errors.items()):
        place = kind_and_name(path)
        definition = snapshot.by_name.get(place) if place is not None else None
        revisions = snapshot.revisions_of(definition) if definition is not None else NO_REVISIONS
        broken.append(BrokenFile(path, problems, revisions))
        if definition is not None and path in blobs:
            last = max((one.number for one in revisions if one.blob == definition.blob), default=0)
            shown[definition.kind, definition.name] = Revisions(None, 0, revisions[:last])
    return replace(snapshot, broken=tuple(broken), revisions=shown) if broken else snapshot
