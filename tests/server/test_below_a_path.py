"""A site below a path (`https://me.example.org/repo/`): every link of its pages and every address in its answers works there."""

import json
import re
from collections import deque
from collections.abc import Iterator
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from registry.cli import main
from registry.load.settings import Settings
from registry.scaffold.webserver import webserver_config
from tests.conftest import Run
from tests.support.nginx import free_port, nginx
from tests.support.repo import RepoBuilder
from tests.support.served import served
from tests.support.waiting import PATIENCE_S

BASE = "/group/repo/"
DELETED = f"{BASE}api/process_definition/212/"
DELETED_FILE = f"{BASE}api/process_definition/212.json"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Enough of everything for each sort of page and answer."""
    repo = RepoBuilder(tmp_path_factory.mktemp("below") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\npage_size: 5\nlayout: full\n")
    repo.write(".gitignore", "/site\n/.site.generations\n")
    repo.define("tools", kind="application")
    for number in range(210):
        repo.define(f"g/p{number:03d}", "title: T\nowners: [t]\ndefinition: {exec: x, application: tools}\n")
    for name in ("history", "ü/page", "old"):
        repo.define(name)
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    (repo.root / "definitions/process_definition/old.yaml").unlink()
    repo.commit("delete one")
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


@pytest.fixture(scope="module", params=["nginx", "serve"])
def host(
    request: pytest.FixtureRequest, registry: RepoBuilder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The host that answers, with its port."""
    folder = tmp_path_factory.mktemp("host")
    if request.param == "nginx":
        port = free_port()
        out = folder / "site"
        assert (
            main(
                [
                    "build",
                    "-C",
                    str(registry.root),
                    "-o",
                    str(out),
                    "--base-url",
                    f"https://me.example.org{BASE.rstrip('/')}",
                ]
            )
            == 0
        )
        with nginx(
            webserver_config("nginx", out, Settings(base_url=BASE), f"127.0.0.1:{port}"), port, folder / "run"
        ):
            yield f"127.0.0.1:{port}"
        return
    copy = RepoBuilder.at(folder / "copy", registry.clock)
    registry.git("clone", "-q", str(registry.root), str(copy.root))
    copy.write(
        "registry.yaml",
        (copy.root / "registry.yaml").read_text() + f"base_url: https://me.example.org{BASE}\n",
    )
    with served(copy.root) as (address, _process):
        yield address.removeprefix("http://")


def get(connection: HTTPConnection, path: str) -> tuple[int, str, bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, answer.headers.get("location") or answer.headers["content-type"], body


def links_of_page(body: bytes) -> Iterator[str]:
    yield from map(unescape, re.findall(r'(?:href|src|data-snapshot)="([^"#]+)', body.decode()))


def links_of_answer(body: Any) -> Iterator[str]:
    if isinstance(body, list):
        for one in body:
            yield from links_of_answer(one)
    elif isinstance(body, dict):
        for key, value in body.items():
            if isinstance(value, str) and (
                key.endswith("_uri") or key in ("next", "previous", "list_endpoint", "schema")
            ):
                yield value
            else:
                yield from links_of_answer(value)


def test_every_link_and_every_address_leads_somewhere_below_the_path(host: str) -> None:
    connection = HTTPConnection(host, timeout=PATIENCE_S)
    waiting = deque([BASE, f"{BASE}api/", DELETED, f"{BASE}nothing/at/all/"])
    seen = set(waiting)
    pages = answers = 0
    while waiting:
        path = waiting.popleft()
        status, kind, body = get(connection, path)
        assert (
            status == 404
            if "nothing" in path
            else status in (200, 410)
            if path in (DELETED, DELETED_FILE, f"{BASE}api/process_definition/by-name/old/")
            else status == 200
        ), path
        if kind.startswith("text/html"):
            pages += 1
            found = [*links_of_page(body)]
        elif kind == "application/json" and "/schema" not in path and "openapi" not in path:
            answers += 1
            found = [*links_of_answer(json.loads(body))]
        else:
            continue
        for link in found:
            target = urljoin(path, link)
            if urlsplit(target).netloc:
                assert target.startswith(f"https://me.example.org{BASE}"), (path, link)
                continue
            assert target.startswith(BASE), (path, link)
            # Of many of one sort a few will do.
            if target not in seen and not re.search(
                r"/g/p(?!00[0-2]|209)|process_definition/(?!21[0-4]/)[0-9]{2,}/", target
            ):
                seen.add(target)
                waiting.append(target)
    for path in (
        "",
        "process_definition/_page/2/",
        "process_definition/g/p000/_history/",
        "process_definition/g/p000/_revisions/1/",
        "api/process_definition/page/43/",
        "process_definition/history/_history/",
        "process_definition/%C3%BC/page/",
        "api/process_definition/by-name/%C3%BC/page/",
        "api/process_definition/212/history/",
    ):
        assert BASE + path in seen, path
    assert pages > 15
    assert answers > 60
    connection.close()


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("", ""),
        ("?a=b&c", "?a=b&c"),
        ("/api", "/api"),
        ("/api/process_definition/1?x=1", "/api/process_definition/1?x=1"),
        ("/process_definition", "/process_definition"),
    ],
)
def test_an_address_without_its_last_slash_leads_to_the_one_with_it(
    host: str, path: str, location: str
) -> None:
    connection = HTTPConnection(host, timeout=PATIENCE_S)
    status, target, _ = get(connection, BASE.rstrip("/") + path)
    plain, mark, query = location.partition("?")
    assert (status, target) == (301, f"{BASE.rstrip('/')}{plain}/{mark}{query}")
    connection.close()


def test_a_build_for_another_address_is_another_build(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "site"

    def address_of(*options: str) -> tuple[str, str, str]:
        assert run("build", "-C", str(registry.root), "-o", str(out), *options).code == 0
        document = json.loads((out / "api/openapi.json").read_bytes())
        page = (out / "process_definition/g/p000/index.html").read_text()
        found = re.search(r'id="address"[^>]*>([^<]+)<', page)
        assert found
        next_page = json.loads((out / "api/process_definition/index.json").read_bytes())["meta"]["next"]
        return document["servers"][0]["url"], next_page, found[1]

    plain = ("/", "/api/process_definition/page/2/", "/api/process_definition/1.json")
    below = (
        "https://me.example.org/repo",
        "/repo/api/process_definition/page/2/",
        "https://me.example.org/repo/api/process_definition/1.json",
    )
    assert address_of() == plain
    assert address_of("--base-url", "https://me.example.org/repo") == below
    assert address_of("--base-url", "https://me.example.org/repo/") == below
    assert address_of("--base-url", "/repo")[:2] == ("/repo", below[1])
    assert address_of() == plain


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "repo",
        "ftp://x/",
        "//x/",
        "https://",
        "/a b/",
        "/a//b/",
        "/../x/",
        "/.x/",
        "/a?b=c",
        "/a#b",
        "/a;b/",
        '/a"b/',
        "/a{b}/",
        "/$x/",
        "/a\n/",
        "https://user:pw@x/",
        "https://x:port/",
        "/%2e%2e/",
        "/ü/",
    ],
)
def test_what_is_no_base_is_refused_on_the_command_line_and_in_the_settings(
    repo: RepoBuilder, run: Run, wrong: str
) -> None:
    repo.define("a")
    for command in ("build", "nginx"):
        done = run(command, "-C", str(repo.root), "--base-url", wrong)
        assert (done.code, "--base-url" in done.err) == (2, True), done
    assert not (repo.root / "site").exists()
    repo.write("registry.yaml", f"base_url: {json.dumps(wrong)}\n")
    done = run("check", "-C", str(repo.root))
    assert (done.code, "registry.yaml:1" in done.out) == (1, True)
    refused = run("nginx", "-C", str(repo.root))
    assert (refused.code, refused.out, "registry.yaml:1" in refused.err) == (1, "", True)


@pytest.mark.parametrize(
    "good",
    [
        "/",
        "/repo",
        "/repo/",
        "/-/project/",
        "https://x.example.org",
        "http://127.0.0.1:8000/a/b/",
        "https://[::1]:8/x",
        "https://müller.example/~me/",
    ],
)
def test_what_is_a_base_is_taken(repo: RepoBuilder, run: Run, good: str) -> None:
    repo.define("a")
    assert run("nginx", "-C", str(repo.root), "--base-url", good).code == 0
    repo.write("registry.yaml", f"base_url: {json.dumps(good)}\n")
    assert run("check", "-C", str(repo.root)).code == 0


def test_the_files_for_pages_build_for_the_address_of_the_pages(run: Run, tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "new"), "--ci", "github", "--ci", "gitlab").code == 0
    assert '--base-url "$ADDRESS"' in (tmp_path / "new/.github/workflows/registry.yml").read_text()
    assert '--base-url "$CI_PAGES_URL"' in (tmp_path / "new/.gitlab-ci.yml").read_text()
