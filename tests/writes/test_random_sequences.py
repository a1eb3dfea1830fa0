"""Random writes and pushes: the state that the server keeps equals what a fresh server reads."""

import random
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.git import open_repository
from registry.model import persistent
from registry.render import render
from registry.render.target import files_by_path
from registry.server.live import PageCache, SnapshotPages
from registry.snapshot import Snapshot
from registry.writes.batch import Batch, WriteStep
from registry.writes.followed import followed_state
from registry.writes.main_branch import MainBranch
from registry.writes.plan import plan_write
from registry.writes.rejection import RejectedError
from registry.writes.requests import Operation, Person, WriteRequest
from tests.support.random_edits import any_body, push_any_edit
from tests.support.seeds import seeds
from tests.support.writing import new_bare_registry

STEPS = 30
KIND = "process_definition"


def _files(snapshot: Snapshot) -> dict[str, bytes]:
    return {path: data for target in render(snapshot) for path, data in files_by_path(target.make())}


def _request(chance: random.Random, number: int) -> WriteRequest:
    operation = chance.choice([*Operation, Operation.ADD, Operation.UPDATE])
    body = any_body(chance) if operation not in (Operation.DELETE, Operation.RESTORE) else {}
    if operation is Operation.UPDATE and chance.random() < 0.5:
        body.pop("definition")
    target = None if operation is Operation.ADD else chance.randint(1, 12)
    person = Person("Alice", "alice@example.org")
    return WriteRequest(
        operation, KIND, target, body, "alice", person, f"request-{number}", lambda _right, _name: ""
    )


def _absent(paths: Iterable[str]) -> list[str]:
    """Paths of files that no site has."""
    more = [
        f"{KIND}/_page/1/index.html",
        f"{KIND}/_page/2/index.html",
        f"{KIND}/none/index.html",
        "none/index.html",
    ]
    return [*more, "index.json", "_assets/none.css", "", *(f"{path}/index.html" for path in paths)]


@pytest.mark.parametrize("seed", seeds(2, 30))
def test_the_kept_state_equals_a_fresh_one(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistent, "_LARGEST_BLOCK", 3)
    monkeypatch.setattr(persistent, "_SMALLEST_BLOCK", 2)
    chance = random.Random(seed)
    bare = new_bare_registry(tmp_path)
    branch = MainBranch(bare, BuildCache(), "kept")
    state = branch.read()
    done = 0
    for number in range(STEPS):
        if chance.random() < 0.15:
            push_any_edit(chance, bare, [one.path for one in state.snapshot.definitions])
            state = branch.follow(state)
            continue
        batch = Batch(state)
        for place in range(chance.randint(1, 4)):
            try:
                step = plan_write(batch, _request(chance, 10 * number + place))
            except RejectedError as error:
                assert error.status in (404, 409, 410, 422), error.body
                continue
            if not isinstance(step, WriteStep):
                continue
            batch.add(step)
            done += 1
        if batch.steps:
            with branch.lock():
                state = branch.add(batch)
    branch.close()
    assert done > STEPS // 2
    fresh = MainBranch(bare, BuildCache(), "fresh")
    expected = _files(fresh.read().snapshot)
    fresh.close()
    kept = _files(state.snapshot)
    assert kept.keys() == expected.keys()
    assert [path for path in kept if kept[path] != expected[path]] == []
    pages = SnapshotPages(state.snapshot, PageCache())
    assert [path for path in expected if pages.get(path) != expected[path]] == []
    assert not any(pages.get(path) for path in _absent(expected))


def test_commits_of_another_server_are_followed_without_reading_everything(tmp_path: Path) -> None:
    chance = random.Random(11)
    bare = new_bare_registry(tmp_path)
    writer, reader = MainBranch(bare, BuildCache(), "writer"), MainBranch(bare, BuildCache(), "reader")
    written = followed = writer.read()
    repository = open_repository(bare)
    assert repository is not None
    for number in range(STEPS):
        batch = Batch(written)
        for place in range(4):
            with suppress(RejectedError):
                step = plan_write(batch, _request(chance, 10 * number + place))
                if isinstance(step, WriteStep):
                    batch.add(step)
        if batch.steps:
            with writer.lock():
                written = writer.add(batch)
            found = followed_state(followed, repository, written.commit)
            assert found is not None
            followed = found
    assert _files(followed.snapshot) == _files(reader.read().snapshot)
    assert followed.open_segment == written.open_segment
    writer.close()
    reader.close()
