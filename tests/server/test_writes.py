"""Writes through HTTP: the contract of 2013 and its additions, on the real command and real git."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.waiting import PATIENCE_S
from tests.support.writing import (
    LIST,
    PASSWORD,
    USER,
    Client,
    WriteServer,
    new_bare_registry,
    new_users,
    write_server,
)

RUN = {"definition": {"exec": "/path/to/executable"}}


@pytest.fixture
def number(client: Client) -> int:
    """A new definition."""
    return client.post(RUN).id


# The manual of 2013


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WriteServer]:
    """A fresh registry on the port of the manual, or on another one where that is taken."""
    folder = tmp_path_factory.mktemp("manual")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8000))
            port = 8000
        except OSError:
            port = 0
    with write_server(new_bare_registry(folder), new_users(folder), port=port) as found:
        yield found


def _curl(server: WriteServer, arguments: list[str]) -> str:
    port = server.address.rpartition(":")[2]
    words = [word.replace(":8000", f":{port}") for word in arguments]
    command = ["curl", "-sS", "-u", f"{USER}:{PASSWORD}", *words]
    return subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S, text=True).stdout


def test_the_two_commands_of_the_manual_work_as_printed(manual: WriteServer) -> None:
    empty = json.loads(_curl(manual, ["http://127.0.0.1:8000/api/process_definition/"]))
    assert empty["meta"]["total_count"] == 0
    post = [
        "--dump-header", "-", "-H", "Content-Type: application/json", "-X", "POST",
        "--data", '{"definition": {"exec": "/path/to/executable"}}',
        "http://localhost:8000/api/process_definition/",
    ]  # fmt: skip
    printed = _curl(manual, post)
    assert printed.startswith("HTTP/1.1 201 Created")
    assert "location: /api/process_definition/1/" in printed.lower()
    listed = json.loads(_curl(manual, ["http://127.0.0.1:8000/api/process_definition/"]))
    assert [one["definition"] for one in listed["objects"]] == [RUN["definition"]]


# Adding


def test_post_answers_empty_with_location_and_tag(client: Client) -> None:
    answer = client.post({**RUN, "name": "added/one", "title": "One", "tags": ["a"], "owners": ["team"]})
    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["location"] == f"{LIST}{answer.id}/"
    read = client.get(answer.id)
    assert read.etag == answer.etag
    assert read.headers["content-type"] == "application/json"
    body = read.json
    assert (body["name"], body["title"], body["tags"], body["owners"]) == (
        "added/one",
        "One",
        ["a"],
        ["team"],
    )


def test_the_writer_reads_its_own_write_everywhere(server: WriteServer, client: Client) -> None:
    before = client.get(f"{LIST}?limit=0").json["meta"]["total_count"]
    number = client.post({**RUN, "title": "Read it", "name": "own/read-it"}).id
    listed = client.get(f"{LIST}?limit=0").json
    assert listed["meta"]["total_count"] == before + 1
    assert listed["objects"][-1]["id"] == number
    assert client.get(f"{LIST}set/{number};999999/").json["objects"][0]["id"] == number
    history = client.get(f"{LIST}{number}/history/").json
    assert [one["author"] for one in history["revisions"]] == ["Alice Example"]
    assert b"Read it" in client.get("/process_definition/own/read-it/").body
    assert client.get("/api/snapshot.json").json["commit"] == server.head()
    assert client.get(f"{LIST}by-name/own/read-it/").json["id"] == number


def test_a_name_is_made_from_the_executable(client: Client) -> None:
    number = client.post({"definition": {"exec": "/opt/ünï côde/run it!.sh"}}).id
    assert client.get(number).json["name"] == f"posted/{number // 256}/run-it-.sh-{number}"
    number = client.post({"definition": {"exec": "/bin/x", "process_name": "__Nice name"}}).id
    assert client.get(number).json["name"] == f"posted/{number // 256}/Nice-name-{number}"


BAD_BODIES: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b"3", 400),
    (b"null", 400),
    (b'"text"', 400),
    (b'\xef\xbb\xbf{"definition": {"exec": "/x"}}', 400),
    (b'{"definition": {"exec": "\xff"}}', 400),
    (b'{"definition": {"exec": "/x", "exec": "/y"}}', 400),
    (b'{"definition": {"exec": "/x"}, "definition": {"exec": "/x"}}', 400),
    (b'{"definition": {"exec": "/x", "timeout": NaN}}', 400),
    (b'{"definition": {"exec": "/x", "timeout": Infinity}}', 400),
    (b'{"definition": {"exec": "/x", "timeout": 1e400}}', 400),
    (b'{"definition": {"exec": "\\ud800"}}', 400),
    (b'{"definition": {"\\udc00": "/x"}}', 400),
    (b'{"definition": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
    (b"[" * 5000, 400),
    (b'{"definition": ' + b"1" * 5000 + b"}", 400),
    (b"{}", 422),
    (b'{"definition": null}', 422),
    (b'{"definition": "text"}', 422),
    (b'{"definition": 3}', 422),
    (b'{"definition": []}', 422),
    (b'{"definition": {}}', 422),
    (b'{"definition": {"exec": ["/x"]}}', 422),
    (b'{"definition": {"exec": "/x\\u0000"}}', 422),
    (b'{"definition": {"exec": "/x", "timeout": 10000000000000000000000}}', 422),
    (b'{"definition": {"exec": "/x"}, "titel": "T"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": 3}', 422),
    (b'{"definition": {"exec": "/x"}, "name": null}', 422),
    (b'{"definition": {"exec": "/x"}, "name": ""}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "../up"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "a/../../../etc/passwd"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "a//b"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "/a"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "a/"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "a b"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "a\\nb"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "con"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "x.json"}', 422),
    (b'{"definition": {"exec": "/x"}, "name": "' + b"n" * 300 + b'"}', 422),
    (b'{"definition": {"exec": "/x"}, "id": 1}', 409),
    (b'{"definition": {"exec": "/x"}, "id": "1"}', 409),
    (b'{"definition": {"exec": "/x"}, "id": true}', 409),
    (b'{"definition": {"exec": "/x"}, "id": null}', 409),
    (b'{"definition": {"exec": "/x' + b"x" * 512 * 1024 + b'"}}', 413),
    (b'{"definition": {"exec": "/x"}, "description": "' + b"word " * 60_000 + b'"}', 413),
]


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=lambda value: str(value)[:60])
def test_bad_bodies_are_refused_and_nothing_is_committed(
    server: WriteServer, client: Client, body: bytes, status: int
) -> None:
    head = server.head()
    answer = client.post(body)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) <= {"error", "problems"}
    assert isinstance(answer.json["error"], str)
    assert server.head() == head


def test_findings_name_rule_pointer_and_hint(client: Client) -> None:
    problems = client.post({**RUN, "titel": "T"}).json["problems"]
    assert problems == [
        {
            "rule": "S002",
            "pointer": "/titel",
            "message": "unknown key `titel`",
            "hint": "did you mean `title`?",
        }
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 201),
        ({"Content-Type": "Application/JSON"}, 201),
        ({"Content-Type": ""}, 201),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "text/yaml"}, 415),
        ({"Content-Type": "application/xml"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/merge-patch+json"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "identity"}, 415),
        ({"X-HTTP-Method-Override": "DELETE"}, 201),
    ],
)
def test_content_types(client: Client, headers: dict[str, str], status: int) -> None:
    assert client.send("POST", LIST, RUN, headers).status == status


def test_keys_that_the_api_adds_are_ignored(client: Client, number: int) -> None:
    body = client.get(number).json
    assert client.put(number, body).status == 204
    assert client.get(number).json == body  # nothing was changed, so there is no commit
    added = {key: body[key] for key in body if key not in ("id", "name")}
    assert client.post(added).status == 201


def test_names_that_differ_in_case_or_form_are_taken(client: Client) -> None:
    assert client.post({**RUN, "name": "taken/Café"}).status == 201
    for name in ("taken/Café", "taken/café", "TAKEN/CAFÉ"):
        answer = client.post({**RUN, "name": name})
        assert answer.status == 409, name
        assert "taken" in answer.json["error"]
    decomposed = client.post({**RUN, "name": "taken/Cafe\u0301"})
    assert decomposed.status in (409, 422)


VALUES: list[Any] = [
    "yes", "0777", "1e3", "null", "~", "", " x ", "a\r\nb", "a\nb\n\n", "e\u0301", "\u2028", "\x7f", "𝄞", "#", ": ",
    "- x", "{}", "'", '"', "\\", 1.5, 0.1, True, None, [], {}, [[1, [2]]], {"": ""}, {"yes": {"0777": ["1e3"]}},
]  # fmt: skip


def test_values_come_back_unchanged(client: Client) -> None:
    values = {f"v{place}": value for place, value in enumerate(VALUES)}
    definition = {"exec": "/bin/x", "x-values": values}
    answer = client.post({"definition": definition})
    assert answer.status == 201, answer.body
    assert client.get(answer.id).json["definition"] == definition
    changed = {"exec": "/bin/x", "x-values": {**values, "v0": "no"}}
    assert client.put(answer.id, {"definition": changed}).status == 204
    assert client.get(answer.id).json["definition"] == changed


# Changing


def test_put_replaces_the_definition_and_keeps_what_is_around_it(client: Client) -> None:
    number = client.post({"definition": {"exec": "/bin/a", "timeout": 3}, "title": "Kept"}).id
    answer = client.put(number, {"definition": {"exec": "/bin/b"}})
    assert (answer.status, answer.body) == (204, b"")
    body = client.get(number)
    assert body.etag == answer.etag
    assert (body.json["definition"], body.json["title"]) == ({"exec": "/bin/b"}, "Kept")


def test_patch_replaces_named_keys_and_definition_as_a_whole(client: Client) -> None:
    number = client.post({"definition": {"exec": "/bin/a", "timeout": 3}, "title": "Old"}).id
    assert client.patch(number, {"title": "New"}).status == 202
    assert client.patch(number, {"definition": {"exec": "/bin/b"}}).status == 202
    body = client.get(number).json
    assert (body["definition"], body["title"]) == ({"exec": "/bin/b"}, "New")


def test_merge_patch_merges(client: Client) -> None:
    number = client.post({"definition": {"exec": "/bin/a", "timeout": 3}, "title": "Old"}).id
    patch = {"definition": {"timeout": None, "process_type": "service"}, "title": None, "tags": ["t"]}
    answer = client.patch(number, patch, Content_Type="application/merge-patch+json")
    assert answer.status == 202, answer.body
    body = client.get(number).json
    assert body["definition"] == {"exec": "/bin/a", "process_type": "service"}
    assert "title" not in body
    assert body["tags"] == ["t"]


def test_writes_that_change_nothing_make_no_commit(server: WriteServer, client: Client, number: int) -> None:
    head, body = server.head(), client.get(number).json
    assert client.patch(number, {}).status == 202
    assert client.put(number, {"definition": body["definition"]}).status == 204
    assert client.patch(number, {"name": body["name"]}).status == 202
    assert server.head() == head


def test_another_name_moves_the_definition(server: WriteServer, client: Client, number: int) -> None:
    old = client.get(number).json["name"]
    assert client.patch(number, {"name": "moved/here"}).status == 202
    assert client.get(number).json["name"] == "moved/here"
    assert client.get(f"{LIST}by-name/{old}/").status == 404
    assert server.git("log", "-1", "--format=%s").strip() == f"Move {old} to moved/here"
    assert client.post({**RUN, "name": old}).status == 201  # the old name is free
    assert client.patch(number, {"name": old}).status == 409


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_another_id_in_the_body_is_a_conflict(client: Client, number: int, method: str) -> None:
    for wrong in (number + 1, str(number), float(number), True, None):
        assert client.send(method, f"{LIST}{number}/", {**RUN, "id": wrong}).status == 409
    assert client.send(method, f"{LIST}{number}/", {**RUN, "id": number}).status in (202, 204)


def test_put_does_not_create(client: Client) -> None:
    assert client.put(987654, RUN).status == 404
    assert client.patch(987654, RUN).status == 404
    assert client.delete(987654).status == 404
    assert client.restore(987654).status == 404


# Deleting


def test_delete_and_restore(server: WriteServer, client: Client) -> None:
    number = client.post({**RUN, "name": "gone/again"}).id
    assert (deleted := client.delete(number)).status == 204, deleted.body
    gone = client.get(number)
    assert (gone.status, gone.json["deleted"], gone.json["last_definition"]) == (410, True, RUN["definition"])
    assert client.delete(number).status == 410
    assert client.put(number, RUN).status == 410
    assert client.patch(number, {}).status == 410
    following = client.post(RUN).id
    assert following == number + 1
    restored = client.restore(number)
    assert (restored.status, restored.json["id"], restored.json["name"]) == (200, number, "gone/again")
    assert client.get(number).json["definition"] == RUN["definition"]
    assert client.restore(number).status == 409
    assert client.delete(number).status == 204
    assert client.post({**RUN, "name": "Gone/again"}).status == 201
    assert client.restore(number).status == 409


def test_a_referenced_definition_is_not_deleted_or_moved(client: Client) -> None:
    target = client.post({**RUN, "name": "ref/target"}).id
    user = client.post(
        {**RUN, "name": "ref/user", "lifecycle": "deprecated", "deprecation": {"replaced_by": "ref/target"}}
    ).id
    for answer in (client.delete(target), client.patch(target, {"name": "ref/other"})):
        assert answer.status == 409
        assert answer.json["references"] == ["process_definition/ref/user"]
    assert client.delete(user).status == 204
    assert client.delete(target).status == 204


# Conditions


def test_if_match(client: Client, number: int) -> None:
    first = client.get(number).etag
    second = client.put(number, {"definition": {"exec": "/bin/b"}}, If_Match=first).etag
    stale = client.put(number, {"definition": {"exec": "/bin/c"}}, If_Match=first)
    assert (stale.status, stale.etag) == (412, second)
    assert stale.json["conflicts"] == [
        {"pointer": "/definition/exec", "current": "/bin/b", "requested": "/bin/c"}
    ]
    assert client.patch(number, {"title": "A"}, If_Match="*").status == 202
    for tag in ('"x"', '"1-000000000000000000000000"', '"99-000000000000000000000000"', f"W/{second}"):
        assert client.patch(number, {"title": "B"}, If_Match=tag).status == 412, tag
    assert client.patch(number, {"title": "B"}, If_Match="broken").status == 400
    now = client.get(number).etag
    assert client.patch(number, {"title": "C"}, If_Match=f'"x", {now[:-1]}-gzip"').status == 202
    assert client.delete(number, If_Match=now).status == 412
    assert client.delete(number, If_Match=client.get(number).etag).status == 204


def test_edits_of_different_fields_are_merged(client: Client) -> None:
    number = client.post({"definition": {"exec": "/bin/a", "timeout": 1}}).id
    seen = client.get(number)
    body = seen.json
    first = client.put(number, {"definition": {**body["definition"], "timeout": 2}}, If_Match=seen.etag)
    second = client.put(number, {"definition": {**body["definition"], "exec": "/bin/b"}}, If_Match=seen.etag)
    third = client.patch(number, {"title": "T"}, If_Match=seen.etag)
    assert (first.status, second.status, third.status) == (204, 204, 202)
    assert client.get(number).json["definition"] == {"exec": "/bin/b", "timeout": 2}
    assert client.get(number).json["title"] == "T"


def test_idempotency_key(server: WriteServer, client: Client) -> None:
    first = client.post(RUN, Idempotency_Key="key-1")
    head = server.head()
    again = client.post(RUN, Idempotency_Key="key-1")
    assert (again.status, again.id, again.etag) == (201, first.id, first.etag)
    assert server.head() == head
    other = client.post({"definition": {"exec": "/other"}}, Idempotency_Key="key-1")
    assert other.status == 422
    assert client.post(RUN, Idempotency_Key="a b").status == 400
    assert "Idempotency-Key: " in server.git("log", "-1", "--format=%B")


# Headers, methods, login


def test_request_ids_are_returned_and_kept(server: WriteServer, client: Client) -> None:
    answer = client.post(RUN, Request_Id="my-request_1")
    assert answer.headers["request-id"] == "my-request_1"
    assert "Request-Id: my-request_1" in server.git("log", "-1", "--format=%B")
    made = client.post(RUN, Request_Id="not allowed!").headers["request-id"]
    assert made != "not allowed!"
    assert f"Request-Id: {made}" in server.git("log", "-1", "--format=%B")
    assert client.get(LIST).headers["request-id"]


def test_registry_commit_and_at_least(server: WriteServer, client: Client) -> None:
    answer = client.post(RUN)
    commit = answer.headers["registry-commit"]
    assert commit == server.head()
    assert client.get(LIST, Registry_At_Least=commit).status == 200
    assert client.get(LIST, Registry_At_Least=server.git("rev-parse", "HEAD~1").strip()).status == 200
    assert client.get(LIST, Registry_At_Least="x").status == 400
    missing = client.get(LIST, Registry_At_Least="0" * 40)
    assert (missing.status, missing.headers["retry-after"]) == (503, "1")
    assert "Registry-Commit" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", LIST),
        ("PATCH", LIST),
        ("DELETE", LIST),
        ("POST", f"{LIST}1/"),
        ("PUT", f"{LIST}1/restore/"),
        ("POST", f"{LIST}1/history/"),
        ("POST", "/api/"),
        ("DELETE", "/"),
        ("TRACE", LIST),
    ],
)
def test_methods_that_an_address_does_not_accept(client: Client, number: int, method: str, path: str) -> None:
    assert number >= 1
    answer = client.send(method, path, RUN)
    assert answer.status == 405
    assert "allow" in answer.headers
    assert method not in answer.headers["allow"]
    assert answer.headers["content-type"] == "application/json"


def test_options_needs_no_login(server: WriteServer) -> None:
    stranger = server.client(login="")
    listed = stranger.send("OPTIONS", LIST)
    assert (listed.status, listed.headers["allow"]) == (200, "GET, HEAD, OPTIONS, POST")
    assert stranger.send("OPTIONS", f"{LIST}1/").headers["allow"] == "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"


def test_a_write_without_the_slash_is_redirected_with_its_body(client: Client, number: int) -> None:
    answer = client.send("PUT", f"{LIST}{number}?a=1", RUN)
    assert (answer.status, answer.headers["location"]) == (308, f"{LIST}{number}/?a=1")
    assert client.send("POST", LIST.rstrip("/"), RUN).headers["location"] == LIST
    assert client.get(LIST.rstrip("/")).status == 301


@pytest.mark.parametrize("login", ["", "alice:wrong", "nobody:x", "alice:"])
def test_writing_needs_a_login(server: WriteServer, login: str) -> None:
    answer = server.client(login).send("POST", LIST, RUN)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="registry"'
    assert set(answer.json) == {"error"}
    assert server.client(login="").get(LIST).status == 200


def test_pages_of_other_sites_cannot_write(client: Client) -> None:
    assert client.post(RUN, Origin="https://evil.example").status == 403
    assert client.post(RUN, Sec_Fetch_Site="cross-site").status == 403


def test_chunked_bodies_are_read(client: Client) -> None:
    assert client.post(iter([b'{"definition":', b'{"exec": "/x"}}'])).status == 201


def test_health_and_readiness(client: Client) -> None:
    assert client.get("/_live/health").json == {"status": "ok"}
    assert client.get("/_live/ready").json == {"status": "ok"}


def test_metrics(client: Client, number: int) -> None:
    assert number
    answer = client.get("/_live/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = dict(
        line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if not line.startswith("#")
    )
    assert float(found['registry_requests_total{method="POST",status="201"}']) >= 1
    assert float(found["registry_batch_commits_count"]) >= 1
    assert float(found["registry_ready"]) == 1


# The result


def test_a_clone_of_the_result_is_a_valid_registry(
    server: WriteServer, client: Client, tmp_path: Path
) -> None:
    kept, moved, deleted, restored = (client.post({**RUN, "name": f"result/n{one}"}).id for one in range(4))
    assert client.put(kept, {"definition": {"exec": "/bin/other"}}).status == 204
    assert client.patch(moved, {"name": "result/moved"}).status == 202
    assert (client.delete(deleted).status, client.delete(restored).status) == (204, 204)
    assert client.restore(restored).status == 200
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", str(server.repository), str(clone)],
        check=True,
        timeout=PATIENCE_S,
    )
    for arguments in (["check"], ["ids", "verify"], ["build"]):
        command = [sys.executable, "-m", "registry", *arguments, "-C", str(clone)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
    site = clone / "site"
    files = sorted(path.relative_to(site).as_posix() for path in (site / "api").rglob("index.json"))
    for number in (kept, moved, deleted, restored):
        assert f"api/process_definition/{number}/index.json" in files
        assert f"api/process_definition/{number}/history/index.json" in files
    for file in (*files, "api/snapshot.json", "api/ledger.ndjson", "api/process_definition/all.ndjson"):
        assert client.get(f"/{quote(file)}").body == (site / file).read_bytes(), file
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, check=True).stdout
    command = [sys.executable, "-m", "registry", "index", "-C", str(clone)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    after = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, check=True).stdout
    assert after == head


# Programs of definitions run by `registry try` only


@pytest.mark.parametrize("place", ["try/", "try", "run/", "examples/", "execution/"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_no_address_runs_a_program(client: Client, number: int, method: str, place: str) -> None:
    for address in (f"{LIST}{number}/{place}", f"{LIST}{place}", f"/{place}", f"/api/{place}"):
        answer = client.send(method, address, {"input_text": "a"})
        assert answer.status in (404, 405), address
    described = client.get("/api/openapi.json").json["paths"]
    assert not [path for path in described if place.strip("/") in path.split("/")]
