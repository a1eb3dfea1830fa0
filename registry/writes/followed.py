"""The state after commits of others, in time that grows with their number.

Most are those of other servers: one definition each, with its line in the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from registry.check import check_definition
from registry.ids import LedgerEntry, append_entries, chain
from registry.load.loader import parse_definition
from registry.load.source import blob_id
from registry.load.yaml import MAX_BYTES
from registry.model.definition import LEDGER_FOLDER, LEDGER_PATH, kind_and_name
from registry.model.problem import Severity
from registry.writes.batch import Batch, WriteStep
from registry.writes.commits import MadeCommit, PlannedBatch, PlannedCommit, state_after
from registry.writes.requests import Operation, Person, WriteRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.git import LogCommit, LogRow, Repository
    from registry.ids.plan import Event
    from registry.model.definition import Definition
    from registry.writes.state import RegistryState

# Beyond that, reading everything again takes less time than replaying commit by commit.
_MOST_COMMITS = 500


class _Change(NamedTuple):
    """What a commit did to one definition."""

    before: Definition | None
    after: Definition | None


def followed_state(state: RegistryState, repository: Repository, head: str) -> RegistryState | None:
    """Return the state of `head`, which continues that of `state`.

    None where everything is to be read: commits that merge, that change settings, schemas or several
    definitions at once, that bring errors, or whose ledger is not what a server would write. Raises GitError.
    """
    order = repository.order_after(head, state.commit)
    # With merges the order of commits alone does not give the state (docs/decisions, 17).
    if order is None or order.merges or not 0 < len(order.names) <= _MOST_COMMITS:
        return None
    changed = repository.changes(state.commit, head, ".")
    if not all(_is_followed(path) for path in changed) or state.snapshot.broken:
        return None
    log = repository.begin_log(order, "definitions")
    try:
        commits = list(log.commits())
    finally:
        log.close()
    if [one.commit for one in commits] != list(order.names):
        return None
    planned = _planned(state, commits)
    if planned is None:
        return None
    ledger = repository.blobs_at(head, [LEDGER_PATH]).get(LEDGER_PATH)
    # One comparison covers everything that was replayed: same lines, same order, same segments as git has.
    if ledger != blob_id(planned.open_segment, head):
        return None
    made = [MadeCommit(one.commit, one.date) for one in commits]
    return state_after(planned, made, repository.commit_time(head))


def _is_followed(path: str) -> bool:
    return path == LEDGER_PATH or path.startswith(f"{LEDGER_FOLDER}/") or kind_and_name(path) is not None


def _planned(state: RegistryState, commits: Iterable[LogCommit]) -> PlannedBatch | None:
    """Return the commits as if they were planned here, or None if one of them could not have been."""
    batch = Batch(state)
    done: list[PlannedCommit] = []
    entries: list[LedgerEntry] = []
    open_segment, previous = state.open_segment, state.snapshot.ledger.head
    for commit in commits:
        rows = [row for row in commit.rows if _concerns_definition(row)]
        change = _change_of(batch, rows)
        if change is None:
            return None
        step = _step(batch, change, Person(commit.author, commit.email))
        if step is None:
            return None
        batch.add(step)
        done.append(PlannedCommit({}, step.request.author, commit.message))
        if step.event is not None:
            added = chain(previous, [step.event], None)
            entries += added
            previous = added[-1].hash
            open_segment = append_entries(open_segment, added)[LEDGER_PATH]
    return PlannedBatch(batch, done, entries, open_segment)


def _concerns_definition(row: LogRow) -> bool:
    return not (row.path == LEDGER_PATH or row.path.startswith(f"{LEDGER_FOLDER}/"))


def _change_of(batch: Batch, rows: list[LogRow]) -> _Change | None:
    """Return what one commit did; None unless it concerns exactly one definition, before and after."""
    old = {row.old_path for row in rows if row.old_blob is not None}
    new = {row.path: row.blob for row in rows if row.blob is not None}
    if len(old) > 1 or len(new) > 1 or not (old or new):
        return None
    before = after = None
    if old:
        place = kind_and_name(old.pop())
        before = batch.at(place) if place is not None else None
        if before is None or before.id is None:
            return None
    for path, blob in new.items():
        after = _definition(batch, path, blob)
        if after is None:
            return None
    return _Change(before, after)


def _definition(batch: Batch, path: str, blob: str) -> Definition | None:
    """Return the definition in a file, or None if it has no id or has errors."""
    place = kind_and_name(path)
    kind = batch.kinds.by_name.get(place[0]) if place is not None else None
    data = batch.state.read_blob(blob)
    if place is None or kind is None or len(data) > MAX_BYTES:
        return None
    found, problems = parse_definition(path, kind, place[1], data)
    if found is None or found.id is None:
        return None
    found = found._replace(blob=blob)
    problems = (*problems, *check_definition(found, batch.around(found), batch, batch.kinds, batch.settings))
    return found if not any(one.severity is Severity.ERROR for one in problems) else None


def _step(batch: Batch, change: _Change, author: Person) -> WriteStep | None:
    """Return the step of a change, with its line for the ledger; None for one that needs more than that."""
    there = change.after or change.before
    assert there is not None
    assert there.id is not None
    event = _event(batch, change)
    if event is _UNUSUAL:
        return None
    request = WriteRequest(
        Operation.UPDATE, there.kind, there.id, {}, "", author, "", lambda _right, _name: ""
    )
    number = batch.revision_count(there.kind, there.id) + 1
    return WriteStep(request, there.id, change.before, change.after, {}, event, "", number)


_UNUSUAL: Event = ("", 0, "", "")


def _event(batch: Batch, change: _Change) -> Event | None:
    """Return the line for the ledger (None: there is none), or `_UNUSUAL` for what no server does."""
    before, after = change.before, change.after
    if after is None:
        assert before is not None
        # Dangling references are errors of other files, which only a full check reports.
        if batch.referring((before.kind, before.name)):
            return _UNUSUAL
        return before.kind, before.id or 0, before.name, "gone"
    number = after.id or 0
    if before is None:
        is_new = number == batch.next_id(after.kind) or batch.is_deleted(after.kind, number)
        is_free = (
            batch.definition(after.kind, number) is None and batch.owner_of(after.kind, after.name) is None
        )
        return (after.kind, number, after.name, "live") if is_new and is_free else _UNUSUAL
    if before.id != after.id or before.kind != after.kind:
        return _UNUSUAL
    if before.name == after.name:
        return None
    is_free = batch.owner_of(after.kind, after.name) is None
    is_unused = not batch.referring((before.kind, before.name))
    return (after.kind, number, after.name, "moved") if is_free and is_unused else _UNUSUAL
