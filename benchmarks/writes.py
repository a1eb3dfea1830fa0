#!/usr/bin/env python3
"""Measure writes over HTTP against inserts into SQLite on the same disk, in the same run.

    benchmarks/writes.py [--definitions 10000] [--rounds 3] [--writes 2000] [--where DIR]

A server with `--write` serves a bare repository below DIR, which should be on a disk. Each round measures, in
this order: fsyncs of a file, inserts of the same bodies into SQLite (WAL, synchronous=full, one connection,
one transaction each), POST by 64 clients, POST by one client, and PUT of existing definitions by 64 clients.
Clients keep their connections, log in with a token, and run in a separate process. Processor time is that of
the server and all its children. Reads are measured without writers and beside 64 of them. The table has
medians of the rounds; ratios are medians of the ratios of the rounds.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from run import repository_of

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.support.nginx import free_port, wait_for  # noqa: E402

LIST = "/api/process_definition/"
CLIENTS = 64
REGISTRY = [sys.executable, "-m", "registry"]


def body_of(text):
    """Return the body of a POST: a definition as the 2013 clients send it, about 300 bytes."""
    environment = {"INPUT": f"/data/{text}", "LEVEL": "3"}
    command = {"exec": "/opt/tools/bin/convert", "argv": ["--from", text, "--to", "/data/out"]}
    return json.dumps(
        {"definition": {**command, "environment": environment, "process_type": "single"}}
    ).encode()


def fsyncs_per_second(folder, count=200):
    """Return how many appends of 4 KiB the disk syncs per second."""
    path = folder / "fsync"
    begun = time.monotonic()
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
    path.unlink()
    return count / (time.monotonic() - begun)


def inserts_per_second(folder, count):
    """Return how many bodies SQLite stores per second, each in a synced transaction."""
    path = folder / "peer.sqlite"
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE definition (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)")
    begun = time.monotonic()
    for number in range(count):
        database.execute("INSERT INTO definition (body) VALUES (?)", (body_of(f"peer-{number}").decode(),))
    seconds = time.monotonic() - begun
    database.close()
    return count / seconds


def _client(port, token, requests, latencies, failures):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for method, path, body in requests:
        begun = time.monotonic()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        latencies.append(time.monotonic() - begun)
        if answer.status >= 300:
            failures.append(answer.status)
    connection.close()


def _load(port, token, requests, clients, results):
    latencies, failures = [], []
    parts = [requests[number::clients] for number in range(clients)]
    threads = [
        threading.Thread(target=_client, args=(port, token, part, latencies, failures)) for part in parts
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((time.monotonic() - begun, latencies, failures))


def load(served, requests, clients):
    """Send requests from a process with that many clients. Return seconds and sorted latencies.

    A refused request ends the benchmark.
    """
    results = multiprocessing.Queue()
    process = multiprocessing.Process(
        target=_load, args=(served.port, served.token, requests, clients, results)
    )
    process.start()
    seconds, latencies, failures = results.get()
    process.join()
    if failures:
        raise SystemExit(f"{len(failures)} requests were refused: {sorted(set(failures))}")
    return seconds, sorted(latencies)


def cpu_seconds(server):
    """Return the processor time of a server and its children, those that ended included."""
    total = 0.0
    for one in [server, *server.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


class Served(NamedTuple):
    """A running server: its process, port, a token, and the repository."""

    process: psutil.Process
    port: int
    token: str
    bare: Path


@contextmanager
def serving(where, definitions):
    """Serve a bare clone of the benchmark repository; yields how to reach it."""
    source = repository_of(where, definitions, definitions)
    bare = where / "writes.git"
    users = where / "users.yaml"
    shutil.rmtree(bare, ignore_errors=True)
    users.unlink(missing_ok=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(source), str(bare)], check=True)
    user = ["user", "add", "bench", "--email", "bench@example.org", "--users", str(users), "--no-password"]
    subprocess.run([*REGISTRY, *user], check=True, stdout=subprocess.DEVNULL)
    token = subprocess.run(
        [*REGISTRY, "token", "add", "load", "--user", "bench", "--users", str(users)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    port = free_port()
    command = [*REGISTRY, "serve", "--write", "-C", str(bare), "--users", str(users), "--port", str(port)]
    with (where / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(port, process)
        yield Served(psutil.Process(process.pid), port, token, bare)
    finally:
        process.terminate()
        process.wait(60)


class Figures:
    """Figures by name, one per round."""

    def __init__(self):
        """Start without figures."""
        self.rounds = {}

    def add(self, name, value):
        """Add the figure of one round."""
        self.rounds.setdefault(name, []).append(value)

    def median(self, name):
        """Return the median of the rounds."""
        return statistics.median(self.rounds[name])

    def ratio(self, name, peer):
        """Return the median of the ratios of the rounds."""
        return statistics.median(a / b for a, b in zip(self.rounds[name], self.rounds[peer], strict=True))


def measure_writes(figures, name, served, requests, clients):
    """Add rate, latencies in ms and processor time in ms per write of one load."""
    before = cpu_seconds(served.process)
    seconds, latencies = load(served, requests, clients)
    figures.add(f"{name}, rate", len(requests) / seconds)
    figures.add(f"{name}, p50", 1000 * latencies[len(latencies) // 2])
    figures.add(f"{name}, p99", 1000 * latencies[len(latencies) * 99 // 100])
    figures.add(f"{name}, CPU", 1000 * (cpu_seconds(served.process) - before) / len(requests))


def measure_reads(figures, name, served, count=300):
    """Add the latencies of lists and details, in ms."""
    for what, path in (("list", f"{LIST}?limit=20&offset=40"), ("detail", f"{LIST}7/")):
        _, latencies = load(served, [("GET", path, None)] * count, 1)
        figures.add(f"{what} {name}, p50", 1000 * latencies[count // 2])
        figures.add(f"{what} {name}, p99", 1000 * latencies[count * 99 // 100])


def main():
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--definitions", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--writes", type=int, default=2_000, help="POSTs of the 64 clients in each round")
    parser.add_argument("--where", type=Path, default=Path(tempfile.gettempdir()) / "registry-writes")
    options = parser.parse_args()
    options.where.mkdir(parents=True, exist_ok=True)
    figures, count = Figures(), options.writes
    with serving(options.where, options.definitions) as served:
        size = sum(path.stat().st_size for path in served.bare.rglob("*") if path.is_file())
        load(served, [("POST", LIST, body_of(f"warm-{n}")) for n in range(64)], 8)
        for number in range(options.rounds):
            figures.add("fsyncs, rate", fsyncs_per_second(options.where))
            figures.add("SQLite, rate", inserts_per_second(options.where, 1_000))
            posts = [("POST", LIST, body_of(f"{number}-{n}")) for n in range(count)]
            measure_writes(figures, f"POST, {CLIENTS} clients", served, posts, CLIENTS)
            posts = [("POST", LIST, body_of(f"alone-{number}-{n}")) for n in range(200)]
            measure_writes(figures, "POST, 1 client", served, posts, 1)
            puts = [
                ("PUT", f"{LIST}{n}/", body_of(f"put-{number}-{n}")) for n in existing(served, count // 2)
            ]
            measure_writes(figures, f"PUT, {CLIENTS} clients", served, puts, CLIENTS)
            measure_reads(figures, "alone", served)
            posts = [("POST", LIST, body_of(f"beside-{number}-{n}")) for n in range(count)]
            writers = threading.Thread(target=load, args=(served, posts, CLIENTS))
            writers.start()
            measure_reads(figures, f"beside {CLIENTS} writers", served)
            writers.join()
        written = options.rounds * (2 * count + 200 + count // 2) + 64
    grown = sum(path.stat().st_size for path in served.bare.rglob("*") if path.is_file()) - size
    print_tables(figures, options, written, grown, len(list((served.bare / "objects/pack").glob("*.pack"))))


def existing(served, count):
    """Return ids of live definitions."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=120)
    headers = {"Authorization": f"Bearer {served.token}"}
    connection.request("GET", f"{LIST}?limit=0", None, headers)
    found = [one["id"] for one in json.loads(connection.getresponse().read())["objects"]]
    connection.close()
    return [found[number % len(found)] for number in range(count)]


def print_tables(figures, options, written, grown, packs):
    """Print figures as Markdown tables."""
    print(f"{options.definitions:,} definitions, {options.rounds} rounds, {options.where}")
    print(
        f"fsyncs: {figures.median('fsyncs, rate'):.0f}/s; "
        f"SQLite: {figures.median('SQLite, rate'):.0f} inserts/s\n"
    )
    print(
        "| writes | per second | / SQLite | p50 ms | p99 ms | CPU ms per write |\n|---|---|---|---|---|---|"
    )
    for name in (f"POST, {CLIENTS} clients", "POST, 1 client", f"PUT, {CLIENTS} clients"):
        cells = (figures.median(f"{name}, {what}") for what in ("p50", "p99", "CPU"))
        ratio = figures.ratio(f"{name}, rate", "SQLite, rate")
        print(f"| {name} | {figures.median(f'{name}, rate'):.0f} | {ratio:.2f} | "
              + " | ".join(f"{cell:.1f}" for cell in cells) + " |")  # fmt: skip
    print("\n| reads | p50 ms | p99 ms |\n|---|---|---|")
    for what in ("list", "detail"):
        for name in ("alone", f"beside {CLIENTS} writers"):
            key = f"{what} {name}"
            print(f"| {key} | {figures.median(f'{key}, p50'):.1f} | {figures.median(f'{key}, p99'):.1f} |")
    print(f"\nThe repository grew by {grown / written / 1024:.1f} KiB per write, in {packs} packs.")


if __name__ == "__main__":
    main()
