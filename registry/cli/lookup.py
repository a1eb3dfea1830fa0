"""Find the definition that a name or an id refers to."""

from collections.abc import Sequence
from pathlib import Path

from registry.cache.build_cache import BuildCache
from registry.cli.terminal import err, open_cache, progress
from registry.errors import ProblemsError, UsageError, nearest
from registry.history.archive import Revisions
from registry.load.source import open_source
from registry.model.definition import Definition
from registry.pipeline import Checked, check_source, snapshot_of
from registry.snapshot import Snapshot, Tombstone

_MOST_SHOWN = 8


def load_checked(root: Path, source: str) -> Checked:
    """Return the checked content of a source.

    Unreadable files are missing from it; `registry check` reports them.
    """
    return check_source(open_source(root, source))


def load_snapshot(root: Path, source: str) -> Snapshot:
    """A snapshot with history. Raises ProblemsError when the definitions have errors."""
    with progress() as report:
        opened = open_source(root, source)
        snapshot, problems = snapshot_of(opened, report, BuildCache(open_cache(opened)))
    if snapshot is None:
        raise ProblemsError(problems, opened.read)
    return snapshot


def find(snapshot: Snapshot, wanted: str, kind: str | None) -> Definition | Tombstone:
    """Return the definition or tombstone called `wanted`: a name, `kind/name`, an id, or `kind/id`.

    A former name of a definition is found too, with a note. Raises UsageError if there is no match, no such
    kind, or more than one match: the function never chooses for the user.
    """
    by_name = snapshot.kinds.by_name
    if kind is not None and kind not in by_name:
        raise UsageError(
            f"there is no kind `{kind}`", nearest(kind, by_name) or f"the kinds are {', '.join(by_name)}"
        )
    things: list[Definition | Tombstone] = [*snapshot.definitions, *snapshot.tombstones]
    found = _called(things, wanted, kind)
    first, _, rest = wanted.partition("/")
    if kind is None and first in by_name and rest:
        found += _called(things, rest, first)
        if not found:
            kind, wanted = first, rest
    if len(found) > 1:
        shown = [_unmistakable(things, one) for one in found]
        many = f" and {len(shown) - _MOST_SHOWN:,} more" if len(shown) > _MOST_SHOWN else ""
        hint = f"choose one: {', '.join(shown[:_MOST_SHOWN])}{many}"
        raise UsageError(f"`{wanted}` matches more than one definition", hint)
    if found:
        return found[0]
    renamed = _once_called(snapshot, things, wanted, kind)
    if len(renamed) == 1:
        err.print(f"`{wanted}` was renamed to `{renamed[0].name}`.", markup=False)
        return renamed[0]
    if renamed:
        hint = f"definitions that had this name: {', '.join(_unmistakable(things, one) for one in renamed[:_MOST_SHOWN])}"
        raise UsageError(f"no definition has the name `{wanted}` now", hint)
    kinds = [kind] if kind else list(by_name)
    names = [thing.name for thing in things if thing.kind in kinds]
    raise UsageError(
        f"there is no definition `{wanted}`", nearest(wanted, names) or "`registry list` shows all"
    )


def _unmistakable(things: Sequence[Definition | Tombstone], wanted: Definition | Tombstone) -> str:
    """Return an unambiguous name for `wanted`, with its other names in parentheses."""
    words = [wanted.name, *([str(wanted.id)] if wanted.id is not None else [])]
    word = next((word for word in words if len(_called(things, word, wanted.kind)) == 1), words[-1])
    other = f"id {wanted.id}" if word == wanted.name else wanted.name
    return f"{wanted.kind}/{word}" + (f" ({other})" if wanted.id is not None else "")


def _called(
    things: Sequence[Definition | Tombstone], wanted: str, kind: str | None
) -> list[Definition | Tombstone]:
    """Return the definitions of `kind` (None: any) with this name or id.

    Deleted definitions are found by name only if no existing one has the name. An id always finds them.
    """
    fitting = [one for one in things if kind in (None, one.kind)]
    by_name = [one for one in fitting if one.name == wanted]
    alive = [one for one in by_name if not isinstance(one, Tombstone)]
    by_id = [one for one in fitting if str(one.id) == wanted and one not in by_name]
    return [*(alive or by_name), *by_id]


def _once_called(
    snapshot: Snapshot, things: Sequence[Definition | Tombstone], wanted: str, kind: str | None
) -> list[Definition | Tombstone]:
    """Return those that had a name in an earlier revision; deleted ones only if none of them exists."""
    found = [
        one for one in things if kind in (None, one.kind) and revisions_of(snapshot, one).had_name(wanted)
    ]
    return [one for one in found if not isinstance(one, Tombstone)] or found


def revisions_of(snapshot: Snapshot, found: Definition | Tombstone) -> Revisions:
    """Return the revisions of a result of `find`, oldest first."""
    return found.revisions if isinstance(found, Tombstone) else snapshot.revisions_of(found)
