#!/usr/bin/env python3
"""Measure writes over HTTP against inserts into SQLite on the same disk, in the same run.

    benchmarks/writes.py [--definitions 10000] [--larger 100000] [--rounds 3] [--where DIR]

A server with `--write` serves a bare repository below DIR, which should be on a disk. Each round measures, in
this order: fsyncs of a file, inserts of the same bodies into SQLite (WAL, synchronous=full, one connection,
one transaction each), POST by 64 clients, POST by one client, and PUT of existing definitions by 64 clients.
Clients keep their connections, log in with a token, and run in a separate process. Processor time is that of
the server and all its children. Reads are measured without writers, and beside 64 of them that write until
the reads are done. The table has medians of the rounds; ratios are medians of the ratios of the rounds.

The growth of the repository is that of another server after `--growth` POSTs, and after one more repacking
as the server does it. `--larger` is the number of definitions that CPU per POST is compared with; both
servers run then, and take turns.
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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from run import repository_of

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.support.nginx import free_port, wait_for  # noqa: E402

LIST = "/api/process_definition/"
CLIENTS = 64
# Of a registry whose history does not matter: git needs a second for it instead of minutes.
FEW_COMMITS = 2
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


def _write_until(port, token, name, stop, results):
    failures, counts = [], [0] * CLIENTS

    def write(client):
        while not stop.is_set():
            posts = [("POST", LIST, body_of(f"{name}-{client}-{counts[client]}"))]
            _client(port, token, posts, [], failures)
            counts[client] += 1

    threads = [threading.Thread(target=write, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((sum(counts), failures))


@contextmanager
def writers(served, name):
    """Write with all clients until the end of the block."""
    results, stop = multiprocessing.Queue(), multiprocessing.Event()
    process = multiprocessing.Process(
        target=_write_until, args=(served.port, served.token, name, stop, results)
    )
    process.start()
    try:
        yield
    finally:
        stop.set()
        written, failures = results.get()
        process.join()
    if failures or not written:
        raise SystemExit(f"{written} writes beside reads, {len(failures)} refused: {sorted(set(failures))}")


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


def _wait(port, process):
    """Wait for the first answer of a server: with 100,000 definitions it takes minutes on a busy machine."""
    for _ in range(10):
        with suppress(AssertionError):
            wait_for(port, process)
            return
    raise SystemExit("the server does not answer")


@contextmanager
def serving(where, definitions, commits):
    """Serve a bare clone of the benchmark repository; yields how to reach it."""
    source = repository_of(where, definitions, commits)
    bare = where / f"writes-{definitions}.git"
    users = where / f"users-{definitions}.yaml"
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
    with (where / f"serve-{definitions}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(port, process)
        served = Served(psutil.Process(process.pid), port, token, bare)
        load(served, [("POST", LIST, body_of(f"warm-{n}")) for n in range(64)], 8)
        yield served
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


def measure_round(figures, number, served, options):
    """Measure everything once."""
    count = options.writes
    figures.add("fsyncs, rate", fsyncs_per_second(options.where))
    figures.add("SQLite, rate", inserts_per_second(options.where, 1_000))
    posts = [("POST", LIST, body_of(f"{number}-{n}")) for n in range(count)]
    measure_writes(figures, f"POST, {CLIENTS} clients", served, posts, CLIENTS)
    posts = [("POST", LIST, body_of(f"alone-{number}-{n}")) for n in range(200)]
    measure_writes(figures, "POST, 1 client", served, posts, 1)
    puts = [("PUT", f"{LIST}{n}/", body_of(f"put-{number}-{n}")) for n in existing(served, count // 2)]
    measure_writes(figures, f"PUT, {CLIENTS} clients", served, puts, CLIENTS)
    measure_reads(figures, "alone", served)
    with writers(served, f"beside-{number}"):
        measure_reads(figures, f"beside {CLIENTS} writers", served)


def measure_sizes(figures, options):
    """Add CPU per POST in registries of two sizes without history, in turns."""
    sizes = (options.definitions, options.larger)
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(options.where, size, FEW_COMMITS)) for size in sizes]
        for number in range(options.rounds):
            for clients, count in ((CLIENTS, options.writes), (1, 200)):
                for size, served in zip(sizes, servers, strict=True):
                    posts = [("POST", LIST, body_of(f"{number}-{clients}-{n}")) for n in range(count)]
                    measure_writes(figures, f"{size}, {clients}", served, posts, clients)


class Growth(NamedTuple):
    """Bytes per write and number of packs after many writes, and after one more repacking."""

    left: float
    repacked: float
    packs: int
    packs_repacked: int


def measure_growth(options):
    """Return how much a repository grows by writes that only add."""
    with serving(options.where, options.definitions, FEW_COMMITS) as served:
        before = size_of(served.bare)
        load(served, [("POST", LIST, body_of(f"growth-{n}")) for n in range(options.growth)], CLIENTS)
    left, packs = size_of(served.bare), packs_of(served.bare)
    # As registry/git/repacking.py does.
    words = ["repack", "-q", "-d", "-l", "--geometric=2", "--write-midx", "--window=4"]
    subprocess.run(["git", "-C", str(served.bare), *words], check=True)
    repacked = size_of(served.bare)
    return Growth(
        (left - before) / options.growth,
        (repacked - before) / options.growth,
        packs,
        packs_of(served.bare),
    )


def size_of(folder):
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def packs_of(bare):
    """Return the number of packs of a repository."""
    return len(list((bare / "objects/pack").glob("*.pack")))


def main():
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--definitions", type=int, default=10_000)
    parser.add_argument("--larger", type=int, default=100_000, help="definitions of the larger registry")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--writes", type=int, default=2_000, help="POSTs of the 64 clients in each round")
    parser.add_argument("--growth", type=int, default=10_000, help="POSTs after which the size is measured")
    parser.add_argument("--only", choices=("writes", "sizes", "growth"), help="measure this part alone")
    parser.add_argument("--where", type=Path, default=Path(tempfile.gettempdir()) / "registry-writes")
    options = parser.parse_args()
    options.where.mkdir(parents=True, exist_ok=True)
    figures = Figures()
    print(f"{options.definitions:,} definitions, {options.rounds} rounds, {options.where}")
    if options.only in (None, "writes"):
        with serving(options.where, options.definitions, options.definitions) as served:
            for number in range(options.rounds):
                measure_round(figures, number, served, options)
        print_tables(figures)
    if options.only in (None, "sizes"):
        measure_sizes(figures, options)
        print_sizes(figures, options)
    if options.only in (None, "growth"):
        print_growth(measure_growth(options), options)


def existing(served, count):
    """Return ids of live definitions."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=120)
    headers = {"Authorization": f"Bearer {served.token}"}
    connection.request("GET", f"{LIST}?limit=0", None, headers)
    found = [one["id"] for one in json.loads(connection.getresponse().read())["objects"]]
    connection.close()
    return [found[number % len(found)] for number in range(count)]


def print_tables(figures):
    """Print figures as Markdown tables."""
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


def print_sizes(figures, options):
    """Print CPU per POST in both registries."""
    print("\n| definitions, clients | CPU ms per POST | ratio |\n|---|---|---|")
    for clients in (CLIENTS, 1):
        small, large = (f"{size}, {clients}, CPU" for size in (options.definitions, options.larger))
        ratio = figures.ratio(large, small)
        print(f"| {options.definitions:,}, {clients} | {figures.median(small):.1f} | |")
        print(f"| {options.larger:,}, {clients} | {figures.median(large):.1f} | {ratio:.2f} |")


def print_growth(growth, options):
    """Print the growth of the repository."""
    print(
        f"\nAfter {options.growth:,} POSTs the repository is {growth.left / 1024:.1f} KiB larger for each "
        f"and has {growth.packs} packs; repacked once more, {growth.repacked / 1024:.1f} KiB, "
        f"{growth.packs_repacked} packs."
    )


if __name__ == "__main__":
    main()
