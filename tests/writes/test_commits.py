"""The state after a batch: it is made without copies of the tables of all definitions."""

import tracemalloc
from pathlib import Path

from registry.cache.build_cache import BuildCache
from registry.writes.batch import Batch, WriteStep
from registry.writes.commits import MadeCommit, planned_commits, state_after
from registry.writes.main_branch import MainBranch
from registry.writes.plan import plan_write
from registry.writes.requests import Operation, Person, WriteRequest
from registry.writes.state import RegistryState
from tests.support.writing import commit_files, new_bare_registry

KIND = "process_definition"
COUNT = 2_000
NOW = "2026-01-01T00:00:00+00:00"


def _written(state: RegistryState, operation: Operation, number: int | None, text: str) -> RegistryState:
    body = {"definition": {"exec": f"/bin/{text}"}} if operation is not Operation.DELETE else {}
    ann = Person("Ann", "ann@example.org")
    request = WriteRequest(operation, KIND, number, body, "ann", ann, text, lambda _right, _name: "")
    batch = Batch(state)
    step = plan_write(batch, request)
    assert isinstance(step, WriteStep)
    batch.add(step)
    return state_after(planned_commits(batch), [MadeCommit("a" * 40, NOW)], NOW)


def test_a_write_among_many_definitions_copies_none_of_their_tables(tmp_path: Path) -> None:
    bare = new_bare_registry(tmp_path)
    files = {
        f"definitions/{KIND}/g/p{number:04d}.yaml": b"id: %d\ntitle: P\ndefinition: {exec: /bin/x}\n" % number
        for number in range(1, COUNT + 1)
    }
    commit_files(bare, {path: lambda _, data=data: data for path, data in files.items()})
    branch = MainBranch(bare, BuildCache(), "one")
    state = branch.read()
    branch.close()
    assert len(state.snapshot.published[KIND]) == COUNT
    for operation in (Operation.ADD, Operation.REPLACE, Operation.DELETE):
        number = None if operation is Operation.ADD else COUNT // 2
        state = _written(state, operation, number, f"warm-{operation.value}")
        tracemalloc.start()
        state = _written(state, operation, number and number + 1, f"measured-{operation.value}")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # One dict of all definitions takes more than this.
        assert peak < 80_000, operation
    assert len(state.snapshot.published[KIND]) == COUNT
