"""Maintenance by the operator beside writers: `git gc`, `git repack` and `registry index`."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tests.support.writing import commit_files, new_bare_registry, new_users
from tests.writes.faults.journal import Crowd, Journal, compare, compare_with_build
from tests.writes.faults.machine import Machine, git, run_registry

CLIENTS = 8
FOLDER = "definitions/process_definition"
PUSHED = b"definition: {exec: /bin/pushed}\n"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A running server of a new registry."""
    found = Machine(new_bare_registry(tmp_path), new_users(tmp_path))
    found.start()
    yield found
    found.kill_all()


@contextmanager
def repeated(work: Callable[[], object]) -> Iterator[list[object]]:
    """Do something again and again in another thread; gives the results so far."""
    ended, results = threading.Event(), list[object]()

    def run() -> None:
        while not ended.is_set():
            results.append(work())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield results
    finally:
        ended.set()
        thread.join()


def collect_beside_writers(machine: Machine, clients: int, rounds: int) -> Journal:
    """Run `git gc --prune=now` and `git repack -adl` beside clients that write."""
    journal = Journal()

    def collect() -> None:
        git(machine.bare, "gc", "-q", "--prune=now")
        git(machine.bare, "repack", "-q", "-a", "-d", "-l")

    with Crowd([machine], journal, clients) as crowd, repeated(collect) as done:
        eventually(lambda: len(done) >= rounds and journal.accepted > 3 * clients, "rounds and writes")
    assert crowd.bugs == []
    return journal


def test_git_gc_and_repack_beside_writers(machine: Machine, tmp_path: Path) -> None:
    journal = collect_beside_writers(machine, CLIENTS, rounds=3)
    compare(machine.bare, journal.exchanges)
    compare_with_build(machine, tmp_path)


def test_registry_index_beside_writers(machine: Machine, tmp_path: Path) -> None:
    journal, pushed = Journal(), 0
    codes: list[int] = []

    def index() -> None:
        nonlocal pushed
        path = f"{FOLDER}/pushed/p{pushed}.yaml"
        with suppress(subprocess.CalledProcessError):  # a write was faster than the push
            commit_files(machine.bare, {path: lambda _: PUSHED})
            pushed += 1
        found = run_registry("index", "-C", str(machine.bare))
        codes.append(found.returncode)
        assert "Traceback" not in found.stderr

    with Crowd([machine], journal, 2, pause_s=0.2) as crowd, repeated(index):
        eventually(lambda: codes.count(0) > 2 and journal.accepted > 10, "index runs and writes")
    assert crowd.bugs == []
    assert run_registry("index", "-C", str(machine.bare)).returncode == 0
    listed = git(machine.bare, "ls-tree", "-r", "--name-only", "refs/heads/main", f"{FOLDER}/pushed/")
    assert len(listed.split()) == pushed
    compare(machine.bare, journal.exchanges)
    compare_with_build(machine, tmp_path)


def test_no_id_of_registry_index_is_assigned_again_after_a_reset(machine: Machine) -> None:
    pushed = commit_files(machine.bare, {f"{FOLDER}/pushed/one.yaml": lambda _: PUSHED})
    assert run_registry("index", "-C", str(machine.bare)).returncode == 0
    assert machine.end() == 0
    git(machine.bare, "update-ref", "refs/heads/main", pushed)
    refused = machine.run()
    assert (refused.returncode, "the branch was reset" in refused.stderr) == (3, True), refused.stderr
    assert run_registry("index", "-C", str(machine.bare)).returncode == 3
    assert run_registry("index", "--recover", "-C", str(machine.bare)).returncode == 0
    machine.start()
    assert machine.client().get(1).json["name"] == "pushed/one"
    assert machine.client().post({"definition": {"exec": "/bin/x"}}).id == 2
