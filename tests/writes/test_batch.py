"""Requests that arrive together see what those before them do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.cache.build_cache import BuildCache
from registry.writes.batch import Batch, WriteStep
from registry.writes.main_branch import MainBranch
from registry.writes.plan import plan_write
from registry.writes.rejection import RejectedError
from registry.writes.requests import Operation, Person, WriteRequest
from tests.support.writing import new_bare_registry

KIND = "process_definition"
RUN: dict[str, Any] = {"definition": {"exec": "/bin/x"}}


def _request(operation: Operation, number: int | None = None, **body: object) -> WriteRequest:
    person = Person("Alice", "alice@example.org")
    return WriteRequest(operation, KIND, number, body, "alice", person, "r-1", lambda _right, _name: "")


def _add(batch: Batch, request: WriteRequest) -> WriteStep:
    step = plan_write(batch, request)
    assert isinstance(step, WriteStep)
    batch.add(step)
    return step


@pytest.fixture
def branch(tmp_path: Path) -> Iterator[MainBranch]:
    found = MainBranch(new_bare_registry(tmp_path), BuildCache(), "one")
    yield found
    found.close()


def test_a_definition_is_deleted_and_restored_in_one_batch(branch: MainBranch) -> None:
    batch = Batch(branch.read())
    _add(batch, _request(Operation.ADD, name="a/first", **RUN))
    _add(batch, _request(Operation.UPDATE, 1, name="a/moved", title="Moved"))
    _add(batch, _request(Operation.DELETE, 1))
    _add(batch, _request(Operation.ADD, name="a/first", **RUN))
    restored = _add(batch, _request(Operation.RESTORE, 1))
    assert (restored.id, restored.number, restored.subject) == (1, 4, "Restore a/moved")
    assert restored.after is not None
    assert restored.after.data["title"] == "Moved"
    _add(batch, _request(Operation.DELETE, 1))
    _add(batch, _request(Operation.ADD, name="A/MOVED", **RUN))
    with pytest.raises(RejectedError) as taken:
        plan_write(batch, _request(Operation.RESTORE, 1))
    assert taken.value.status == 409
    with pytest.raises(RejectedError) as not_deleted:
        plan_write(batch, _request(Operation.RESTORE, 2))
    assert not_deleted.value.status == 409
    with branch.lock():
        kept = branch.add(batch)
    fresh = branch.read()
    assert [(one.id, one.name) for one in kept.snapshot.definitions] == [(3, "A/MOVED"), (2, "a/first")]
    blobs = {one.name: one.blob for one in kept.snapshot.definitions}
    assert blobs == {one.name: one.blob for one in fresh.snapshot.definitions}
    for number in (1, 2, 3):
        there = kept.snapshot.definition(KIND, number) or kept.snapshot.tombstone(KIND, number)
        expected = fresh.snapshot.definition(KIND, number) or fresh.snapshot.tombstone(KIND, number)
        assert there is not None
        assert expected is not None
        assert list(kept.snapshot.revisions_of_any(there)) == list(fresh.snapshot.revisions_of_any(expected))
