"""The long part of the tests of writes over HTTP: `python -m tests.writes.http.soak [--scale 1.0]`.

Counters, mixed requests, the contract beside 10,000 definitions, schemathesis with all its phases, and bad logins
beside a client with a token. Prints what it measures. Part of `make soak`.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.schemathesis_run import run_schemathesis
from tests.support.waiting import PATIENCE_S
from tests.support.writing import (
    LIST,
    USER,
    Client,
    WriteServer,
    new_bare_registry,
    new_users,
    registry_of,
    write_server,
)
from tests.writes.http.battery import Place, run_battery
from tests.writes.http.mixed import packs, send_mixed, settled_usage, usage

MIB = 1024 * 1024


def count_up(server: WriteServer, clients: int, times: int) -> str:
    """Several clients increment one number with If-Match and try again after 412."""
    number = server.client().post({"definition": {"exec": "/bin/x", "timeout": 1}}).id
    tries = 0

    def count(_: int) -> int:
        client, done, sent = server.client(), 0, 0
        while done < times:
            read = client.get(number)
            definition = read.json["definition"] | {"timeout": read.json["definition"]["timeout"] + 1}
            answer = client.put(number, {"definition": definition}, If_Match=read.etag)
            assert answer.status in (204, 412), answer
            sent += 1
            done += answer.status == 204
        return sent

    with ThreadPoolExecutor(clients) as pool:
        tries = sum(pool.map(count, range(clients)))
    found = server.client().get(number).json
    assert found["definition"]["timeout"] == 1 + clients * times
    assert found["revision"]["number"] == 1 + clients * times
    return f"{clients} clients x {times} increments: {clients * times}, {tries} requests"


def mix(server: WriteServer, count: int) -> str:
    """Requests of every sort; processes, files and memory stay flat."""
    client, chance = server.client(), random.Random(1)
    send_mixed(client, chance, 500)
    before = usage(server)
    statuses = send_mixed(client, chance, count)
    after = settled_usage(server, before, 150 * MIB)
    assert packs(server.repository) < 60
    used = ", ".join(
        f"{name} {old} to {new}"
        for name, old, new in (
            ("processes", before.processes, after.processes),
            ("files", before.files, after.files),
            ("MiB", before.memory // MIB, after.memory // MIB),
        )
    )
    return (
        f"{count} mixed requests: {used}, {packs(server.repository)} packs; {dict(sorted(statuses.items()))}"
    )


def fuzz(server: WriteServer, folder: Path, examples: int) -> str:
    """schemathesis: every kind and operation, all phases."""
    for _ in range(5):
        last = server.client().post({"definition": {"exec": "/bin/x"}}).id
    assert server.client().delete(last).status == 204
    found = []
    for phases, parameters in (
        ("coverage", {"header.If-Match": "*"}),  # it finds no value for the pattern in this phase
        ("examples,fuzzing", {}),
        ("stateful", {"header.Request-Id": "soak"}),  # it would send ids of definitions, as numbers
    ):
        words = ["--phases", phases, "--max-examples", str(examples)]
        words += ["--include-tag", "process_definition"] if phases == "coverage" else []
        # So many wrong logins from one address are slowed down: 429 instead of 401.
        found.append(
            run_schemathesis(
                server, folder, *words, parameters=parameters, excluded="ignored_auth", timeout=7200
            )
        )
    lines = [line.strip() for text in found for line in text.splitlines() if " generated" in line]
    assert "bug:" not in server.log.read_text()
    return f"schemathesis: {'; '.join(lines)}"


def log_in_badly(server: WriteServer, count: int) -> str:
    """Bad logins at once, beside a client with a token."""
    command = [
        sys.executable,
        "-m",
        "registry",
        "token",
        "add",
        "soak",
        "--user",
        USER,
        "--users",
        str(server.users),
    ]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout
    token = next(word for word in printed.split() if word.startswith("registry_"))
    client, times = Client(server.address, f"{USER}:{token}"), list[float]()
    before = usage(server).memory
    most = before
    threads = [
        threading.Thread(target=server.client(f"user{number}:wrong-{number}").post, args=({},))
        for number in range(count)
    ]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        begin = time.monotonic()
        assert client.post({"definition": {"exec": "/bin/x"}}).status == 201
        times.append(time.monotonic() - begin)
        most = max(most, usage(server).memory)
    assert most - before < 100 * MIB
    slowest = 1000 * max(times, default=0.0)
    return f"{count} bad logins: +{(most - before) // MIB} MiB; {len(times)} writes with a token, slowest {slowest:.0f} ms"


def contract(server: WriteServer) -> str:
    """The contract beside many definitions."""
    begin = time.monotonic()
    run_battery(Place(server.client(), LIST))
    total = server.client().get(LIST).json["meta"]["total_count"]
    return f"contract beside {total} definitions: {time.monotonic() - begin:.1f} s"


def _run(work: Callable[[WriteServer, Path], str], count: int = 0) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = registry_of(folder, count) if count else new_bare_registry(folder)
        with write_server(bare, new_users(folder)) as server:
            print(work(server, folder / "work"), flush=True)  # noqa: T201 - a program of its own


def main() -> None:
    """Run all parts."""
    options = argparse.ArgumentParser()
    options.add_argument("--scale", type=float, default=1.0, help="share of the full counts")
    scale = options.parse_args().scale
    _run(lambda server, _: count_up(server, 8, max(1, round(100 * scale))))
    _run(lambda server, _: log_in_badly(server, max(1, round(100 * scale))))
    _run(lambda server, _: contract(server), max(300, round(10_000 * scale)))
    _run(lambda server, _: mix(server, max(100, round(20_000 * scale))))
    _run(lambda server, folder: fuzz(server, folder, max(5, round(100 * scale))))


if __name__ == "__main__":
    main()
