"""`_headers` and `_redirects`: hosts that read them answer as our web server configurations do."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from registry.cli import main
from registry.client import RegistryClient
from registry.load.settings import Settings
from registry.load.source import open_source
from registry.model.addresses import address_form, is_export
from registry.model.http_headers import headers_of
from registry.pipeline import build
from registry.scaffold.webserver import webserver_config
from registry.site import Site
from tests.conftest import Run
from tests.support.host_programs import cloudflare_pages, netlify_answers
from tests.support.host_rules import HOSTS, headers_for, parse_headers, parse_redirects, redirected
from tests.support.nginx import free_port, nginx
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S

FILES = ("_headers", "_redirects")
KIND = '{"type": "object", "properties": {"definition": {"type": "object"}}, "required": ["definition"]}'
COMPARED = (
    "cache-control",
    "access-control-allow-origin",
    "x-content-type-options",
    "referrer-policy",
    "x-frame-options",
)
DEEP = "a/b/c/d/e/f/g/h/i/j"


def files_of(site: Path) -> dict[str, bytes]:
    top = site.resolve()
    return {
        one.relative_to(top).as_posix(): one.read_bytes() for one in sorted(top.rglob("*")) if one.is_file()
    }


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Each sort of address: several pages, a deleted definition, deep and foreign names, a kind of its own."""
    repo = RepoBuilder(tmp_path_factory.mktemp("hosts") / "repo")
    repo.write(
        "registry.yaml",
        "registry_id: registry-1\npage_size: 2\nlayout: full\nhost_files: true\nexports: [procfile]\n",
    )
    repo.write(".gitignore", "/site*\n/.site*\n/plain*\n/.plain*\n")
    repo.write("schema/api_x.schema.json", KIND)
    repo.define("one", "definition: {a: 1}\n", kind="api_x")
    repo.define("tools", kind="application")
    for name in (DEEP, "group/v1.2+x", "ü/päge", "history", "old"):
        repo.define(name)
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    (repo.root / "definitions/process_definition/old.yaml").unlink()
    repo.commit("delete one")
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


@pytest.mark.parametrize("base", ["/", "/group/repo/"])
def test_each_file_gets_the_headers_of_our_nginx(registry: RepoBuilder, tmp_path: Path, base: str) -> None:
    site = tmp_path / "site"
    assert build(open_source(registry.root), Site(site), given={"base_url": base}).files
    files = files_of(site)
    rules = parse_headers(files["_headers"].decode())
    port = free_port()
    configuration = webserver_config(
        "nginx", site, Settings(base_url=base, exports=("procfile",)), f"127.0.0.1:{port}"
    )
    with (
        nginx(configuration, port, tmp_path / "run") as address,
        closing(HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)) as connection,
    ):
        for file in files:
            path = base + quote(file, safe="/+").removesuffix("index.html")
            if file.startswith("api/"):
                path = path.removesuffix("index.json")
            connection.request("HEAD", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, path
            sent = {name: answer.headers[name] for name in COMPARED if name in answer.headers}
            assert sent == {
                name.lower(): value for name, value in headers_of(file).items() if name != "Content-Type"
            }, path
            own_type = headers_of(file)["Content-Type"]
            sent_type = own_type if is_export(file) else own_type.partition(";")[0]
            assert answer.headers["content-type"] == sent_type, path
            for host in ("cloudflare", "netlify"):
                by_host = headers_for(rules, path, host)
                kind = by_host.pop("content-type", None)
                if host == "netlify" and file.startswith("api_x/"):
                    # There `/api/*` means this folder as well, which is harmless.
                    assert by_host.pop("access-control-allow-origin") == "*"
                if file not in (*FILES, ".nojekyll", "404.html"):
                    assert by_host == sent, (path, host)
                # Hosts know the other types.
                assert kind == (own_type if is_export(file) or file.endswith(".ndjson") else None)


@pytest.mark.parametrize("base", ["/", "/group/repo/"])
@pytest.mark.parametrize("host", HOSTS)
def test_addresses_with_a_slash_answer_the_same_and_no_file_is_hidden(
    registry: RepoBuilder, tmp_path: Path, host: str, base: str
) -> None:
    site = tmp_path / "site"
    assert build(open_source(registry.root), Site(site), given={"base_url": base}).files
    files = files_of(site)
    rules = parse_redirects(files["_redirects"].decode())
    addresses = {base + quote(file, safe="/+"): file for file in files}
    answered = 0
    for path, file in addresses.items():
        if file.startswith("api/") and file.endswith("/index.json"):
            found = redirected(rules, path.removesuffix("index.json"), host, list(addresses))
            assert found is not None, path
            assert (found.status, files[addresses[found.target]]) == (200, files[file])
            answered += 1
        elif file not in FILES:
            shown = path.removesuffix("index.html")
            seen = [*addresses, *(one.removesuffix("index.html") for one in addresses)]
            assert redirected(rules, shown, host, seen) is None, path
    assert answered > 30
    missing = redirected(rules, f"{base}api/process_definition/999/", host, list(addresses))
    assert missing is not None
    assert missing.target not in addresses


@pytest.mark.parametrize("forms", ["json", "slash"])
def test_a_site_with_one_form_of_addresses_answers_those_with_a_slash(
    registry: RepoBuilder, tmp_path: Path, forms: str
) -> None:
    kept = (registry.root / "registry.yaml").read_text()
    try:
        registry.write("registry.yaml", f"{kept}addresses: {forms}\n")
        assert build(open_source(registry.root), Site(tmp_path / "site")).files
    finally:
        registry.write("registry.yaml", kept)
    files = files_of(tmp_path / "site")
    rules = parse_redirects(files["_redirects"].decode())
    addresses = {"/" + quote(file, safe="/+"): file for file in files}
    ending = "/index.json" if forms == "slash" else ".json"
    answers = [path for path, file in addresses.items() if str(address_form(file)) == forms]
    assert len(answers) > 25
    for host in HOSTS:
        for path in answers:
            found = redirected(rules, f"{path.removesuffix(ending)}/", host, list(addresses))
            assert found is not None, path
            assert (found.status, found.target) == (200, path)
            assert redirected(rules, path, host, list(addresses)) is None


def addresses_of(files: dict[str, bytes]) -> dict[str, str]:
    """Every address of a site that these hosts have, with its file: those with a slash come from `_redirects`."""
    found = {}
    for file in files:
        path = "/" + quote(file, safe="/+")
        if file in (*FILES, "404.html"):
            continue
        if file.startswith("api/") and file.endswith("/index.json"):
            found[path.removesuffix("index.json")] = file
        found[path.removesuffix("index.html")] = file
    return found


@pytest.mark.engine
def test_cloudflares_own_server_answers_each_address(registry: RepoBuilder, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert build(open_source(registry.root), Site(site)).files
    files = files_of(site)
    (tmp_path / "run").mkdir()
    with (
        cloudflare_pages(site.resolve(), tmp_path / "run") as address,
        closing(HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)) as connection,
    ):
        for path, file in addresses_of(files).items():
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, answer.read() == files[file]) == (200, True), path
            if file != ".nojekyll":
                sent = {name: value for name in headers_of(file) if (value := answer.headers[name])}
                expected = headers_of(file)
                if file.endswith(".js"):
                    expected["Content-Type"] = "application/javascript"  # the older name of the type
                assert sent == expected, path
        connection.request("GET", "/api/process_definition/999/")
        answer = connection.getresponse()
        assert (answer.status, b"This page does not exist" in answer.read()) == (404, True)
    log = (tmp_path / "run/log").read_text()
    assert f"Parsed {len(parse_redirects(files['_redirects'].decode()))} valid redirect rules" in log
    assert f"Parsed {len(parse_headers(files['_headers'].decode()))} valid header rules" in log


@pytest.mark.engine
def test_netlifys_own_engines_answer_each_address(registry: RepoBuilder, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert build(open_source(registry.root), Site(site)).files
    files = files_of(site)
    addresses = addresses_of(files)
    found = netlify_answers(site.resolve(), list(addresses))
    assert found["errors"] == []
    assert found["rules"] == [
        len(parse_headers(files["_headers"].decode())),
        len(parse_redirects(files["_redirects"].decode())),
    ]
    for path, file in addresses.items():
        answer = found["answers"][path]
        sent = {name.lower(): value for name, value in answer["headers"].items() if name != "Content-Type"}
        if file != ".nojekyll":
            expected = {
                name.lower(): value for name, value in headers_of(file).items() if name != "Content-Type"
            }
            assert {name: sent.get(name) for name in expected} == expected, path
        if path.endswith("/") and file.endswith(".json"):
            assert answer["status"] == 200, path
            assert files[answer["target"].removeprefix("/")] == files[file], path


def test_without_the_setting_the_site_lacks_both_files_and_nothing_else(
    registry: RepoBuilder, tmp_path: Path
) -> None:
    assert build(open_source(registry.root), Site(tmp_path / "with")).files
    kept = (registry.root / "registry.yaml").read_text()
    try:
        registry.write("registry.yaml", kept.replace("host_files: true\n", ""))
        assert build(open_source(registry.root), Site(tmp_path / "without")).files
        registry.write("registry.yaml", kept.replace("host_files: true\n", "host_files: false\n"))
        assert build(open_source(registry.root), Site(tmp_path / "refused")).files
    finally:
        registry.write("registry.yaml", kept)
    assert files_of(tmp_path / "with").keys() - files_of(tmp_path / "without").keys() == set(FILES)
    assert files_of(tmp_path / "refused").keys() == files_of(tmp_path / "without").keys()


def test_very_many_kinds_stay_within_the_rules_of_a_host(tmp_path: Path) -> None:
    repo = RepoBuilder(tmp_path / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\nhost_files: true\n")
    for number in range(110):
        repo.write(f"schema/kind_{number:03d}.schema.json", KIND)
    repo.define("a")
    repo.commit()
    assert build(open_source(repo.root), Site(tmp_path / "site")).files
    rules = parse_headers(files_of(tmp_path / "site")["_headers"].decode())
    assert len(rules) == 100
    assert headers_for(rules, "/api/kind_109/", "cloudflare")["cache-control"] == "no-cache"


@contextmanager
def host_of(folder: Path) -> Iterator[str]:
    """A host like Cloudflare Pages: the files for hosts are not served, and pages have addresses without .html."""

    class Host(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith((*FILES, "/.nojekyll")):
                self.send_error(404)
            elif self.path.endswith(".html"):
                self.send_response(308)
                self.send_header("Location", self.path.removesuffix(".html").removesuffix("index"))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path == "/404":
                self.path = "/404.html"
                super().do_GET()
            else:
                super().do_GET()

        def log_message(self, *_words: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_a_host_that_does_not_serve_its_rules_has_a_complete_site(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    www = tmp_path / "www"
    assert run("build", "-C", str(registry.root)).code == 0
    assert run("publish", f"folder:{www}", "-C", str(registry.root)).code == 0
    with host_of(www) as address:
        done = run("verify", address)
        assert (done.code, done.err) == (0, "")
        assert RegistryClient(address).sync(tmp_path / "mirror") == len(
            [path for path in files_of(www) if path not in (*FILES, ".nojekyll") and "_registry/" not in path]
        )
    assert RegistryClient(tmp_path / "mirror").get(1).id == 1
    (www / "_headers").unlink()
    done = run("verify", str(www))
    assert (done.code, "_headers is missing" in done.err) == (1, True)
