"""The commits of a batch, and the state after them; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from registry.git import shown_message
from registry.history.archive import NO_REVISIONS, Revisions
from registry.ids import LedgerEntry, append_entries, chain
from registry.model.addresses import folded
from registry.model.definition import LEDGER_PATH
from registry.model.revision import Revision
from registry.snapshot import SnapshotChanges, Tombstone, apply_changes
from registry.writes.idempotency import trailer_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.load.lookups import QualifiedName
    from registry.model.definition import Definition
    from registry.snapshot import BrokenFile, Snapshot
    from registry.writes.batch import Batch, WriteStep
    from registry.writes.requests import Person
    from registry.writes.state import RegistryState

REQUEST_ID = "Request-Id"


class PlannedCommit(NamedTuple):
    """One commit to make: contents by path (None: removed), relative to the registry, author and message."""

    files: Mapping[str, bytes | None]
    author: Person
    message: str


class MadeCommit(NamedTuple):
    """A commit that was made: its id and the author's date, ISO 8601."""

    id: str
    date: str


class PlannedBatch(NamedTuple):
    """The commits of a batch, one for each step, and what the ledger has after them."""

    batch: Batch
    commits: Sequence[PlannedCommit]
    entries: Sequence[LedgerEntry]
    open_segment: bytes


def planned_commits(batch: Batch) -> PlannedBatch:
    """Return the commits that carry out the steps of a batch, with their ledger lines."""
    open_segment, ledger = batch.state.open_segment, batch.state.snapshot.ledger
    head = ledger.head
    commits: list[PlannedCommit] = []
    entries: list[LedgerEntry] = []
    for step in batch.steps:
        files = dict(step.files)
        if step.event is not None:
            # The commit of the line is not known yet: it is the one that adds the line.
            added = chain(head, [step.event], None)
            entries += added
            head = added[-1].hash
            written = append_entries(open_segment, added)
            files |= written
            open_segment = written[LEDGER_PATH]
        commits.append(PlannedCommit(files, step.request.author, message_of(step)))
    return PlannedBatch(batch, commits, entries, open_segment)


def message_of(step: WriteStep) -> str:
    """Return the commit message of a step: subject, notes and trailers."""
    request = step.request
    trailers = [f"{REQUEST_ID}: {request.request_id}"]
    if request.idempotency_key:
        trailers.append(trailer_of(step))
    body = "\n".join(trailers)
    notes = "".join(f"{note}\n\n" for note in step.notes)
    return f"{step.subject}\n\n{notes}{body}\n"


def state_after(planned: PlannedBatch, made: Sequence[MadeCommit], commit_time: str) -> RegistryState:
    """Return the state after a batch whose steps are these commits.

    `commit_time` is that of the last one, ISO 8601 in UTC.
    """
    state = planned.batch.state
    snapshot = state.snapshot
    revisions: dict[tuple[str, int], Revisions] = {}
    tombstones: dict[tuple[str, int], Tombstone | None] = {}
    line = len(snapshot.ledger.entries)
    fixed: set[str] = set()
    changes: dict[QualifiedName, Definition | None] = {}
    for step, commit, done in zip(planned.batch.steps, planned.commits, made, strict=True):
        key = (step.kind, step.id)
        # Several steps of a batch may change one definition: each continues the revisions of the one before.
        known = revisions.get(key)
        if known is None:
            known = _known_revisions(snapshot, step)
        line += step.event is not None
        revisions[key] = known.with_one_more(_revision(state, step, known, commit, done))
        if step.before is not None:
            # Set before the new name, so that a definition that keeps its name stays.
            changes[step.kind, step.before.name] = None
            # The step wrote or removed this file, so errors that it had are gone.
            fixed.add(step.before.path)
        if step.after is not None:
            changes[step.kind, step.after.name] = step.after
            fixed.add(step.after.path)
            tombstones[key] = None
        # A step without a file before and after has nothing that could be shown as deleted.
        elif step.before is not None:
            tombstones[key] = Tombstone(step.kind, step.id, step.before.name, revisions[key], line)
    current = {place: revisions[one.kind, one.id or 0] for place, one in changes.items() if one is not None}
    after = apply_changes(
        snapshot,
        SnapshotChanges(
            definitions=changes,
            ledger=snapshot.ledger.continued(planned.entries),
            history=snapshot.history,
            commit=made[-1].id,
            commit_time=commit_time,
            uncommitted=frozenset(),
            tombstones=tombstones,
            revisions=current,
            broken=tuple(one for one in snapshot.broken if one.path not in fixed),
        ),
    )
    return replace(state, snapshot=after, open_segment=planned.open_segment)


def _known_revisions(snapshot: Snapshot, step: WriteStep) -> Revisions:
    if step.before is not None:
        broken = _broken(snapshot, step.before)
        return broken.revisions if broken is not None else snapshot.revisions_of(step.before)
    tombstone = snapshot.tombstone(step.kind, step.id)
    return tombstone.revisions if tombstone is not None else NO_REVISIONS


def _broken(snapshot: Snapshot, definition: Definition) -> BrokenFile | None:
    return snapshot.broken_by_name.get((definition.kind, folded(definition.name)))


def _revision(
    state: RegistryState, step: WriteStep, known: Revisions, planned: PlannedCommit, made: MadeCommit
) -> Revision:
    name, email = planned.author
    there = step.after or step.before
    assert there is not None
    return Revision(
        step.number,
        made.id,
        state.author_name(name, email) if state.author_name is not None else name,
        made.date,
        shown_message(planned.message),
        there.name,
        step.after.blob if step.after is not None else None,
        known.newest.blob if known.newest is not None else None,
    )
