"""A record of requests and answers, and its comparison with the main branch."""

import http.client
import itertools
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.fsck import check_objects
from tests.support.waiting import PATIENCE_S
from tests.support.writing import LIST, Answer, Client
from tests.writes.faults.machine import Machine, git, run_registry

BROKEN = 0
"""The status of a request whose connection broke before the answer."""


class Exchange(NamedTuple):
    """One request that writes, and its answer: `id` is that in `Location`, `seconds` the time it took."""

    request_id: str
    method: str
    path: str
    status: int
    id: int | None
    seconds: float


class Journal:
    """All exchanges of some clients; safe for threads."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        """Start empty."""
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()

    def send(
        self,
        client: Client,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer | None:
        """Send a request that writes and record it; None if the connection broke."""
        request_id = f"request-{next(self._numbers)}"
        begin = time.monotonic()
        answer: Answer | None = None
        with suppress(OSError, http.client.HTTPException):
            answer = client.send(method, path, body, {"Request-Id": request_id, **(headers or {})})
        status = answer.status if answer is not None else BROKEN
        number = answer.id if answer is not None and status == 201 else None
        found = Exchange(request_id, method, path, status, number, time.monotonic() - begin)
        with self._lock:
            self.exchanges.append(found)
        return answer

    def count(self, *statuses: int) -> int:
        """How many answers had one of these statuses."""
        with self._lock:
            return sum(one.status in statuses for one in self.exchanges)

    @property
    def accepted(self) -> int:
        """How many answers were 2xx."""
        with self._lock:
            return sum(200 <= one.status < 300 for one in self.exchanges)

    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        with self._lock:
            return Counter(one.status for one in self.exchanges)


class Crowd:
    """Clients that write without pause, each in a thread: they add definitions, and change, delete and restore them."""

    def __init__(
        self, machines: Sequence[Machine], journal: Journal, clients: int, seed: int = 0, pause_s: float = 0
    ) -> None:
        """Prepare clients, in turn of each machine; each pauses so long after an answer."""
        self._journal = journal
        self._pause_s = pause_s
        self._ended = threading.Event()
        self.bugs: list[str] = []
        self._threads = [
            threading.Thread(
                target=self._run, args=(machines[number % len(machines)], random.Random(f"{seed}-{number}"))
            )
            for number in range(clients)
        ]

    def __enter__(self) -> "Crowd":
        """Start all clients."""
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all clients."""
        self._ended.set()
        for one in self._threads:
            one.join(PATIENCE_S)
        assert not any(one.is_alive() for one in self._threads)

    def _run(self, machine: Machine, noise: random.Random) -> None:
        client, own = machine.client(), list[int]()
        while not self._ended.is_set():
            answer = self._journal.send(client, *_any_write(noise, own))
            self._ended.wait(self._pause_s)
            if answer is None or answer.status == 503:
                self._ended.wait(0.05)
            elif answer.status >= 500:
                self.bugs.append(answer.body.decode())
            elif answer.status == 201:
                own.append(answer.id)


def _any_write(noise: random.Random, own: Sequence[int]) -> tuple[str, str, object]:
    """A request that changes something, if it is carried out: no two have the same values."""
    value = noise.getrandbits(60)
    definition = {"exec": "/bin/x", "x-value": f"{value}"}
    choice = noise.random()
    if choice < 0.5 or not own:
        named = {"name": f"named/n{value}"} if choice < 0.1 else {}
        return "POST", LIST, {"definition": definition, **named}
    address = f"{LIST}{noise.choice(own)}/"
    if choice < 0.7:
        return "PUT", address, {"definition": definition}
    if choice < 0.85:
        return "PATCH", address, {"title": f"Title {value}"}
    if choice < 0.9:
        return "PATCH", address, {"name": f"moved/m{value}"}
    return ("DELETE", address, None) if choice < 0.95 else ("POST", f"{address}restore/", None)


# The comparison


def compare(bare: Path, exchanges: Sequence[Exchange]) -> None:
    """Fail unless the main branch has what was acknowledged: each 2xx once, no 4xx, others at most once.

    Also fails for an id that two requests received, an interrupted ledger, or a damaged repository.
    """
    printed = git(bare, "log", "--format=%(trailers:key=Request-Id,valueonly)", "refs/heads/main")
    commits = Counter(line for line in printed.splitlines() if line)
    allowed = {one.request_id: _allowed_commits(one.status) for one in exchanges}
    wrong = [one for one in exchanges if commits[one.request_id] not in allowed[one.request_id]]
    assert not wrong, [(one, commits[one.request_id]) for one in wrong]
    assert set(commits) <= set(allowed), set(commits) - set(allowed)
    ids = Counter((one.path, one.id) for one in exchanges if one.id is not None)
    assert not [number for number, count in ids.items() if count > 1]
    main, mark = (git(bare, "rev-parse", ref) for ref in ("refs/heads/main", "refs/registry/high-water"))
    assert main == mark
    check_objects(bare)


def _allowed_commits(status: int) -> tuple[int, ...]:
    if 200 <= status < 300:
        return (1,)
    return (0,) if 400 <= status < 500 else (0, 1)


def compare_with_build(machine: Machine, folder: Path) -> None:
    """Fail unless a clone is a valid registry, and the server gives the same answers as a build of the clone."""
    clone, site = folder / "clone", folder / "site"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", str(machine.bare), str(clone)], check=True, timeout=PATIENCE_S
    )
    for words in (["check"], ["ids", "verify"], ["build", "--out", str(site)]):
        found = run_registry(*words, "-C", str(clone))
        assert found.returncode == 0, found.stdout + found.stderr
    head = git(machine.bare, "rev-parse", "refs/heads/main")
    assert git(clone / ".git", "rev-parse", "HEAD") == head
    client = machine.client()
    assert client.get("/api/snapshot.json", Registry_At_Least=head.strip()).status == 200
    differing = [path for path in _addresses(site) if not _is_same(client, site, path)]
    assert not differing, differing[:10]


def _addresses(site: Path) -> list[Path]:
    """The files of the API: pages have the same content."""
    own = site / "api/openapi.json"  # a server with writes describes more
    return sorted(path for path in (site / "api").rglob("*") if path.is_file() and path != own)


def _is_same(client: Client, site: Path, path: Path) -> bool:
    place = path.relative_to(site).as_posix()
    answer = client.get("/" + place.removesuffix("index.json"))
    expected = path.read_bytes()
    return answer.body == expected and answer.status in (200, 410)
