"""Find the definition that a name or an id refers to."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from registry.cache.build_cache import BuildCache
from registry.cli.terminal import err, open_cache, progress
from registry.errors import ProblemsError, UsageError, nearest
from registry.ids import all_lines, find_entries, owner_of
from registry.load.kinds import Kinds, load_kinds
from registry.load.ledger_files import read_ledger_files
from registry.load.loader import load_definition
from registry.load.source import Source, open_source
from registry.model.definition import Definition
from registry.model.problem import has_errors
from registry.snapshot import Snapshot, Tombstone
from registry.snapshot.one import take_snapshot_of_one

if TYPE_CHECKING:
    from registry.pipeline import Checked

_MOST_SHOWN = 8
_ID = re.compile(r"[1-9][0-9]{0,15}\Z")


def load_checked(root: Path, source: str) -> "Checked":
    """Return the checked content of a source.

    Unreadable files are missing from it; `registry check` reports them.
    """
    from registry.pipeline import check_source

    return check_source(open_source(root, source))


def load_found(
    root: Path, source: str, wanted: str, kind: str | None
) -> tuple[Snapshot, Definition | Tombstone]:
    """Return the definition or tombstone called `wanted`, as in `find`, with a snapshot that contains it.

    Reads only the file and the history of this definition where its name or id leads to one file, and a snapshot
    of everything otherwise: former names, ids that are not in the ledger, deleted definitions, and files that
    cannot be read. Raises UsageError as `find` does, and ProblemsError if files with errors had to be read.
    """
    opened = open_source(root, source)
    kinds, problems = load_kinds(opened)
    ledger = all_lines(read_ledger_files(opened))
    is_plain = not has_errors((*opened.settings_problems, *problems))
    # The ledger of another registry (in a fork) says nothing about the ids of this one.
    if is_plain and (not ledger or owner_of(ledger) == opened.settings.registry_id):
        files = [*_files_called(opened, kinds, ledger, wanted, kind)]
        definition = files[0] if len(files) == 1 else None
        if definition is not None:
            with progress() as report:
                snapshot = take_snapshot_of_one(
                    opened,
                    kinds,
                    definition,
                    lambda of, number: {one.name for one in find_entries(ledger, of, number)},
                    BuildCache(open_cache(opened)),
                    report,
                )
            if snapshot is not None:
                return snapshot, definition
    everything = load_snapshot(root, source)
    return everything, find(everything, wanted, kind)


def _spellings(wanted: str, kind: str | None, kinds: Kinds) -> list[tuple[str, str | None]]:
    """Return what the user may mean, as name or id and kind (None: any).

    The first step of `kind/name` may also be a folder of a definition of another kind.
    """
    first, _, rest = wanted.partition("/")
    if kind is None and first in kinds.by_name and rest:
        return [(wanted, None), (rest, first)]
    return [(wanted, kind)]


def _files_called(
    source: Source, kinds: Kinds, ledger: bytes, wanted: str, kind: str | None
) -> Iterator[Definition | None]:
    """Yield the definitions with this name or id, without a search in all files.

    Yields None where only a search can decide.
    """
    for word, of in _spellings(wanted, kind, kinds):
        some = [of] if of is not None else [*kinds.by_name]
        yield from filter(None, (load_definition(source, kinds, one, word) for one in some))
        if word.isdecimal():
            yield from _files_with_id(source, kinds, ledger, word, some)


def _files_with_id(
    source: Source, kinds: Kinds, ledger: bytes, word: str, some: Sequence[str]
) -> Iterator[Definition | None]:
    """Yield the definitions of `some` kinds that have an id, at the names that the ledger lists for it.

    Yields None for a name whose file does not have the id, and if the ledger does not list the id.
    """
    entries = {one: find_entries(ledger, one, int(word)) for one in some} if _ID.match(word) else {}
    newest = [(one, found[-1]) for one, found in entries.items() if found]
    for one, entry in newest:
        definition = load_definition(source, kinds, one, entry.name)
        yield definition if definition is not None and definition.id == entry.id else None
    if not newest:
        yield None


def load_snapshot(root: Path, source: str) -> Snapshot:
    """A snapshot with history. Raises ProblemsError when the definitions have errors."""
    # Late: the checks are a third of what starting `registry show` takes, which needs none of them.
    from registry.pipeline import snapshot_of

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
    if kind is not None:
        snapshot.kinds.named(kind)  # raises if there is no such kind
    things: list[Definition | Tombstone] = [*snapshot.definitions, *snapshot.tombstones]
    spellings = _spellings(wanted, kind, snapshot.kinds)
    found = [one for word, of in spellings for one in _called(things, word, of)]
    if len(found) > 1:
        shown = [_unmistakable(things, one) for one in found]
        many = f" and {len(shown) - _MOST_SHOWN:,} more" if len(shown) > _MOST_SHOWN else ""
        hint = f"choose one: {', '.join(shown[:_MOST_SHOWN])}{many}"
        raise UsageError(f"`{wanted}` matches more than one definition", hint)
    return found[0] if found else _renamed(snapshot, things, *spellings[-1])


def _renamed(
    snapshot: Snapshot, things: Sequence[Definition | Tombstone], wanted: str, kind: str | None
) -> Definition | Tombstone:
    """Return the only definition that had a name before, with a note. Raises UsageError if there is none."""
    renamed = _once_called(snapshot, things, wanted, kind)
    if len(renamed) == 1:
        err.print(f"`{wanted}` was renamed to `{renamed[0].name}`.", markup=False)
        return renamed[0]
    if renamed:
        shown = ", ".join(_unmistakable(things, one) for one in renamed[:_MOST_SHOWN])
        raise UsageError(
            f"no definition has the name `{wanted}` now", f"definitions that had this name: {shown}"
        )
    names = [thing.name for thing in things if kind in (None, thing.kind)]
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
        one for one in things if kind in (None, one.kind) and snapshot.revisions_of_any(one).had_name(wanted)
    ]
    return [one for one in found if not isinstance(one, Tombstone)] or found
