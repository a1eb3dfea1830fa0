"""Random sequences of writes and pushes through HTTP; at the end a fresh server gives the same answers."""

import random
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from tests.support.random_edits import any_body, push_any_edit
from tests.support.writing import LIST, Answer, Client, new_bare_registry, new_users
from tests.writes.faults.journal import Journal, compare
from tests.writes.faults.machine import Machine, git

_FOLDER = "definitions/process_definition"
_HIGHEST_ID = 12
_LINK = re.compile(r'(?:(?:href|src)="|"(?=/))([^"#?\s]+)"?')
_STATES_SHOWN = re.compile(rb'data-version="[0-9]+"')
_FEWEST_ADDRESSES, _MOST_ADDRESSES = 30, 300


def run_sequence(folder: Path, steps: int, seed: int) -> Journal:
    """Send `steps` random requests and pushes to a server; fails unless a fresh server gives the same answers."""
    chance, journal = random.Random(seed), Journal()
    users = new_users(folder)
    bare = new_bare_registry(folder)
    kept, fresh = Machine(bare, users), Machine(bare, users)
    kept.start()
    try:
        client = kept.client()
        for _ in range(steps):
            if chance.random() < 0.15:
                listed = git(bare, "ls-tree", "-r", "--name-only", "refs/heads/main", f"{_FOLDER}/")
                push_any_edit(chance, bare, listed.split())
                continue
            answer = journal.send(client, *_request(chance))
            assert answer is not None
            assert answer.status < 500 or answer.status == 503, answer.body
        journal.send(client, "POST", LIST, {"definition": {"exec": "/bin/last"}})
        assert journal.exchanges[-1].status == 201
        head = git(bare, "rev-parse", "refs/heads/main").strip()
        fresh.start()
        other = fresh.client()
        assert other.get("/api/snapshot.json", Registry_At_Least=head).status == 200
        differing = _differing(client, other)
        assert not differing, differing
        compare(bare, journal.exchanges)
    finally:
        kept.end()
        if fresh.starts:
            fresh.end()
    assert journal.accepted > steps // 4
    return journal


def _request(chance: random.Random) -> tuple[str, str, object]:
    address = f"{LIST}{chance.randint(1, _HIGHEST_ID)}/"
    body = any_body(chance)
    choice = chance.random()
    if choice < 0.35:
        return "POST", LIST, body
    if choice < 0.5:
        return "PUT", address, body
    if choice < 0.75:
        return "PATCH", address, body if chance.random() < 0.5 else {"tags": [chance.choice(["x", "y"])]}
    return ("DELETE", address, None) if choice < 0.88 else ("POST", f"{address}restore/", None)


def _compared(path: str, found: Answer) -> tuple[int, bytes, str]:
    """What must be equal: a page also has the number of states that its server has shown."""
    tag = found.headers.get("etag", "") if path.startswith("/api/") else ""
    return found.status, _STATES_SHOWN.sub(b"", found.body), tag


def _differing(one: Client, other: Client) -> list[str]:
    """The addresses, of all that links lead to, at which two servers give different answers."""
    known = {"/", LIST, "/api/snapshot.json", "/api/ledger.ndjson"}
    waiting, differing = sorted(known), list[str]()
    while waiting:
        path = waiting.pop()
        answers = [client.get(path) for client in (one, other)]
        if len({_compared(path, each) for each in answers}) > 1:
            differing.append(path)
        text = answers[0].body.decode("utf-8", "replace")
        links = {urlsplit(urljoin(path, found)) for found in _LINK.findall(text)}
        new = {link.path for link in links if not link.netloc and link.path.startswith("/")} - known
        new = {each for each in new if not each.startswith("/_live/")}  # events never end
        if answers[0].status != 200 or len(known) > _MOST_ADDRESSES:
            continue
        known |= new
        waiting += sorted(new)
    assert len(known) > _FEWEST_ADDRESSES, known
    return differing
