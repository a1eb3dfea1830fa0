"""Several clients, several servers, pushes in between, restarts: every acknowledged write is on main exactly once."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.cli import main
from registry.writes.main_branch import MainBranch
from tests.support.waiting import PATIENCE_S, eventually
from tests.support.writing import (
    LIST,
    WriteServer,
    commit_files,
    new_bare_registry,
    new_users,
    write_server,
)

RUN = {"definition": {"exec": "/bin/x"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    new_users(tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[WriteServer]:
    with write_server(new_bare_registry(folder), folder / "users.yaml") as found:
        yield found


def test_clients_that_count_with_if_match_lose_no_increment(server: WriteServer) -> None:
    number = server.client().post({"definition": {"exec": "/bin/x", "timeout": 1}}).id

    def count(_: int) -> None:
        client, done = server.client(), 0
        while done < 25:
            read = client.get(number)
            definition = read.json["definition"]
            answer = client.put(
                number,
                {"definition": {**definition, "timeout": definition["timeout"] + 1}},
                If_Match=read.etag,
            )
            assert answer.status in (204, 412), answer.body
            done += answer.status == 204

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert server.client().get(number).json["definition"]["timeout"] == 101
    assert server.client().get(number).json["revision"]["number"] == 101


def test_one_of_two_clients_gets_a_name(server: WriteServer) -> None:
    def post(_: int) -> int:
        return server.client().post({**RUN, "name": "wanted/by-both"}).status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(post, range(4))) == [201, 409, 409, 409]


def test_an_invalid_document_is_refused_while_no_one_can_commit(server: WriteServer) -> None:
    client = server.client()
    number = client.post(RUN).id
    other = MainBranch(server.repository, BuildCache(), "other")
    try:
        with other.lock():
            wrong = {"definition": {"exec": ["/bin/x"]}}
            for answer in (
                client.post(wrong),
                client.put(number, wrong),
                client.patch(number, {"tags": 3}, If_Match=client.get(number).etag),
            ):
                assert answer.status == 422, answer
                assert answer.json["problems"][0]["rule"] == "S003"
            assert client.post(RUN).status == 503
    finally:
        other.close()
    assert client.post(RUN).status == 201


def test_writes_of_many_clients_are_all_there_once(server: WriteServer) -> None:
    def post(client_number: int) -> list[tuple[int, str]]:
        client = server.client()
        answers = [client.post(RUN) for _ in range(17)]
        assert {answer.status for answer in answers} == {201}
        return [(answer.id, answer.headers["request-id"]) for answer in answers]

    with ThreadPoolExecutor(8) as pool:
        found = [pair for some in pool.map(post, range(8)) for pair in some]
    assert sorted(number for number, _ in found) == list(range(1, 137))
    assert server.request_ids() == Counter(request for _, request in found)
    assert server.client().get(f"{LIST}?limit=0").json["meta"]["total_count"] == 136
    # The ledger was continued in a second file, and its lines are as published.
    files = server.git(
        "ls-tree", "-r", "--name-only", "refs/heads/main", "definitions/ledger", "definitions/ledger.jsonl"
    )
    assert len(files.split()) == 2
    ledger = server.client().get("/api/ledger.ndjson").body
    assert [json.loads(line)["id"] for line in ledger.splitlines()] == list(range(1, 137))


def test_ids_and_idempotency_keys_survive_a_restart(folder: Path) -> None:
    bare = new_bare_registry(folder)
    with write_server(bare, folder / "users.yaml") as server:
        client = server.client()
        first = client.post(RUN, Idempotency_Key="once")
        second = client.post(RUN)
        assert client.delete(second.id).status == 204
    with write_server(bare, folder / "users.yaml") as server:
        client = server.client()
        again = client.post(RUN, Idempotency_Key="once")
        assert (again.status, again.id, again.etag) == (201, first.id, first.etag)
        assert client.post(RUN).id == second.id + 1
        assert client.post({"definition": {"exec": "/y"}}, Idempotency_Key="once").status == 422


def test_a_push_in_between_is_seen_and_kept(server: WriteServer) -> None:
    client = server.client()
    number = client.post({**RUN, "name": "by/client", "title": "Before"}).id
    path = "definitions/process_definition/by/client.yaml"
    pushed = commit_files(server.repository, {path: lambda text: text.replace(b"Before", b"By hand")})
    assert client.get(number, Registry_At_Least=pushed).json["title"] == "By hand"
    assert client.patch(number, {"tags": ["a"]}).status == 202
    body = client.get(number).json
    assert (body["title"], body["tags"], body["revision"]["number"]) == ("By hand", ["a"], 3)
    edited = [
        one["message"].partition("\n")[0] for one in client.get(f"{LIST}{number}/history/").json["revisions"]
    ]
    assert edited == ["Change by/client", "Edit by hand", "Add by/client"]


def test_a_branch_that_was_set_back_stops_writes_until_it_is_restored(server: WriteServer) -> None:
    client = server.client()
    first = client.post(RUN)
    second = client.post(RUN)
    server.git("update-ref", "refs/heads/main", first.headers["registry-commit"])
    refused = client.post(RUN)
    assert refused.status == 503
    assert "retry-after" in refused.headers
    assert client.get(second.id).status == 200
    assert client.get("/_live/ready").status == 503
    server.git("update-ref", "refs/heads/main", second.headers["registry-commit"])
    assert client.post(RUN).id == second.id + 1
    assert client.get("/_live/ready").status == 200


def test_two_servers_write_to_one_repository(folder: Path, server: WriteServer) -> None:
    with write_server(server.repository, folder / "users.yaml") as other:

        def post(client_number: int) -> list[str]:
            client = (server if client_number % 2 else other).client()
            found: list[str] = []
            while len(found) < 8:
                answer = client.post(RUN)
                assert answer.status in (201, 503)
                if answer.status == 201:
                    found.append(answer.headers["request-id"])
            return found

        with ThreadPoolExecutor(4) as pool:
            acknowledged = [one for some in pool.map(post, range(4)) for one in some]
        assert server.request_ids() == Counter(acknowledged)
        first = server.client().post(RUN, Idempotency_Key="sent-to-both")
        again = other.client().post(RUN, Idempotency_Key="sent-to-both")
        assert (again.status, again.id, again.etag) == (201, first.id, first.etag)
        head = server.head()
        for one in (server, other):
            answer = one.client().get(f"{LIST}?limit=0", Registry_At_Least=head)
            assert answer.json["meta"]["total_count"] == 33
            assert sorted(each["id"] for each in answer.json["objects"]) == list(range(1, 34))


@pytest.fixture
def remote(folder: Path) -> Path:
    """A bare registry that another server pushes to, guarded by the hook."""
    bare = new_bare_registry(folder)
    assert main(["hook", "install", str(bare)]) == 0
    return bare


def test_a_push_that_the_remote_refuses_is_answered_with_503(folder: Path, remote: Path) -> None:
    bare = folder / "copy.git"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", "--bare", str(remote), str(bare)], check=True, timeout=PATIENCE_S
    )
    with write_server(bare, folder / "users.yaml", "--remote", "origin") as server:
        client = server.client()
        assert client.post(RUN).status == 201
        hook = remote / "hooks" / "pre-receive"
        kept = hook.read_text()
        hook.write_text("#!/bin/sh\necho not today; exit 1\n")
        refused = client.post(RUN)
        assert (refused.status, refused.json["error"]) == (
            503,
            "nothing was written: the remote refused the push",
        )
        assert client.get(LIST).json["meta"]["total_count"] == 1
        assert server.head() == client.get(LIST).headers["registry-commit"]
        # One definition that the remote refuses does not stop the others that arrive with it.
        hook.write_text(
            "#!/bin/sh\nread old new ref\nif git grep -q refused/this $new -- definitions/ledger.jsonl; "
            "then exit 1; fi\n"
        )

        def post(number: int) -> int:
            name = "refused/this" if number == 3 else f"taken/n{number}"
            return server.client().post({**RUN, "name": name}).status

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(post, range(6))) == [201, 201, 201, 503, 201, 201]
        hook.write_text(kept)
        assert client.post(RUN).id == 7


def test_writes_are_on_the_remote_before_they_are_acknowledged(folder: Path, remote: Path) -> None:
    (folder / "copy").mkdir()
    bare = folder / "copy" / "copy.git"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", "--bare", str(remote), str(bare)], check=True, timeout=PATIENCE_S
    )
    with write_server(bare, folder / "users.yaml", "--remote", "origin", "--poll", "0.2") as server:
        client = server.client()
        answer = client.post({**RUN, "name": "far/away", "title": "Before"})
        there = subprocess.run(
            ["git", "rev-parse", "refs/heads/main", "refs/registry/high-water"],
            cwd=remote, check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        assert there == [answer.headers["registry-commit"]] * 2
        path = "definitions/process_definition/far/away.yaml"
        pushed = commit_files(remote, {path: lambda text: text.replace(b"Before", b"By hand")})
        eventually(lambda: client.get(answer.id).headers["registry-commit"] == pushed)
        assert client.patch(answer.id, {"tags": ["a"]}).status == 202
        pushed = commit_files(remote, {path: lambda text: text.replace(b"By hand", b"Again")})
        assert client.patch(answer.id, {"owners": ["team"]}).status == 202  # replayed on the push
        body = client.get(answer.id).json
        assert (body["title"], body["tags"], body["owners"]) == ("Again", ["a"], ["team"])
        remote.rename(folder / "away.git")
        gone = client.patch(answer.id, {"title": "Lost"})
        assert gone.status == 503, json.loads(gone.body)
        assert client.get(answer.id).json["title"] == "Again"
        (folder / "away.git").rename(remote)
        deadline = time.monotonic() + PATIENCE_S
        while client.patch(answer.id, {"title": "Back"}).status != 202:
            assert time.monotonic() < deadline
        assert client.get(answer.id).json["title"] == "Back"
