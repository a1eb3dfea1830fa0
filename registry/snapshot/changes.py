"""The snapshot of a later state of the same source, from an earlier one and what changed; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from registry.history.archive import NO_REVISIONS
from registry.model.addresses import folded
from registry.model.definition import kind_and_name
from registry.model.persistent import updated
from registry.snapshot.revisions import current_revisions
from registry.snapshot.snapshot import BrokenFile, DerivedBefore, Snapshot, concerns_site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry.history.archive import History, Revisions
    from registry.ids import Ledger
    from registry.load.lookups import DefinitionChanges, QualifiedName
    from registry.model.definition import Definition
    from registry.snapshot.tombstones import Tombstone, TombstoneChanges

_MOST_COLLECTED = 1_000


@dataclass(frozen=True, slots=True)
class SnapshotChanges:
    """The differences of a later state of the same source from a snapshot; settings, schemas and templates
    are the same.

    `uncommitted` are the paths that differ from `commit`, relative to the registry's root. `revisions` are
    those of the changed definitions where they are known; without them the history is read.
    """

    definitions: DefinitionChanges
    ledger: Ledger
    history: History | None
    commit: str | None
    commit_time: str | None
    uncommitted: frozenset[str] | None
    tombstones: TombstoneChanges
    revisions: Mapping[QualifiedName, Revisions] | None = None
    broken: tuple[BrokenFile, ...] = ()


def apply_changes(before: Snapshot, changes: SnapshotChanges) -> Snapshot:
    """Return the snapshot of a later state: what `take_snapshot` returns for it.

    The tables of a persistent snapshot are updated in time that grows with the changes, those of others are
    copied. Digests and answers of definitions that are not concerned are kept.
    """
    known = [one for place in changes.definitions if (one := before.by_name.get(place)) is not None]
    added = [one for one in changes.definitions.values() if one is not None]
    after = replace(
        before,
        lookups=before.lookups.with_changes(before.kinds, changes.definitions),
        ledger=changes.ledger,
        commit=changes.commit,
        commit_time=changes.commit_time,
        uncommitted=changes.uncommitted,
        is_dirty=changes.uncommitted is None or concerns_site(changes.uncommitted),
        history=changes.history,
        tombstones=before.tombstones.with_changes(
            changes.tombstones, filter(None, [before.tombstone(*key) for key in changes.tombstones])
        ),
        # Files without an id can have the same content.
        contents=before.contents.with_changes([one.blob for one in known if one.id is not None], added),
        broken=changes.broken,
    )
    revisions = changes.revisions if changes.revisions is not None else _revisions(before, after, changes)
    removed = {place: None for place in changes.definitions if place not in after.by_name}
    changed = {**revisions, **removed}
    after = replace(after, revisions=updated(before.revisions, changed))
    after = replace(after, moved_ids=_moved_ids(before, after, changes))
    _continue_tables(before, after, changes, changed)
    if after.common_fingerprint == before.common_fingerprint:
        concerned = _concerned(before, after, changes, revisions)
        after.__dict__["fingerprints"] = before.fingerprints.without(concerned)
    return after


def _moved_ids(before: Snapshot, after: Snapshot, changes: SnapshotChanges) -> Mapping[QualifiedName, int]:
    """Return the ids that left a name since the commits of the history, as `Snapshot.moved_ids`."""
    if after.history is not before.history:
        return {}
    if after.commit == before.commit:
        return before.moved_ids  # a move in the work tree can be taken back
    left: dict[QualifiedName, int] = {}
    for one in (*changes.definitions.values(), *changes.tombstones.values()):
        if one is not None and one.id is not None:
            known = before.definition(one.kind, one.id) or before.tombstone(one.kind, one.id)
            left.update(_names_left(before, after, known, one))
    return updated(before.moved_ids, left)


def _names_left(
    before: Snapshot, after: Snapshot, known: Definition | Tombstone | None, one: Definition | Tombstone
) -> Iterator[tuple[QualifiedName, int]]:
    """Yield each name that a definition left, with its id; `known` is the definition in the state before."""
    assert one.id is not None
    old = before.revisions_of_any(known) if known is not None else ()
    new = after.revisions_of_any(one)
    if known is not None and known.name == one.name and len(new) <= len(old) + 1:
        return  # an edit or a deletion: the revisions are not read
    # A name that was left and taken in one batch is in the revisions only.
    for earlier, later in pairwise(list(new)[max(0, len(old) - 1) :]):
        if earlier.name != later.name:
            yield (one.kind, earlier.name), one.id


def _revisions(before: Snapshot, after: Snapshot, changes: SnapshotChanges) -> dict[QualifiedName, Revisions]:
    """Return the revisions of the definitions that may have other ones; of all where the history goes on."""
    if after.history is not before.history:
        concerned = list(after.definitions)
    else:
        moved = (after.uncommitted or frozenset()) ^ (before.uncommitted or frozenset())
        places = {*changes.definitions, *filter(None, map(kind_and_name, moved))}
        concerned = [one for place in places if (one := after.by_name.get(place)) is not None]
    return {
        (one.kind, one.name): current_revisions(one, after.history, after.uncommitted) for one in concerned
    }


def _continue_tables(
    before: Snapshot,
    after: Snapshot,
    changes: SnapshotChanges,
    revisions: Mapping[QualifiedName, Revisions | None],
) -> None:
    """Take over what was computed for the snapshot before, with the changes."""
    known, found = before.__dict__, after.__dict__
    if "folded_names" in known:
        found["folded_names"] = _folded_names(before, changes.definitions)
    if "revision_count" in known:
        found["revision_count"] = (
            before.revision_count
            + sum(len(new or ()) - len(before.revisions.get(place, ())) for place, new in revisions.items())
            + sum(map(_revision_count, changes.tombstones.values()))
            - sum(_revision_count(before.tombstone(*key)) for key in changes.tombstones)
        )
    if "groups" in known:
        found["groups"] = before.groups.with_changes(before.by_name, changes.definitions)
    if "recent_definitions" in known and after.history is before.history:
        places = changes.definitions.keys() | revisions.keys()
        recent = before.recent_definitions.after(after, places)
        if recent is not None:
            found["recent_definitions"] = recent
    found["derived_before"] = _derived_before(before, changes)
    if not before.has_own_templates:
        # Settings, schemas and templates are the same.
        found["common_fingerprint"] = before.common_fingerprint


def _derived_before(before: Snapshot, changes: SnapshotChanges) -> dict[str, DerivedBefore]:
    """Return what the renderers computed for the snapshot before, or for an even earlier one."""
    changed = {place: before.by_name.get(place) for place in changes.definitions}
    # Values that are not requested again do not collect changes forever.
    older = {
        name: DerivedBefore(value, {**changed, **earlier})
        for name, (value, earlier) in before.derived_before.items()
        if len(earlier) <= _MOST_COLLECTED
    }
    return {**older, **{name: DerivedBefore(value, changed) for name, value in before.derived.items()}}


def _revision_count(tombstone: Tombstone | None) -> int:
    return len(tombstone.revisions) if tombstone is not None else 0


def _folded_names(before: Snapshot, changes: DefinitionChanges) -> Mapping[QualifiedName, str]:
    names = before.folded_names
    removed = [
        (kind, folded(name))
        for (kind, name), one in changes.items()
        if one is None and names.get((kind, folded(name))) == name
    ]
    added = {(kind, folded(name)): name for (kind, name), one in changes.items() if one is not None}
    return updated(names, {**dict.fromkeys(removed), **added})


def _concerned(
    before: Snapshot,
    after: Snapshot,
    changes: SnapshotChanges,
    revisions: Mapping[QualifiedName, Revisions],
) -> set[QualifiedName]:
    """Return the definitions whose pages or answers the changes may concern."""
    moved = {place for place in changes.definitions if (place in before.by_name) != (place in after.by_name)}
    # With exports, what a definition refers to is a part of its files.
    shown = changes.definitions if after.settings.exports else moved
    return (
        changes.definitions.keys()
        | before.lookups.targets_of(before.kinds, changes.definitions)
        | {
            place
            for place, new in revisions.items()
            if new.key != before.revisions.get(place, NO_REVISIONS).key
        }
        | {(one.kind, one.name) for place in shown for one, _ in after.referring.get(place, ())}
    )


def with_edit(before: Snapshot, edited: Definition) -> Snapshot:
    """Return the snapshot with an edit of a definition that keeps its id, which is not committed."""
    uncommitted = before.uncommitted | {edited.path} if before.uncommitted is not None else None
    return apply_changes(
        before,
        SnapshotChanges(
            {(edited.kind, edited.name): edited},
            before.ledger,
            before.history,
            before.commit,
            before.commit_time,
            uncommitted,
            {},
        ),
    )
