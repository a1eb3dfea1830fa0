"""What the settings, the rights of users and the options of the server allow."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.cli import main
from tests.support.waiting import eventually
from tests.support.writing import (
    LIST,
    PASSWORD,
    USER,
    WriteServer,
    commit_files,
    new_bare_registry,
    new_users,
    write_server,
)

RUN = {"definition": {"exec": "/bin/x"}}
# `read everywhere, write below lab/`.
LIMITED = ("--right", "read", "--right", "write:lab/")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WriteServer]:
    """Changes need If-Match, and breaking ones the right to break."""
    folder = tmp_path_factory.mktemp("strict")
    settings = "base_url: https://registry.example.org/api-of/\nrequire_match: true\nfail_on: {START: breaking, FEED: breaking, FIND: breaking}\n"
    with write_server(new_bare_registry(folder, settings), new_users(folder)) as found:
        yield found


PREFIX = "/api-of"


def test_addresses_come_from_the_settings(strict: WriteServer) -> None:
    answer = strict.client().send("POST", f"{PREFIX}{LIST}", RUN, {"Host": "localhost"})
    assert answer.status == 201
    assert answer.headers["location"] == f"https://registry.example.org{PREFIX}{LIST}{answer.id}/"
    read = strict.client().get(f"{PREFIX}{LIST}{answer.id}/")
    assert read.json["resource_uri"] == f"{PREFIX}{LIST}{answer.id}/"
    slash = strict.client().send("PATCH", f"{PREFIX}{LIST}{answer.id}", {})
    assert (slash.status, slash.headers["location"]) == (308, f"{PREFIX}{LIST}{answer.id}/")


def test_changes_can_require_a_condition(strict: WriteServer) -> None:
    client = strict.client()
    number = client.send("POST", f"{PREFIX}{LIST}", RUN).id
    place = f"{PREFIX}{LIST}{number}/"
    assert client.send("PATCH", place, {"title": "T"}).status == 428
    assert client.send("DELETE", place).status == 428
    assert client.send("PATCH", place, {"title": "T"}, {"If-Match": client.get(place).etag}).status == 202


def test_breaking_changes_are_refused_with_the_findings_of_a_review(strict: WriteServer) -> None:
    client = strict.client()
    definition = {"exec": "/bin/x", "argv": ["a"]}
    place = f"{PREFIX}{LIST}{client.send('POST', f'{PREFIX}{LIST}', {'definition': definition}).id}/"
    for headers in ({}, {"Allow-Breaking": "true"}):
        refused = client.send("DELETE", place, None, {"If-Match": "*", **headers})
        assert refused.status == 409
        assert refused.json["changes"][0]["rule"] == "C101"
        assert refused.json["changes"][0]["level"] == "breaking"
    assert "right" in refused.json["error"]
    users = ["--users", str(strict.users)]
    arguments = ["add", "boss", "--email", "boss@example.org", "--no-password", "--right", "read", *users]
    assert main(["user", *arguments, "--right", "write", "--right", "break"]) == 0
    token = strict.repository.parent / "token"
    import subprocess
    import sys

    command = [sys.executable, "-m", "registry", "token", "add", "boss-token", "--user", "boss", *users]
    token.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    text = next(word for word in token.read_text().split() if word.startswith("registry_"))
    boss = strict.client(login=f"boss:{text}")
    assert boss.send("DELETE", place, None, {"If-Match": "*"}).status == 409
    assert boss.send("DELETE", place, None, {"If-Match": "*", "Allow-Breaking": "true"}).status == 204
    assert "Author: boss <boss@example.org>" in strict.git("log", "-1")


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WriteServer]:
    """Reading needs a login; the user writes below lab/ only."""
    folder = tmp_path_factory.mktemp("limited")
    users = new_users(folder, *LIMITED)
    with write_server(
        new_bare_registry(folder), users, "--login-to-read", "--trust-proxy", "127.0.0.1"
    ) as found:
        yield found


def test_rights_by_folder(limited: WriteServer) -> None:
    client = limited.client()
    number = client.post({**RUN, "name": "lab/mine"}).id
    for answer in (
        client.post({**RUN, "name": "office/theirs"}),
        client.post(RUN),
        client.patch(number, {"name": "office/moved"}),
    ):
        assert answer.status == 403
        assert "the folder" in answer.json["error"]
    assert client.patch(number, {"name": "lab/moved"}).status == 202
    assert client.delete(number).status == 204


def test_changing_deleting_and_restoring_need_the_right_for_the_name(limited: WriteServer) -> None:
    arguments = ["add", "boss", "--email", "boss@example.org", "--no-password", "--users", str(limited.users)]
    assert main(["user", *arguments, "--right", "read", "--right", "write"]) == 0
    client, boss = limited.client(), limited.client(login="")
    number = boss.post({**RUN, "name": "office/theirs"}, Remote_User="boss").id
    assert client.put(number, RUN).status == 403
    assert client.patch(number, {"name": "lab/taken"}).status == 403
    assert client.delete(number).status == 403
    assert boss.delete(number, Remote_User="boss").status == 204
    refused = client.restore(number)
    assert refused.status == 403
    assert "the folder office/" in refused.json["error"]


def test_reading_can_need_a_login(limited: WriteServer) -> None:
    stranger, client = limited.client(login=""), limited.client()
    for path in (LIST, "/", "/api/", "/api/snapshot.json", "/_live/events", f"{LIST}1/"):
        refused = stranger.get(path)
        assert refused.status == 401, path
        assert "access-control-allow-origin" not in refused.headers
    assert stranger.get("/_live/health").status == 200
    assert stranger.send("OPTIONS", LIST).status == 200
    read = client.get(LIST, Origin="https://page.example")
    assert read.status == 200
    assert "access-control-allow-origin" not in read.headers
    described = client.get("/api/openapi.json").json["paths"][LIST]["get"]
    assert described["security"] == [{"basic": []}, {"bearer": []}]
    assert {"401", "403"} <= set(described["responses"])
    assert stranger.send("PUT", "/nothing/at/all/", RUN).status == 401


def test_a_trusted_proxy_names_the_user(limited: WriteServer) -> None:
    stranger = limited.client(login="")
    answer = stranger.post({**RUN, "name": "lab/by-proxy"}, Remote_User=USER)
    assert answer.status == 201
    assert "Author: Alice Example <alice@example.org>" in limited.git("log", "-1")
    assert stranger.post(RUN, Remote_User="nobody").status == 403


def test_a_removed_user_has_no_access(limited: WriteServer) -> None:
    assert limited.client(login=f"carol:{PASSWORD}").post(RUN).status == 401
    users = ["--users", str(limited.users)]
    assert main(["user", "add", "dave", "--email", "d@example.org", "--no-password", *users]) == 0
    stranger = limited.client(login="")
    eventually(lambda: stranger.post({**RUN, "name": "lab/dave"}, Remote_User="dave").status in (201, 409))
    assert main(["user", "remove", "dave", *users]) == 0
    eventually(lambda: stranger.get(LIST, Remote_User="dave").status == 403)


@pytest.mark.parametrize(
    "options",
    [
        ["--write"],
        ["--write", "-C", "{bare}"],
        ["--write", "-C", "{work}", "--users", "{users}"],
        ["--write", "-C", "{bare}", "--users", "{bare}/users.yaml"],
        ["--write", "-C", "{bare}", "--users", "{users}", "--host", "0.0.0.0"],
        ["--write", "-C", "{bare}", "--users", "{users}", "--remote", "nowhere"],
        ["--write", "-C", "{bare}", "--users", "{users}", "--login-to-read", "--cors", "*"],
        ["-C", "{work}", "--users", "{users}"],
        ["-C", "{work}", "--login-to-read"],
    ],
)
def test_wrong_use_is_explained(
    tmp_path_factory: pytest.TempPathFactory, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("wrong")
    bare, users, work = new_bare_registry(folder, ""), new_users(folder), folder / "work"
    assert main(["init", str(work), "--ci", "none"]) == 0
    words = [one.format(bare=bare, users=users, work=work) for one in options]
    assert main(["serve", "--port", "1", *words]) in (2, 3)
    assert "hint" in capsys.readouterr().err


def test_a_file_with_errors_hides_nothing(tmp_path: Path) -> None:
    bare = new_bare_registry(tmp_path)
    with write_server(bare, new_users(tmp_path), "--poll", "0.1") as server:
        client = server.client()
        number = client.post({**RUN, "name": "will/break", "title": "Valid"}).id
        path = "definitions/process_definition/will/break.yaml"
        new = "definitions/process_definition/never/valid.yaml"
        pushed = commit_files(
            bare, {path: lambda text: text + b"definition: [twice\n", new: lambda _: b"title: 3\n"}
        )
        read = client.get(number, Registry_At_Least=pushed)
        assert (read.status, read.json["title"]) == (200, "Valid")
        broken = client.get("/api/snapshot.json").json["broken"]
        assert [one["path"] for one in broken] == [new, path]
        assert client.post({**RUN, "name": "still/works"}).status == 201
        assert client.post({**RUN, "name": "never/valid"}).status == 409
        fixed = client.put(number, {"definition": {"exec": "/bin/y"}})
        assert fixed.status == 204, json.loads(fixed.body)
        assert client.get(number).json["revision"]["number"] == 3
        assert [one["path"] for one in client.get("/api/snapshot.json").json["broken"]] == [new]
    with write_server(bare, tmp_path / "users.yaml") as server:
        assert server.client().get(number).json["definition"] == {"exec": "/bin/y"}


def test_a_file_that_is_broken_and_moved_in_one_push_stays_served(tmp_path: Path) -> None:
    bare = new_bare_registry(tmp_path)
    folder = "definitions/process_definition"
    with write_server(bare, new_users(tmp_path), "--poll", "0.1") as server:
        client = server.client()
        number = client.post({**RUN, "name": "before/it", "title": "Valid"}).id
        other = client.post({**RUN, "name": "stays/here"}).id
        text = server.git("show", f"HEAD:{folder}/before/it.yaml").encode()
        copied = server.git("show", f"HEAD:{folder}/stays/here.yaml").encode()
        pushed = commit_files(
            bare,
            {
                f"{folder}/before/it.yaml": lambda _: None,
                f"{folder}/after/it.yaml": lambda _: text + b"definition: [twice\n",
                f"{folder}/copied/broken.yaml": lambda _: copied + b"definition: [twice\n",
            },
        )
        read = client.get(number, Registry_At_Least=pushed)
        assert (read.status, read.json.get("title"), read.json.get("name")) == (200, "Valid", "after/it")
        broken = client.get("/api/snapshot.json").json["broken"]
        assert [one["path"] for one in broken] == [f"{folder}/after/it.yaml", f"{folder}/copied/broken.yaml"]
        assert client.get(other).json["name"] == "stays/here"
        assert client.get(f"{LIST}by-name/copied/broken/").status == 404
        assert client.post({**RUN, "name": "still/works"}).status == 201
        assert client.patch(number, {"title": "Fixed"}).status == 202
        fixed = client.get(number).json
        assert (fixed["title"], fixed["name"], fixed["definition"]) == (
            "Fixed",
            "after/it",
            RUN["definition"],
        )
    with write_server(bare, tmp_path / "users.yaml") as server:
        assert server.client().get(number).json["title"] == "Fixed"
