"""Requests of every sort, good and bad, and what the server uses after them."""

import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.support.waiting import eventually
from tests.support.writing import LIST, Answer, Client, WriteServer

RUN = {"definition": {"exec": "/bin/x"}}


class Usage(NamedTuple):
    """What a server uses: its processes with those of git, its open files, its memory in bytes."""

    processes: int
    files: int
    memory: int


def usage(server: WriteServer) -> Usage:
    """What a server uses now."""
    process = psutil.Process(server.process.pid)
    return Usage(1 + len(process.children(recursive=True)), process.num_fds(), process.memory_info().rss)


def send_mixed(client: Client, chance: random.Random, count: int) -> Counter[int]:
    """Send requests of every sort; returns how often each status was answered."""
    statuses: Counter[int] = Counter()
    own = [client.post(RUN).id]
    for _ in range(count):
        answer = _one(client, chance, own)
        assert answer.status < 500, answer
        statuses[answer.status] += 1
        if answer.status == 201:
            own.append(answer.id)
            own = own[-50:]
    return statuses


def _one(client: Client, chance: random.Random, own: list[int]) -> Answer:
    number = chance.choice(own)
    value = {"definition": {"exec": f"/bin/{chance.choice('abc')}", "timeout": chance.randint(1, 99)}}
    place = f"{LIST}{number}/"
    reads = [place, LIST, f"{LIST}?limit=5&offset=3", f"{place}history/", "/", f"/{chance.random()}"]
    tags = [client.get(number).headers.get("etag", "*"), '"1-000000000000000000000000"', "*"]
    bodies: list[object] = [b"{", {"definition": 3}, b" " * 600_000]
    # Weight, method, address, body, headers.
    sorts: list[tuple[int, str, str, object, dict[str, str]]] = [
        (35, "GET", chance.choice(reads), None, {}),
        (15, "POST", LIST, value, {}),
        (10, "PUT", place, value, {}),
        (15, "PATCH", place, {"title": f"T{chance.randint(1, 9)}"}, {"If-Match": chance.choice(tags)}),
        (5, "DELETE", place, None, {}),
        (5, "POST", f"{place}restore/", None, {}),
        (4, "PATCH", place, {"name": f"mixed/m{chance.randint(1, 30)}"}, {}),
        (2, "POST", LIST, value, {"Idempotency-Key": f"key-{chance.randint(1, 30)}"}),
        (2, "POST", LIST, value, {"Authorization": ""}),
        (4, "POST", LIST, chance.choice(bodies), {}),
        (2, "PUT", chance.choice([LIST, f"{LIST}999999/", "/nothing/"]), value, {}),
    ]
    _, method, path, body, headers = chance.choices(sorts, [one[0] for one in sorts])[0]
    return client.send(method, path, body, headers)


def settled_usage(server: WriteServer, before: Usage, memory: int) -> Usage:
    """What a server uses once it is idle; fails when it stays above `before` and `memory` more bytes."""

    def is_flat() -> bool:
        now = usage(server)
        return (
            now.processes <= before.processes + 1
            and now.files <= before.files + 8
            and now.memory <= before.memory + memory
        )

    eventually(is_flat, f"the use of {before}, now {usage(server)}")
    return usage(server)


def packs(bare: Path) -> int:
    """The number of packs of a repository."""
    return len(list((bare / "objects/pack").glob("*.pack")))
