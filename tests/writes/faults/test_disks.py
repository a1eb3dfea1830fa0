"""Disks that are full, read-only or defective: 503 with the reason, the old state or the new one, and reads go on."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.writing import LIST, Client, new_bare_registry, new_users
from tests.writes.faults.disks import SmallDisk
from tests.writes.faults.injection import Call, Injection
from tests.writes.faults.journal import Journal, compare
from tests.writes.faults.machine import Machine, git

RUN = {"definition": {"exec": "/bin/x"}}
AFTER_THE_WRITE = "the server's disk failed after the write"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    found = SmallDisk(tmp_path)
    found.machine.start()
    yield found
    found.machine.end()


def test_a_full_disk_stops_writes_until_there_is_room(disk: SmallDisk) -> None:
    client, journal, noise = disk.machine.client(), Journal(), random.Random(3)

    def post(size: int) -> tuple[int, str]:
        body = {"definition": {"exec": "/bin/x", "x-noise": noise.randbytes(size).hex()}}
        answer = journal.send(client, "POST", LIST, body)
        assert answer is not None
        return answer.status, answer.body.decode()

    for size in (20_000, 500):
        assert post(size) == (201, "")
        filler = disk.fill(leave=100_000)
        refused: list[str] = []
        while len(refused) < 3:
            status, text = post(size)
            assert status in (201, 503), text
            refused += [text] if status == 503 else []
        reasons = {json.loads(text)["error"] for text in refused}
        assert any("disk full" in reason for reason in reasons), reasons
        assert not any(str(disk.machine.bare.parent) in reason for reason in reasons)
        listed = client.get(f"{LIST}?limit=0")
        assert (listed.status, len(listed.json["objects"])) == (200, journal.count(201))
        filler.unlink()
        assert post(size) == (201, "")
    compare(disk.copy(), journal.exchanges)


def test_a_read_only_disk_stops_writes_until_it_is_writable(disk: SmallDisk) -> None:
    client, journal = disk.machine.client(), Journal()
    journal.send(client, "POST", LIST, RUN)
    disk.set_read_only()
    for _ in range(2):
        refused = journal.send(client, "POST", LIST, RUN)
        assert refused is not None
        assert (refused.status, refused.headers["retry-after"]) == (503, "2")
        assert "read-only" in refused.json["error"]
        assert client.get(f"{LIST}1/").status == 200
    disk.set_writable()
    accepted = journal.send(client, "POST", LIST, RUN)
    assert accepted is not None
    assert accepted.id == 2
    compare(disk.copy(), journal.exchanges)


def fail_each_call(machine: Machine, injection: Injection, call: Call, method: str = "POST") -> list[str]:
    """Let each of the calls fail that one request makes, and send one more after each; returns the errors."""
    journal, client = Journal(), machine.client()
    errors: list[str] = []
    is_struck, number = True, 0
    while is_struck:
        number += 1
        address = _target(client, journal, method)
        injection.arm(call, number)
        body = {"title": f"{call.name} {number}"} if method == "PATCH" else RUN if method == "POST" else None
        answer = journal.send(client, method, address, body)
        is_struck = injection.disarm()
        assert answer is not None
        assert answer.status == 503 or 200 <= answer.status < 300, answer.body
        if answer.status == 503:
            error = answer.json["error"]
            errors.append(error)
            trailer = f"Request-Id: {journal.exchanges[-1].request_id}"
            is_there = bool(git(machine.bare, "log", "--format=%H", f"--grep={trailer}$", "refs/heads/main"))
            assert is_there == error.startswith(AFTER_THE_WRITE), (call, number, error)
            assert error.startswith((AFTER_THE_WRITE, "nothing was written: ")), (call, number, error)
        assert client.get(LIST).status == 200
        after = journal.send(client, "POST", LIST, RUN)
        assert after is not None
        assert after.status == 201, (call, number, after.body)
    assert number > 4, "calls were counted"
    compare(machine.bare, journal.exchanges)
    return errors


def _target(client: Client, journal: Journal, method: str) -> str:
    """The address for a request: that of a new definition, unless the request adds one."""
    if method == "POST":
        return LIST
    answer = journal.send(client, "POST", LIST, RUN)
    assert answer is not None
    return f"{LIST}{answer.id}/"


Failing = tuple[Machine, Injection]


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Failing]:
    """A running server, and its faults."""
    machine = Machine(new_bare_registry(tmp_path), new_users(tmp_path))
    injection = Injection(machine.bare, tmp_path)
    machine.environment = injection.environment
    machine.start()
    yield machine, injection
    machine.end()


@pytest.mark.parametrize("call", Call)
def test_a_call_that_fails_costs_one_write(call: Call, failing: Failing) -> None:
    errors = fail_each_call(*failing, call)
    assert errors
    # A branch that moved is not acknowledged before its folder is on the disk.
    assert any(error.startswith(AFTER_THE_WRITE) for error in errors) == (call is Call.FSYNC), errors


def test_a_retry_finds_a_write_that_the_disk_did_not_confirm(failing: Failing) -> None:
    machine, injection = failing
    client, number = machine.client(), 0
    while True:
        number += 1
        injection.arm(Call.FSYNC, number)
        answer = client.post(RUN, Idempotency_Key=f"key-{number}")
        assert injection.disarm(), "the write was confirmed although its folder is not on the disk"
        if answer.status == 503 and answer.json["error"].startswith(AFTER_THE_WRITE):
            break
    before = git(machine.bare, "rev-list", "--count", "refs/heads/main")
    again = client.post(RUN, Idempotency_Key=f"key-{number}")
    assert again.status == 201
    assert git(machine.bare, "rev-list", "--count", "refs/heads/main") == before
    assert client.get(again.id).status == 200
