"""The MCP Registry API as its clients read it: real web servers with our configurations, and both live servers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from registry.cli import main
from registry.load.settings import Settings
from registry.load.source import open_source
from registry.model.http_headers import headers_of
from registry.pipeline import build
from registry.scaffold.webserver import webserver_config
from registry.site import Site
from tests.server.test_http_contract import SERVERS, Answer, ask, open_to_servers
from tests.support.mcp import (
    KIND,
    OFFICIAL,
    OPENAPI,
    SETTINGS,
    mistakes,
    registry_with_history,
    server_text,
    summary,
)
from tests.support.nginx import answering, free_port
from tests.support.repo import RepoBuilder
from tests.support.schemathesis_run import run_schemathesis
from tests.support.waiting import PATIENCE_S
from tests.support.webservers import webserver
from tests.support.writing import new_users, write_server

LIST = "/v0.1/servers"
MORE = 35
MCP = Settings(protocols=("mcp",))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Servers for two pages."""
    repo = registry_with_history(tmp_path_factory.mktemp("mcp") / "repo")
    for number in range(MORE):
        repo.define(
            f"org.many/s{number:02}", server_text(f"org.many/s{number:02}", title=f"S {number}"), KIND
        )
    repo.commit("add many")
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


@pytest.fixture(scope="module", params=[*SERVERS, "serve", "write"])
def address(
    request: pytest.FixtureRequest, registry: RepoBuilder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the registry answers."""
    port = free_port()
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "serve":
        command = [sys.executable, "-m", "registry", "serve", "-C", str(registry.root), "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
        with answering(process, port) as found:
            yield found
    elif request.param == "write":
        registry.git("clone", "-q", "--bare", str(registry.root), str(folder / "registry.git"))
        with write_server(folder / "registry.git", new_users(folder), port=port) as server:
            yield server.address
    else:
        open_to_servers(folder)
        assert build(open_source(registry.root), Site(folder / "site")).files
        configuration = webserver_config(request.param, folder / "site", MCP, f"127.0.0.1:{port}")
        with webserver(request.param, configuration, port, folder / "run") as found:
            yield found


# Only these read parameters other than the cursor.
live = pytest.mark.parametrize("address", ["serve", "write"], indirect=True)


def servers(address: str, **parameters: Any) -> Any:
    """The list with these parameters."""
    answer = ask(address, f"{LIST}?{urlencode(parameters)}" if parameters else LIST)
    assert (answer.status, answer.type) == (200, "application/json"), answer.body
    assert mistakes(answer.json) == []
    return answer.json


def names(answer: Any) -> list[str]:
    return [one[0] for one in summary(answer)]


def version(address: str, name: str, of: str = "", *, encoded: bool = True) -> Answer:
    """The versions of a server, or one of them."""
    place = f"{LIST}/{quote(name, safe='' if encoded else '/')}/versions"
    return ask(address, f"{place}/{quote(of, safe='')}" if of else place)


def test_the_first_page_is_right_without_parameters(address: str) -> None:
    found = servers(address)
    assert names(found)[:3] == ["com.example/files", "com.example/weather", "org.many/s00"]
    assert found["metadata"]["count"] == len(found["servers"]) == 30
    assert [one[1:] for one in summary(found)[:2]] == [
        ("1.0.0", "deprecated", True),
        ("1.1.0", "active", True),
    ]
    assert ask(address, f"{LIST}/").json == found
    assert servers(address, limit=30, version="latest") == found
    assert servers(address, cursor="") == found


def test_cursors_lead_to_every_server_once(address: str) -> None:
    seen, parameters = [], {"limit": "30", "version": "latest"}
    while True:
        found = servers(address, **parameters)
        seen += names(found)
        if "nextCursor" not in found["metadata"]:
            break
        parameters["cursor"] = found["metadata"]["nextCursor"]
    assert seen == ["com.example/files", "com.example/weather", *(f"org.many/s{n:02}" for n in range(MORE))]


@pytest.mark.parametrize("encoded", [True, False])
def test_versions_of_a_server(address: str, encoded: bool) -> None:
    name = "com.example/weather"
    listed = version(address, name, encoded=encoded)
    assert (listed.status, listed.type, mistakes(listed.json)) == (200, "application/json", [])
    assert [one[1] for one in summary(listed.json)] == ["1.1.0", "1.0.0"]
    for of, expected in (("1.0.0", "1.0.0"), ("1.1.0", "1.1.0"), ("latest", "1.1.0")):
        one = version(address, name, of, encoded=encoded)
        assert (one.status, mistakes(one.json), summary(one.json)[0][1]) == (200, [], expected)


def test_a_deleted_server_says_so_and_has_no_newest_version(address: str) -> None:
    assert summary(version(address, "com.example/gone").json)[0][2] == "deleted"
    assert summary(version(address, "com.example/gone", "1.0.0").json)[0][2] == "deleted"
    assert version(address, "com.example/gone", "latest").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/com.example%2Fnone/versions",
        "/com.example%2Fnone/versions/latest",
        "/com.example%2Fweather/versions/9.9.9",
        "/com.example%2Fweather/versions/..%2f..%2fx",
        "/com.example%2Fweather",
        "/com.example",
        "/weather/versions/latest",
        "/com.example/weather/versions/1.0.0/x",
        "?cursor=99999",
        "/%00",
    ],
)
def test_what_is_not_there_is_not_found_as_json(address: str, path: str) -> None:
    answer = ask(address, LIST + path)
    if "cursor" in path and answer.status == 200:
        assert answer.json == {"servers": [], "metadata": {"count": 0}}
    elif "%00" not in path and "%2f" not in path:
        assert (answer.status, answer.type) == (404, "application/json")
        assert answer.json == {"error": "Server not found"}
        assert answer.headers["access-control-allow-origin"] == "*"
    else:
        assert answer.status in (400, 404)
        assert b'"servers"' not in answer.body


@pytest.mark.parametrize(
    "path", ["", "/com.example%2Fweather/versions", "/com.example%2Fnone/versions/latest"]
)
def test_pages_of_other_origins_may_read_it(address: str, path: str) -> None:
    asked = {
        "Origin": "https://vscode.dev",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    for method, headers in (("OPTIONS", asked), ("GET", {"Origin": "https://vscode.dev"})):
        answer = ask(address, LIST + path, method, headers)
        assert answer.status in ((200, 204) if method == "OPTIONS" else (200, 404))
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-methods"] == "GET, OPTIONS"
        assert answer.headers["access-control-allow-headers"] == "Authorization, Content-Type"


def test_writing_is_refused(address: str) -> None:
    for path in ("", "/com.example%2Fweather/versions/1.0.0"):
        assert ask(address, LIST + path, "DELETE").status == 405


def test_headers_are_those_of_the_file(address: str) -> None:
    found = ask(address, LIST).headers
    expected = {name.lower(): value for name, value in headers_of("v0.1/servers/index.json").items()}
    assert {name: found.get(name) for name in expected} == expected
    assert ask(address, LIST, headers={"If-None-Match": found["etag"]}).status == 304
    head = ask(address, LIST, "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_the_api_of_2013_stays_as_it_is(address: str) -> None:
    assert ask(address, f"/api/{KIND}/by-name/com.example/weather/").status == 200
    assert ask(address, "/api/nothing/").json == {"error": "there is nothing at this address"}
    assert ask(address, f"/{KIND}/com.example/weather").status in (301, 308)
    assert ask(address, "/..%2f..%2fetc/passwd").status in (400, 404)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("base", ["/registry/", "/tools/c++.x/"])
def test_a_registry_below_a_path_answers_there(
    registry: RepoBuilder, tmp_path: Path, server: str, base: str
) -> None:
    port = free_port()
    open_to_servers(tmp_path)
    assert build(open_source(registry.root), Site(tmp_path / "site")).files
    settings = Settings(base_url=f"https://example.org{base}", protocols=("mcp",))
    configuration = webserver_config(server, tmp_path / "site", settings, f"127.0.0.1:{port}")
    place = base.rstrip("/") + LIST
    with webserver(server, configuration, port, tmp_path / "run") as address:
        first: Any = ask(address, place).json
        assert len(first["servers"]) == 30
        second: Any = ask(address, f"{place}?cursor={first['metadata']['nextCursor']}").json
        assert len(second["servers"]) == 7
        assert summary(ask(address, f"{place}/com.example%2Fweather/versions/latest").json)[0][1] == "1.1.0"
        assert ask(address, f"{place}/com.example%2Fnone/versions").json == {"error": "Server not found"}
        assert ask(address, place, "OPTIONS").status == 204


@live
def test_a_limit_and_a_cursor_of_any_size(address: str) -> None:
    assert names(servers(address, limit=1)) == ["com.example/files"]
    assert servers(address, limit=1)["metadata"]["nextCursor"]
    everything = servers(address, limit=1000)
    assert (everything["metadata"]["count"], "nextCursor" in everything["metadata"]) == (37, False)
    seen, parameters = [], {"limit": "9"}
    for _ in range(5):
        found = servers(address, **parameters)
        seen += names(found)
        parameters["cursor"] = found["metadata"].get("nextCursor", "")
    assert (seen, parameters["cursor"]) == (names(everything), "")


@live
def test_search_finds_names_and_titles(address: str) -> None:
    assert names(servers(address, search="WEATH")) == ["com.example/weather"]
    assert len(names(servers(address, search="org.many", limit=100))) == MORE
    assert names(servers(address, search="nothing")) == []


@live
def test_a_version_selects_the_servers_that_have_it(address: str) -> None:
    assert summary(servers(address, version="1.1.0")) == [("com.example/weather", "1.1.0", "active", True)]
    assert summary(servers(address, version="1.0.0", search="weather"))[0][1:] == ("1.0.0", "active", False)
    assert names(servers(address, version="9.9")) == []


@live
def test_clients_that_ask_for_changes_learn_of_deletions(address: str) -> None:
    newest = servers(address, search="weather")["servers"][0]["_meta"][OFFICIAL]["updatedAt"]
    found = servers(address, updated_since=newest, limit=100)
    assert summary(found)[:2] == [
        ("com.example/files", "1.0.0", "deprecated", True),
        ("com.example/gone", "1.0.0", "deleted", False),
    ]
    assert len(found["servers"]) == 38
    assert names(servers(address, updated_since="2100-01-01T00:00:00+02:00")) == []
    assert "com.example/gone" in names(servers(address, include_deleted="true"))
    assert "com.example/gone" not in names(servers(address, include_deleted="false"))


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=x",
        "cursor=a",
        "cursor=1.5",
        "cursor=" + "9" * 200,
        "updated_since=yesterday",
        "include_deleted=maybe",
        "&".join(f"p{n}=1" for n in range(200)),
    ],
)
@live
def test_an_invalid_parameter_is_refused(address: str, query: str) -> None:
    answer = ask(address, f"{LIST}?{query}")
    assert (answer.status, list(answer.json)) == (400, ["error"])
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_live_server_without_the_setting_has_no_such_address(tmp_path: Path) -> None:
    repo = RepoBuilder(tmp_path / "repo")
    repo.define("a")
    repo.commit()
    port = free_port()
    command = [sys.executable, "-m", "registry", "serve", "-C", str(repo.root), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    with answering(process, port) as address:
        answer = ask(address, LIST)
        assert (answer.status, answer.type) == (404, "text/html; charset=utf-8")


def test_a_committed_change_is_shown(tmp_path: Path) -> None:
    """A server that writes shows a new version that its main branch gets."""
    repo = RepoBuilder(tmp_path / "repo")
    repo.write("registry.yaml", SETTINGS)
    repo.define("a.b/c", f"id: 1\n{server_text('a.b/c')}", KIND)
    repo.commit("one")
    assert main(["index", "-C", str(repo.root)]) == 0
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "registry.git"))
    with write_server(tmp_path / "registry.git", new_users(tmp_path)) as server:
        client = server.client()
        found = client.get(f"/api/{KIND}/1/")
        body = {**found.json, "definition": {**found.json["definition"], "version": "1.1.0"}}
        body = {key: body[key] for key in ("title", "owners", "definition")}
        done = client.send("PUT", f"/api/{KIND}/1/", body)
        assert done.status == 204, done.body
        listed = json.loads(ask(server.address, f"{LIST}/a.b%2Fc/versions").body)
        assert [one[1] for one in summary(listed)] == ["1.1.0", "1.0.0"]
        # A new server gets the file with its name.
        new: dict[str, Any] = {
            "title": "D",
            "owners": ["t"],
            "definition": {"name": "a.b/d", "description": "D", "version": "1.0.0"},
        }
        assert client.send("POST", f"/api/{KIND}/", new).status == 201
        assert (
            summary(json.loads(ask(server.address, f"{LIST}/a.b%2Fd/versions/latest").body))[0][1] == "1.0.0"
        )
        for name, status in (("../x", 422), ("a.b/d", 409), ("weather", 422)):
            wrong = {**new, "definition": {**new["definition"], "name": name}}
            assert client.send("POST", f"/api/{KIND}/", wrong).status == status, name
        assert client.send("DELETE", f"/api/{KIND}/2/").status == 204
        assert client.send("DELETE", f"/api/{KIND}/1/").status == 204
        assert json.loads(ask(server.address, LIST).body)["servers"] == []
        assert summary(json.loads(ask(server.address, f"{LIST}/a.b%2Fc/versions").body))[0][2] == "deleted"


def test_a_server_that_requires_a_login_answers_with_one_only(registry: RepoBuilder, tmp_path: Path) -> None:
    registry.git("clone", "-q", "--bare", str(registry.root), str(tmp_path / "registry.git"))
    users = new_users(tmp_path, "--only", "com.example/")
    with write_server(tmp_path / "registry.git", users, "--login-to-read") as server:
        client = server.client()
        for path in ("", "/com.example%2Fweather/versions", "/org.many%2Fs00/versions/latest"):
            assert ask(server.address, LIST + path).status == 401
        assert client.get(f"{LIST}/com.example%2Fweather/versions/latest").status == 200
        for path in ("", "/org.many%2Fs00/versions/latest", "/com.example/../org.many/s00/versions"):
            assert client.get(LIST + path).status == 403


@pytest.mark.engine  # not needed to find an ordinary mistake
def test_random_requests_get_answers_as_described(registry: RepoBuilder, tmp_path: Path) -> None:
    registry.git("clone", "-q", "--bare", str(registry.root), str(tmp_path / "registry.git"))
    with write_server(tmp_path / "registry.git", new_users(tmp_path)) as server:
        options = ["--max-examples", "12", "--seed", "7", "--phases", "examples,coverage,fuzzing"]
        printed = run_schemathesis(
            server, tmp_path / "run", *options, document=OPENAPI, timeout=10 * PATIENCE_S
        )
    assert re.search(r"Selected: +3/3", printed), printed
