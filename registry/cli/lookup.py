"""Finds the one definition that a person means by a name or an id."""

from pathlib import Path

from registry.build import Checked, check_source, snapshot_of
from registry.cli.terminal import open_cache, progress
from registry.errors import ProblemsError, UsageError, nearest
from registry.history import Revisions
from registry.loader import Definition
from registry.memory import Memory
from registry.snapshot import Snapshot, Tombstone
from registry.source import open_source


def load_checked(root: Path, source: str) -> Checked:
    """Everything in a source; files that cannot be read are missing from it, and `registry check` says why."""
    return check_source(open_source(root, source))


def load_snapshot(root: Path, source: str) -> Snapshot:
    """A snapshot with history. Raises ProblemsError when the definitions have errors."""
    with progress() as tell:
        opened = open_source(root, source)
        snapshot, problems = snapshot_of(opened, tell, Memory(open_cache(opened)))
    if snapshot is None:
        raise ProblemsError(problems, opened.read)
    return snapshot


def find(snapshot: Snapshot, wanted: str, kind: str | None) -> Definition | Tombstone:
    """The definition or tombstone called `wanted`: a name, `kind/name`, an id, or `kind/id`.

    Process definitions come first where the same word fits several kinds and none was named.
    """
    first, _, rest = wanted.partition("/")
    if kind is None and first in snapshot.kinds.by_name and rest:
        kind, wanted = first, rest
    kinds = [kind] if kind else list(snapshot.kinds.by_name)
    things: list[Definition | Tombstone] = [*snapshot.definitions, *snapshot.tombstones]
    for name in kinds:
        for thing in things:
            if thing.kind == name and wanted in (thing.name, str(thing.id)):
                return thing
    names = [thing.name for thing in things if thing.kind in kinds]
    raise UsageError(f"there is no definition `{wanted}`", nearest(wanted, names) or "`registry list` shows all")


def revisions_of(snapshot: Snapshot, found: Definition | Tombstone) -> Revisions:
    """The revisions of what `find` gave, oldest first."""
    return found.revisions if isinstance(found, Tombstone) else snapshot.revisions_of(found)
