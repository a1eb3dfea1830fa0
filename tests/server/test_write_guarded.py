"""A server whose remote is guarded by the hook: what it writes passes the checks of pushes by hand, and reads like them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.cli import main
from tests.conftest import Run
from tests.support.waiting import PATIENCE_S, eventually
from tests.support.writing import LIST, WriteServer, commit_files, new_bare_registry, new_users, write_server

RUN = {"title": "Run", "owners": ["team"], "definition": {"exec": "/bin/x", "timeout": 1}}
IMPORT = {"title": "Import", "owners": ["team"], "definition": {"exec": "/bin/import", "timeout": 60}}
COMMENTED = """\
# Runs each night.
id: 1
title: Import   # as its operators call it
owners: [team]
definition:
  exec: /bin/import
  timeout: 60  # seconds
"""
FILE = "definitions/process_definition/nightly/import.yaml"
HARD_VALUES = ("yes", "0777", "1e3", "a\r\nb", "e\u0301", "a\u2028b", "a\x7fb")
CLIENTS, INCREMENTS = 4, 4


@dataclass
class Guarded:
    """A server of a bare clone, and the guarded repository that it pushes to."""

    server: WriteServer
    remote: Path

    def git(self, *words: str) -> str:
        """What git prints about the remote."""
        found = subprocess.run(
            ["git", *words], cwd=self.remote, check=True, capture_output=True, timeout=PATIENCE_S
        )
        return found.stdout.decode()

    def head(self) -> str:
        """The commit of the main branch of the remote."""
        return self.git("rev-parse", "refs/heads/main").strip()

    def changed_lines(self) -> list[str]:
        """The lines that the newest commit removes and adds."""
        lines = self.git("show", "--format=", "main").splitlines()
        return [line for line in lines if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")]

    def checked_clone(self, run: Run, checked: str = "No problems.") -> str:
        """A clone of the remote, in which the commands find no error and nothing to do."""
        assert self.head() == self.server.head()
        clone = self.remote.parent / "clone"
        self.git("clone", "-q", "--no-local", str(self.remote), str(clone))
        for words, found in (
            (("check",), checked),
            (("ids", "verify"), "0 definitions without an id."),
            (("index",), "Nothing to do"),
        ):
            outcome = run(*words, "-C", str(clone))
            assert (outcome.code, found in outcome.out) == (0, True), outcome.out + outcome.err
        return str(clone)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    remote = new_bare_registry(tmp_path, settings="")
    assert main(["hook", "install", str(remote)]) == 0
    bare = tmp_path / "server" / "bare.git"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", "--bare", str(remote), str(bare)], check=True, timeout=PATIENCE_S
    )
    with write_server(bare, new_users(tmp_path), "--remote", "origin", "--poll", "0.2") as server:
        yield Guarded(server, remote)


def _at_once(write: Callable[[int], int], count: int) -> list[int]:
    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(write, range(count)))


def test_writes_pass_the_hook_and_read_like_commits_by_hand(guarded: Guarded, run: Run) -> None:
    client = guarded.server.client()
    added = client.post({**IMPORT, "name": "nightly/import"})
    assert (added.status, added.id) == (201, 1)
    by_hand = commit_files(guarded.remote, {FILE: lambda _: COMMENTED.encode()})
    eventually(lambda: client.get(1).headers["registry-commit"] == by_hand, "the commit by hand")

    longer = {**IMPORT, "definition": {"exec": "/bin/import", "timeout": 90}}
    assert client.put(1, longer).status == 204
    assert guarded.changed_lines() == ["-  timeout: 60  # seconds", "+  timeout: 90  # seconds"]
    assert client.patch(1, {"tags": ["night"]}).status == 202
    assert guarded.changed_lines() == ["+tags: [night]"]
    moved = client.patch(1, {"name": "nightly/moved"})
    assert moved.status == 202
    assert client.delete(1).status == 204
    assert client.get(1).status == 410
    environment = {f"V{number}": value for number, value in enumerate(HARD_VALUES)}
    assert client.post({**RUN, "definition": {"exec": "/bin/x", "environment": environment}}).id == 2
    assert client.get(2).json["definition"]["environment"] == environment
    assert client.restore(1).status == 200
    body = client.get(1).json
    assert (body["name"], body["tags"], body["definition"]["timeout"]) == ("nightly/moved", ["night"], 90)

    # Two of the values contain invisible characters.
    clone = guarded.checked_clone(run, "2 warnings.")
    revisions = json.loads(run("log", "1", "--format", "json", "-C", clone).out)["revisions"]
    assert [(one["message"].partition("\n")[0], one["author"]) for one in revisions] == [
        ("Restore nightly/moved", "Alice Example"),
        ("Delete nightly/moved", "Alice Example"),
        ("Move nightly/import to nightly/moved", "Alice Example"),
        ("Change nightly/import", "Alice Example"),
        ("Change nightly/import", "Alice Example"),
        ("Edit by hand", "Ann"),
        ("Add nightly/import", "Alice Example"),
    ]
    at_move = moved.headers["registry-commit"]
    blame = json.loads(run("blame", "1", "--source", at_move, "--format", "json", "-C", clone).out)["fields"]
    assert {one["pointer"]: one["revision"]["number"] for one in blame} == {
        "/id": 1, "/title": 1, "/owners": 1, "/definition/exec": 1, "/definition/timeout": 3, "/tags": 4,
    }  # fmt: skip
    assert {one["revision"]["author"] for one in blame} == {"Alice Example"}
    compared = run("diff", f"{by_hand}..{at_move}", "-C", clone).out
    for line in ("nightly/moved (id 1) renamed from nightly/import", "60 → 90", '(not set) → ["night"]'):
        assert line in compared
    assert set(guarded.git("log", "--author=Alice", "--format=%an <%ae>", "main").splitlines()) == {
        "Alice Example <alice@example.org>"
    }


def test_clients_that_write_at_once_lose_nothing(guarded: Guarded, run: Run) -> None:
    def post(_: int) -> int:
        return guarded.server.client().post({**RUN, "name": "wanted/by-both"}).status

    def count(_: int) -> int:
        client, done = guarded.server.client(), 0
        while done < INCREMENTS:
            read = client.get(1)
            definition = read.json["definition"]
            counted = {**RUN, "definition": {**definition, "timeout": definition["timeout"] + 1}}
            answer = client.put(1, counted, If_Match=read.etag)
            assert answer.status in (204, 412), answer.body
            done += answer.status == 204
        return done

    assert _at_once(post, 2) == [201, 409]
    assert _at_once(count, CLIENTS) == [INCREMENTS] * CLIENTS
    body = guarded.server.client().get(1).json
    assert body["definition"]["timeout"] == body["revision"]["number"] == 1 + CLIENTS * INCREMENTS
    guarded.checked_clone(run)


def test_a_branch_that_was_set_back_by_force_stops_writes_and_no_reads(guarded: Guarded) -> None:
    client = guarded.server.client()
    older, newer = client.post(RUN), client.post(RUN)
    guarded.git("update-ref", "refs/heads/main", older.headers["registry-commit"])
    refused = client.post(RUN)
    assert (refused.status, "retry-after" in refused.headers) == (503, True)
    assert "rewritten" in refused.json["error"]
    assert [client.get(number).status for number in (1, 2)] == [200, 200]
    assert client.get(LIST).json["meta"]["total_count"] == 2
    assert guarded.head() == older.headers["registry-commit"]
    guarded.git("update-ref", "refs/heads/main", newer.headers["registry-commit"])
    eventually(lambda: client.post(RUN).status == 201, "a write")
    assert client.get(LIST).json["meta"]["total_count"] == 3
    assert guarded.head() == guarded.server.head()
