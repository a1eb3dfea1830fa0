"""Killed and stopped servers and git processes: what was acknowledged is on main once, and the next start needs no help."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import PATIENCE_S, eventually
from tests.support.writing import LIST, new_bare_registry, new_users
from tests.writes.faults.journal import Crowd, Journal, compare, compare_with_build
from tests.writes.faults.machine import Machine, git

CLIENTS = 16
RUN = {"definition": {"exec": "/bin/x"}}
Start = Callable[..., Machine]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A server of a new registry that is not started."""
    found = Machine(new_bare_registry(tmp_path), new_users(tmp_path))
    yield found
    found.kill_all()


def wait_for_a_write(journal: Journal) -> None:
    """Wait until one more write is acknowledged."""
    before = journal.accepted
    eventually(lambda: journal.accepted > before, "another write")


def kill_at_random_times(machine: Machine, rounds: int, seed: int) -> Journal:
    """Kill the server, its git processes or both under 16 clients, and start it again each time."""
    noise, journal = random.Random(seed), Journal()
    machine.start()
    with Crowd([machine], journal, CLIENTS, seed) as crowd:
        for number in range(rounds):
            wait_for_a_write(journal)
            time.sleep(noise.random() / 3)
            (machine.kill, machine.kill_git, machine.kill_all)[number % 3]()
            if number % 3 != 1:
                machine.start()
                wait_for_a_write(journal)
                machine.slowest_write_s = max(machine.slowest_write_s, time.monotonic() - machine.started_at)
        wait_for_a_write(journal)
    assert crowd.bugs == []
    return journal


def kill_at_points(machine: Machine, faults: list[str], seed: int = 0) -> Journal:
    """Kill the server under 16 clients at named points, and start it again each time."""
    journal = Journal()
    with Crowd([machine], journal, CLIENTS, seed) as crowd:
        for fault in faults:
            machine.start(fault)
            machine.process.wait(PATIENCE_S)
        machine.start()
        wait_for_a_write(journal)
    assert crowd.bugs == []
    return journal


def test_kills_at_random_times(machine: Machine, tmp_path: Path) -> None:
    journal = kill_at_random_times(machine, 6, seed=1)  # 2 of the server, of git, of both
    compare(machine.bare, journal.exchanges)
    compare_with_build(machine, tmp_path)


def test_kills_at_named_points(machine: Machine, tmp_path: Path) -> None:
    faults = [
        "write:sent:2:kill:server",
        "write:packed:2:kill:all",
        "publish:prepared:2:kill:server",
        "publish:moved:2:kill:all",
        "shown:3:kill:server",
    ]
    journal = kill_at_points(machine, faults)
    compare(machine.bare, journal.exchanges)
    compare_with_build(machine, tmp_path)


@pytest.mark.parametrize("point", ["write:sent", "publish:prepared"])
def test_stopped_git_processes_cost_one_batch_each(point: str, machine: Machine) -> None:
    journal = Journal()
    machine.start(f"limit:2,{point}:2:stop:git")
    client = machine.client()
    for _ in range(6):
        journal.send(client, "POST", LIST, RUN)
        assert client.get(LIST).status == 200
    # Each of the two processes, fast-import and update-ref, costs the batch that finds it stopped.
    assert journal.count(503) <= 2, journal.statuses()
    assert journal.accepted >= 4, journal.statuses()
    compare(machine.bare, journal.exchanges)


def stop_for_a_while(machine: Machine, other: Machine, whom: str, seconds: float) -> Journal:
    """Stop a server, its git processes or both under clients of two servers, and let them go on.

    The other server answers in time meanwhile: 503 while the lock is held.
    """
    journal = Journal()
    machine.start()
    other.start()
    with Crowd([machine, other], journal, CLIENTS // 2) as crowd:
        wait_for_a_write(journal)
        stopped = [*(machine.git_processes() if whom != "server" else ())]
        stopped += [psutil.Process(machine.process.pid)] if whom != "git" else []
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        begin = time.monotonic()
        answer = journal.send(other.client(), "POST", LIST, RUN)
        assert answer is not None
        assert answer.status in (201, 503)
        assert other.client().get(LIST).status == 200
        time.sleep(max(0, seconds - (time.monotonic() - begin)))
        for one in stopped:
            with suppress(psutil.NoSuchProcess):
                one.resume()
        wait_for_a_write(journal)
    assert crowd.bugs == []
    return journal


@pytest.mark.parametrize("whom", ["server", "git", "all"])
def test_stopped_processes_that_go_on_write_nothing_twice(
    whom: str, machine: Machine, tmp_path: Path
) -> None:
    other = Machine(machine.bare, tmp_path / "users.yaml")
    try:
        journal = stop_for_a_while(machine, other, whom, seconds=1)
    finally:
        other.end()
    compare(machine.bare, journal.exchanges)


def test_while_one_server_is_stopped_another_answers_503(machine: Machine, tmp_path: Path) -> None:
    other = Machine(machine.bare, tmp_path / "users.yaml")
    journal = Journal()
    machine.start("publish:prepared:2:stop:server")
    other.start()
    try:
        assert journal.send(other.client(), "POST", LIST, RUN) is not None
        journal.send(machine.client(), "POST", LIST, RUN)
        stopped = threading.Thread(target=journal.send, args=(machine.client(), "POST", LIST, RUN))
        stopped.start()
        eventually(lambda: journal.send(other.client(), "POST", LIST, RUN).status == 503, "a refusal")  # type: ignore[union-attr]
        assert other.client().get(LIST).status == 200
        machine.process.send_signal(signal.SIGCONT)
        stopped.join(PATIENCE_S)
        eventually(lambda: journal.send(other.client(), "POST", LIST, RUN).status == 201, "a write")  # type: ignore[union-attr]
    finally:
        other.end()
    compare(machine.bare, journal.exchanges)


def test_the_end_of_a_server_answers_what_it_has_taken(machine: Machine) -> None:
    journal = Journal()
    machine.start()
    with Crowd([machine], journal, CLIENTS):
        eventually(lambda: journal.accepted > 30, "some writes")
        begin = time.monotonic()
        status = machine.end()
        seconds = time.monotonic() - begin
    assert status == 0
    assert seconds < PATIENCE_S
    compare(machine.bare, journal.exchanges)
    names = [path.relative_to(machine.bare).as_posix() for path in machine.bare.rglob("*")]
    left = [
        name
        for name in names
        if name.startswith(("refs/tmp/", "registry/servers/"))
        or name.endswith(".keep")
        or "/tmp_pack" in name
    ]
    assert left == [], "git processes were ended in order"
    assert git(machine.bare, "for-each-ref", "refs/tmp/") == ""


@pytest.mark.parametrize("name", ["refs/heads/main.lock", "packed-refs.lock", "HEAD.lock"])
def test_a_lock_that_was_left_behind_is_reported_and_reads_continue(name: str, machine: Machine) -> None:
    journal = Journal()
    machine.start()
    client = machine.client()
    journal.send(client, "POST", LIST, RUN)
    lock = machine.bare / name
    lock.touch()
    answer = journal.send(client, "POST", LIST, RUN)
    assert answer is not None
    if name != "packed-refs.lock":  # not needed for a ref that is not packed
        assert answer.status == 503
        assert answer.headers["retry-after"]
        assert "locked" in answer.json["error"]
        assert str(machine.bare) not in answer.json["error"]
    assert client.get(LIST).status == 200
    lock.unlink()
    answer = journal.send(client, "POST", LIST, RUN)
    assert answer is not None
    assert answer.status == 201
    compare(machine.bare, journal.exchanges)


def test_ids_go_on_after_a_deletion_and_a_kill(machine: Machine) -> None:
    machine.start()
    client = machine.client()
    first = client.post(RUN).id
    assert client.delete(first).status == 204
    second = client.post(RUN).id
    assert client.delete(second).status == 204
    machine.kill_all()
    machine.start()
    assert client.post(RUN).id == second + 1 == first + 2
    machine.end()
    machine.start()
    assert client.post(RUN).id == second + 2
