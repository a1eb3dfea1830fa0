"""A clock that jumps a day back and a year ahead: ids, keys, tokens and answers stay right."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.writing import LIST, Client, new_bare_registry, new_users
from tests.writes.faults.injection import Injection
from tests.writes.faults.journal import Journal, compare, compare_with_build
from tests.writes.faults.machine import Machine, git, run_registry

RUN = {"definition": {"exec": "/bin/x"}}
DAY_S = 24 * 60 * 60


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A server of a new registry that is not started."""
    found = Machine(new_bare_registry(tmp_path), new_users(tmp_path))
    yield found
    found.kill_all()


def _token(users: Path, name: str, *options: str) -> str:
    made = run_registry("token", "add", name, "--user", "alice", "--users", str(users), *options)
    assert made.returncode == 0, made.stderr
    return next(word for word in made.stdout.split() if word.startswith("registry_"))


def test_a_clock_that_jumps(machine: Machine, tmp_path: Path) -> None:
    injection = Injection(machine.bare, tmp_path)
    machine.environment = injection.environment
    users = tmp_path / "users.yaml"
    lasting, short = _token(users, "lasting"), _token(users, "short", "--expires", "90d")
    journal = Journal()

    def post(key: str = "") -> int:
        headers = {"Idempotency-Key": key} if key else {}
        answer = journal.send(machine.client(), "POST", LIST, RUN, headers)
        assert answer is not None
        assert answer.status == 201, answer.body
        return answer.id

    def repeat(key: str) -> int:
        answer = machine.client().post(RUN, Idempotency_Key=key)
        assert answer.status == 201
        return answer.id

    def status_with(token: str) -> int:
        return Client(machine.address, f"ci:{token}").patch(1, {}).status

    machine.start()
    assert post("now") == 1
    injection.move_clock(-DAY_S)
    assert (post("a-day-ago"), repeat("now"), post()) == (2, 1, 3)
    assert {status_with(lasting), status_with(short)} == {202}
    machine.end()
    injection.move_clock(0)
    machine.start()
    # The newest commit is a day old, and that of the key is older and has a newer date.
    assert repeat("now") == 1
    assert post() == 4
    injection.move_clock(365 * DAY_S)
    assert (post("in-a-year"), repeat("in-a-year")) == (5, 5)
    assert (status_with(lasting), status_with(short)) == (202, 401)
    machine.kill_all()
    machine.start()
    assert (repeat("in-a-year"), post()) == (5, 6)
    injection.move_clock(0)
    assert (repeat("in-a-year"), repeat("now"), post()) == (5, 1, 7)
    assert {status_with(lasting), status_with(short)} == {202}
    machine.kill_all()
    machine.start()
    assert (repeat("in-a-year"), repeat("now"), post()) == (5, 1, 8)
    times = git(machine.bare, "log", "--format=%ct", "refs/heads/main").split()
    assert max(map(int, times)) - min(map(int, times)) > 360 * DAY_S, "git uses this clock, too"
    compare(machine.bare, journal.exchanges)
    compare_with_build(machine, tmp_path)
