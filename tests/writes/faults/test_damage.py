"""Damaged repositories: a clear error without a traceback, and reads go on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tests.support.writing import LIST, new_bare_registry, new_users
from tests.writes.faults.machine import Machine

RUN = {"definition": {"exec": "/bin/x"}, "title": "Before"}
WRITES = 3


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A running server that has some definitions."""
    found = Machine(new_bare_registry(tmp_path), new_users(tmp_path))
    found.start()
    for _ in range(WRITES):
        found.client().post(RUN)
    found.client().patch(1, {"title": "After"})
    yield found
    found.kill_all()


def _empty(path: Path) -> Callable[[], object]:
    data = path.read_bytes()
    path.write_bytes(b"")
    return lambda: path.write_bytes(data)


def _damage(machine: Machine, kind: str) -> Callable[[], object]:
    """Damage the repository; returns what repairs it."""
    packs = machine.bare / "objects/pack"
    if kind == "empty ref file":
        return _empty(machine.bare / "refs/heads/main")
    if kind == "missing packs":
        away = packs.rename(packs.with_name("away"))
        packs.mkdir()

        def restore() -> None:
            for path in away.iterdir():
                path.rename(packs / path.name)

        return restore
    repairs = []
    for path in packs.glob("*.pack"):
        data = path.read_bytes()
        path.chmod(0o644)
        path.unlink()  # a process that has mapped it must not end
        path.write_bytes(data[: len(data) // 2])
        repairs.append((path, data))
    return lambda: [path.write_bytes(data) for path, data in repairs]


@pytest.mark.parametrize("kind", ["empty ref file", "missing packs", "truncated packs"])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_damaged_repository(kind: str, restarts: bool, machine: Machine) -> None:
    client = machine.client()
    if restarts:
        machine.end()
    repair = _damage(machine, kind)
    if restarts:
        found = machine.run()
        assert found.returncode in (1, 2, 3), found.stderr
        assert "Traceback" not in found.stderr + found.stdout
        assert "rror" in found.stderr, found.stderr
        repair()
        machine.start()
    else:
        refused = [client.post(RUN), client.put(2, RUN), client.patch(1, {"title": "Again"})]
        assert {one.status for one in refused} <= {201, 202, 204, 503}
        for one in refused:
            assert one.status != 503 or one.json["error"]
        assert client.get(LIST).json["meta"]["total_count"] >= WRITES
        assert client.get(1).json["title"] in ("After", "Again")
        for page in ("1/history/", "1/revisions/1/"):
            answer = client.get(f"{LIST}{page}")
            assert answer.status == 200 or b"git does not have" in answer.body, answer.body
        repair()
    eventually(lambda: client.post(RUN).status == 201, "a write")
    assert client.get(f"{LIST}?limit=0").json["meta"]["total_count"] > WRITES
    assert "Traceback" not in machine.log.read_text()
    assert client.get("/_live/ready").status == 200
