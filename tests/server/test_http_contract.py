"""The API as the 2013 clients read it, through real web servers with our configurations, and `registry serve`."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from registry.cli import main
from registry.errors import UsageError
from registry.load.settings import Settings
from registry.load.source import open_source
from registry.model.http_headers import headers_of
from registry.pipeline import build
from registry.scaffold.webserver import WEBSERVERS, webserver_config
from registry.site import Site
from tests.support.nginx import answering, free_port
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S
from tests.support.webservers import webserver

COUNT = 45
EXPORT = "process_definition/group/p00/_exports/procfile/Procfile"


def redirect_of(server: str) -> int:
    """The status of a redirect to the address with its slash: Caddy's cannot be changed."""
    return 308 if server == "caddy" else 301


class Answer(NamedTuple):
    status: int
    type: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Enough definitions for three pages, one deleted."""
    repo = RepoBuilder(tmp_path_factory.mktemp("contract") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\nexports: [procfile]\n")
    repo.write(".gitignore", "/site\n/.site.generations\n")
    for number in range(COUNT + 1):
        repo.define(f"group/p{number:02d}")
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    (repo.root / f"definitions/process_definition/group/p{COUNT}.yaml").unlink()
    repo.commit("delete one")
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


SERVERS = ["nginx", *(pytest.param(name, marks=pytest.mark.engine) for name in ("caddy", "apache"))]


@pytest.fixture(scope="module", params=[*SERVERS, "serve"])
def address(
    request: pytest.FixtureRequest, registry: RepoBuilder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the registry answers."""
    port = free_port()
    if request.param != "serve":
        folder = tmp_path_factory.mktemp(request.param)
        open_to_servers(folder)
        assert build(open_source(registry.root), Site(folder / "site")).files
        settings = Settings(exports=("procfile",))
        configuration = webserver_config(request.param, folder / "site", settings, f"127.0.0.1:{port}")
        with webserver(request.param, configuration, port, folder / "run") as found:
            yield found
        return
    command = [sys.executable, "-m", "registry", "serve", "-C", str(registry.root), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    with answering(process, port) as found:
        yield found


@pytest.fixture
def server_name(request: pytest.FixtureRequest) -> str:
    """The server at `address`."""
    found: str = request.node.callspec.params["address"]
    return found


def own_methods(answer: Answer, server: str) -> str:
    """The value of `Allow` that our configuration sets: Apache adds a list of its own, which can be empty."""
    found = answer.headers["allow"]
    if server != "apache":
        return found
    return "GET, HEAD, OPTIONS" if found.startswith("GET, HEAD, OPTIONS") else found[: len("GET, HEAD")]


def open_to_servers(folder: Path) -> None:
    """Let a server that runs as another user read a folder of the test."""
    for one in (folder, *folder.parents):
        if one.stat().st_uid == os.getuid() and not one.stat().st_mode & 0o001:
            one.chmod(one.stat().st_mode | 0o011)


def ask(address: str, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
    """One request, redirects not followed."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
    try:
        connection.request(method, path, headers=headers or {}, body=b"{}" if method == "POST" else None)
        response = connection.getresponse()
        found: dict[str, str] = {}
        for name, value in response.getheaders():  # Apache adds a list of its own to `Allow`
            found[name.lower()] = ", ".join(filter(None, [found.get(name.lower()), value]))
        found |= {"location": found["location"].removeprefix(address)} if "location" in found else {}
        return Answer(response.status, found.get("content-type", ""), found, response.read())
    finally:
        connection.close()


def test_the_list_and_a_detail_are_exactly_application_json_in_the_old_envelope(address: str) -> None:
    page = ask(address, "/api/process_definition/")
    assert (page.status, page.type) == (200, "application/json")
    assert list(page.json) == ["meta", "objects"]
    one = ask(address, "/api/process_definition/1/")
    assert (one.status, one.type) == (200, "application/json")
    assert list(one.json)[:3] == ["definition", "id", "resource_uri"]
    assert one.json["definition"] == {"exec": "/bin/p00"}
    assert one.json["resource_uri"] == "/api/process_definition/1/"


def test_following_next_visits_every_object_once(address: str) -> None:
    seen: list[int] = []
    path: object = "/api/process_definition/"
    while path:
        answer = ask(address, str(path))
        assert answer.type == "application/json"
        meta, objects = answer.json["meta"], answer.json["objects"]
        assert isinstance(meta, dict)
        assert isinstance(objects, list)
        seen += [one["id"] for one in objects]
        path = meta["next"]
    assert seen == list(range(1, COUNT + 1))


def test_a_missing_slash_is_a_redirect_that_keeps_the_query(address: str, server_name: str) -> None:
    for path, target in (
        ("/api/process_definition/1", "/api/process_definition/1/"),
        ("/api/process_definition/1?format=json&x=%2F", "/api/process_definition/1/?format=json&x=%2F"),
        ("/api/process_definition?limit=5", "/api/process_definition/?limit=5"),
        ("/api", "/api/"),
        ("/process_definition/group/p01", "/process_definition/group/p01/"),
    ):
        answer = ask(address, path)
        assert (answer.status, answer.headers["location"]) == (redirect_of(server_name), target)


@pytest.mark.parametrize(
    "path",
    [
        "/api/process_definition/999/",
        "/api/process_definition/999",
        "/api/nothing/",
        "/api/process_definition/x/",
        "/api/process_definition/1/revisions/99/",
        "/api/process_definition/by-name/",
        "/api/x.json",
    ],
)
def test_unknown_ids_and_addresses_are_not_found_and_say_so_as_json(address: str, path: str) -> None:
    answer = ask(address, path)
    assert (answer.status, answer.type) == (404, "application/json")
    assert answer.json == {"error": "there is nothing at this address"}


@pytest.mark.parametrize(
    "path", ["/api/process_definition/", "/api/process_definition/1/", "/api/nothing/", "/api.json"]
)
def test_a_preflight_is_answered_as_reading_from_other_origins_is_offered(
    address: str, server_name: str, path: str
) -> None:
    asked = {
        "Origin": "https://app.example.org",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "if-none-match",
    }
    answer = ask(address, path, "OPTIONS", asked)
    assert answer.status in (200, 204)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "if-none-match"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert own_methods(answer, server_name) == "GET, HEAD, OPTIONS"
    assert (
        ask(address, path, headers={"Origin": "https://app.example.org"}).headers[
            "access-control-allow-origin"
        ]
        == "*"
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/api/process_definition/", "/api/process_definition/1/"])
def test_writing_is_refused_not_answered_as_if_it_had_worked(
    address: str, server_name: str, method: str, path: str
) -> None:
    answer = ask(address, path, method)
    assert answer.status == 405
    assert answer.type == "application/json"
    assert own_methods(answer, server_name) == "GET, HEAD"
    assert method not in answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        f"{COUNT + 1}/",
        f"{COUNT + 1}.json",
        f"{COUNT + 1}/index.json",
        f"by-name/group/p{COUNT}/",
        f"by-name/group/p{COUNT}.json",
    ],
)
def test_a_deleted_definition_answers_its_tombstone(
    address: str, request: pytest.FixtureRequest, path: str
) -> None:
    answer = ask(address, f"/api/process_definition/{path}")
    is_live = "serve" in request.node.name
    assert (answer.status, answer.type) == (410 if is_live else 200, "application/json")
    assert (answer.json["deleted"], answer.json["id"]) == (True, COUNT + 1)
    assert "definition" not in answer.json
    assert answer.json["last_definition"] == {"exec": f"/bin/p{COUNT}"}
    known = ask(address, f"/api/process_definition/{path}", headers={"If-None-Match": answer.headers["etag"]})
    assert known.status == (
        410 if is_live else 304
    )  # a condition is for an answer that is there (RFC 9110, section 13.2.1)
    assert ask(address, f"/api/process_definition/{path}", "HEAD").status == answer.status
    assert ask(address, f"/api/process_definition/{COUNT + 1}/history/").status == 200
    assert ask(address, "/api/process_definition/by-name/group/p00/").status == 200


def test_parameters_do_not_disturb_and_head_has_no_body(address: str) -> None:
    assert ask(address, "/api/process_definition/1/?format=json&nonsense=1").status == 200
    head = ask(address, "/api/process_definition/1/", "HEAD")
    assert (head.status, head.type, head.body) == (200, "application/json", b"")


def test_twins_names_pages_and_assets_have_their_types(address: str) -> None:
    assert (
        ask(address, "/api/process_definition/1.json").body == ask(address, "/api/process_definition/1/").body
    )
    by_name = ask(address, "/api/process_definition/by-name/group/p00/")
    assert (by_name.type, by_name.json["id"]) == ("application/json", 1)
    assert ask(address, "/api/process_definition/all.ndjson").type == "application/x-ndjson"
    assert ask(address, "/api/openapi.json").type == "application/json"
    assert ask(address, "/schema/process_definition.schema.json").type == "application/json"
    page = ask(address, "/process_definition/group/p00/")
    assert page.type.startswith("text/html")
    for ending, kind in ((".css", "text/css"), (".js", "text/javascript"), (".svg", "image/svg+xml")):
        asset = next(part for part in page.body.decode().split('"') if part.endswith(ending))
        assert ask(address, "/" + asset.replace("../", "")).type.startswith(kind)


def test_headers_are_the_same_on_each_server(address: str) -> None:
    page = ask(address, "/process_definition/group/p00/")
    asset = next(part for part in page.body.decode().split('"') if part.endswith(".css"))
    for path, file in (
        ("/", "index.html"),
        ("/process_definition/group/p00/", "process_definition/group/p00/index.html"),
        ("/api/", "api/index.json"),
        ("/api.json", "api.json"),
        ("/api/process_definition/1/", "api/process_definition/1/index.json"),
        ("/api/process_definition/1.json", "api/process_definition/1.json"),
        ("/api/process_definition/all.ndjson", "api/process_definition/all.ndjson"),
        ("/schema/process_definition.schema.json", "schema/process_definition.schema.json"),
        ("/" + asset.replace("../", ""), asset.replace("../", "")),
        (f"/{EXPORT}", EXPORT),
    ):
        found = ask(address, path).headers
        expected = {name.lower(): value for name, value in headers_of(file).items()}
        sent = {name: found[name] for name in (*expected, "access-control-allow-origin") if name in found}
        # Servers may name the encoding of texts. Pages name it themselves.
        for one in (sent, expected) if file != EXPORT else ():
            one["content-type"] = one["content-type"].removesuffix("; charset=utf-8")
        assert sent == expected, path


def test_exports_are_text_and_others_are_missing(address: str) -> None:
    found = ask(address, f"/{EXPORT}")
    assert (found.status, found.body.endswith(b"exec /bin/p00\n")) == (200, True)
    missing = ask(address, f"/{EXPORT}.old")
    assert (missing.status, b"This page does not exist" in missing.body) == (404, True)
    assert missing.type.startswith("text/html")


def test_an_unchanged_answer_is_not_sent_again(address: str) -> None:
    first = ask(address, "/api/process_definition/1/")
    again = ask(address, "/api/process_definition/1/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_pages_that_are_not_there_are_the_catalogs_own(address: str) -> None:
    answer = ask(address, "/process_definition/group/nothing/")
    assert answer.status == 404
    assert b"This page does not exist" in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/api/../../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/api/%2e%2e/%2e%2e/etc/passwd",
        "/api/%00",
        "/api//etc/passwd",
    ],
)
def test_nothing_outside_of_the_site_is_answered(address: str, path: str) -> None:
    answer = ask(address, path)
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


@pytest.mark.parametrize("server", WEBSERVERS)
@pytest.mark.parametrize("name", ["site\nroot /", "${HOME}"])
def test_a_name_that_would_be_another_directive_is_refused(server: str, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be part of a configuration"):
        webserver_config(server, Path("/srv") / name, Settings())
    with pytest.raises(UsageError, match="cannot be part of a configuration"):
        webserver_config(server, Path("/srv"), Settings(), server_name=name)


@pytest.mark.parametrize("server", SERVERS)
def test_a_new_site_is_shown_without_a_restart(registry: RepoBuilder, tmp_path: Path, server: str) -> None:
    port = free_port()
    open_to_servers(tmp_path)
    site = Site(tmp_path / "site")
    assert build(open_source(registry.root, "HEAD~3"), site).files
    configuration = webserver_config(server, tmp_path / "site", Settings(), f"127.0.0.1:{port}")
    with webserver(server, configuration, port, tmp_path / "run") as address:
        assert ask(address, "/api/process_definition/1/").status == 404  # not indexed yet at that commit
        assert build(open_source(registry.root), site).files
        assert ask(address, "/api/process_definition/1/").status == 200


@pytest.mark.parametrize("base", ["/registry/", "/tools/c++.x/"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_registry_below_a_path_answers_there(
    registry: RepoBuilder, tmp_path: Path, server: str, base: str
) -> None:
    port = free_port()
    open_to_servers(tmp_path)
    assert build(open_source(registry.root), Site(tmp_path / "site")).files
    settings = Settings(base_url=f"https://example.org{base}")
    configuration = webserver_config(server, tmp_path / "site", settings, f"127.0.0.1:{port}")
    with webserver(server, configuration, port, tmp_path / "run") as address:
        assert ask(address, f"{base}api/process_definition/1/").type == "application/json"
        assert (
            ask(address, f"{base}api/process_definition/1?a=b").headers["location"]
            == f"{base}api/process_definition/1/?a=b"
        )
        assert ask(address, base).type == ("text/html; charset=utf-8" if server == "caddy" else "text/html")
        for end in ("", "?a=b", "/api", "/process_definition?x=1"):
            path = f"{base.rstrip('/')}{end}"
            plain, _, query = path.partition("?")
            location = f"{plain}/?{query}" if query else f"{plain}/"
            answer = ask(address, path)
            # The first one is ours.
            status = 301 if f"{plain}/" == base else redirect_of(server)
            assert (answer.status, answer.headers["location"]) == (status, location)
        assert ask(address, f"{base}api/process_definition/999/").status == 404
        assert ask(address, f"{base}api/process_definition/1/", "OPTIONS").status == 204
