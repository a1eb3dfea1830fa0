"""The client against a static host (nginx), the live server, a folder and a mirror."""

import hashlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from registry import client as client_module
from registry.cli import main
from registry.client import (
    BadSignature,
    ClientError,
    Gone,
    NotFound,
    RegistryClient,
    Rollback,
    Unavailable,
)
from registry.load.settings import Settings
from registry.scaffold.webserver import webserver_config
from tests.support.nginx import answering, free_port, nginx
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S


def build(repo: RepoBuilder) -> None:
    """Assign ids and build."""
    assert main(["index", "-C", str(repo.root)]) == 0
    assert main(["build", "-C", str(repo.root)]) == 0


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Three definitions, one with two revisions, one deleted."""
    repo = RepoBuilder(tmp_path_factory.mktemp("client") / "repo")
    repo.write(".gitignore", "/site\n/.site.generations/\n/.registry/\n")
    for name in ("weather/rain", "weather/snow", "old"):
        repo.define(name)
    repo.commit("Add")
    build(repo)
    path = "definitions/process_definition/weather/rain.yaml"
    repo.write(path, (repo.root / path).read_text().replace("title: Rain", "title: Heavy rain\ntags: [wet]"))
    (repo.root / "definitions/process_definition/old.yaml").unlink()
    repo.commit("Change one, delete one")
    build(repo)
    return repo


@pytest.fixture(scope="module", params=["nginx", "serve", "folder", "below a path"])
def place(
    request: pytest.FixtureRequest, registry: RepoBuilder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the registry is read."""
    port = free_port()
    if request.param == "folder":
        yield str(registry.root / "site")
    elif request.param == "serve":
        command = [sys.executable, "-m", "registry", "serve", "-C", str(registry.root), "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with answering(process, port) as address:
            yield address
    else:
        base = "/reg/" if request.param == "below a path" else "/"
        folder = tmp_path_factory.mktemp("nginx")
        settings = Settings(base_url=f"https://example.org{base}")
        block = webserver_config("nginx", registry.root / "site", settings, f"127.0.0.1:{port}")
        with nginx(block, port, folder / "run") as address:
            yield address + base


def ids(repo: RepoBuilder) -> dict[str, int]:
    """The ids by name."""
    lines = (repo.root / "site/api/ledger.ndjson").read_text().splitlines()
    return {one["name"]: one["id"] for one in map(json.loads, lines)}


def test_a_definition_is_found_by_id_and_name(registry: RepoBuilder, place: str) -> None:
    with RegistryClient(place) as client:
        one = client.get("weather/rain")
        assert one.id == ids(registry)["weather/rain"]
        assert client.get(one.id) == one
        assert (one.name, one.body["title"], one.definition) == (
            *("weather/rain", "Heavy rain"),
            {"exec": "/bin/rain"},
        )
        assert [each.name for each in client] == ["weather/rain", "weather/snow"]
        assert [each.name for each in client.find(tag="wet")] == ["weather/rain"]
        assert [each.name for each in client.find(exec="/bin/snow")] == ["weather/snow"]
        assert client.snapshot()["commit"] == registry.git("rev-parse", "HEAD")
        for missing in (999, "nothing"):
            with pytest.raises(NotFound):
                client.get(missing)


def test_history_and_revisions(place: str) -> None:
    with RegistryClient(place) as client:
        history = client.history("weather/rain")
        numbers = [one.number for one in history]
        assert numbers == sorted(numbers, reverse=True)
        assert (history[0].author, history[0].message.strip()) == ("Ana Autor", "Change one, delete one")
        first = client.revision("weather/rain", 1)
        assert first.body["document"]["title"] == "Rain"
        with pytest.raises(NotFound):
            client.revision("weather/rain", 99)


def test_a_deleted_definition_is_gone(registry: RepoBuilder, place: str) -> None:
    with RegistryClient(place) as client, pytest.raises(Gone) as error:
        client.get(ids(registry)["old"])
    assert error.value.tombstone["last_definition"] == {"exec": "/bin/old"}


def test_the_file_works_as_a_copy_without_any_package(registry: RepoBuilder, tmp_path: Path) -> None:
    copy = tmp_path / "registry_client.py"
    shutil.copyfile(client_module.__file__, copy)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from registry_client import RegistryClient\n"
        "print(RegistryClient(sys.argv[1]).get('weather/rain').definition['exec'])\n"
    )
    words = [sys.executable, "-I", "-S", "-c", program, str(registry.root / "site")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.stdout, done.stderr) == ("/bin/rain\n", "")


class _Flaky(BaseHTTPRequestHandler):
    """Answers each address with what the test put into `answers`: statuses, the last one for good."""

    answers: list[int]
    asked: list[str | None]
    paths: list[str]
    moved_to: str

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.asked.append(self.headers["If-None-Match"])
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status == 200 and self.headers["If-None-Match"] == '"1"':
            status = 304
        body = b'{"id": 1, "name": "a", "definition": {}}' if status == 200 else b""
        self.send_response(status)
        self.send_header("ETag", '"1"')
        if status in (301, 308):
            self.send_header("Location", self.moved_to)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Quiet."""


@pytest.fixture
def flaky() -> Iterator[tuple[str, type[_Flaky]]]:
    """A host that fails as it is told."""
    handler = type("Handler", (_Flaky,), {"answers": [200], "asked": [], "paths": [], "moved_to": ""})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", handler
        server.shutdown()
        thread.join(PATIENCE_S)


def test_failures_are_tried_again_and_answers_are_kept(
    flaky: tuple[str, type[_Flaky]], tmp_path: Path
) -> None:
    address, host = flaky
    host.answers = [503, 502, 200]
    with RegistryClient(address, cache=tmp_path, stale_ok_s=3600) as client:
        assert client.get(1).name == "a"
        host.asked.clear()
        assert client.get(1).name == "a"
        assert host.asked == ['"1"']
        host.answers = [503]
        stale = client.get(1)
        assert stale.name == "a"
        assert stale.age_s > 0
    with RegistryClient(address, cache=tmp_path) as client, pytest.raises(Unavailable):
        client.get(1)


@pytest.mark.parametrize("status", [301, 308])
def test_a_redirect_is_followed_once_and_only_within_the_site(
    flaky: tuple[str, type[_Flaky]], status: int
) -> None:
    address, host = flaky
    below = f"{address}below/"
    host.moved_to = "/below/api/process_definition/2.json"
    host.answers = [status, 200]
    with RegistryClient(below) as client:
        assert client.get(1).name == "a"
    assert host.paths[1] == "/below/api/process_definition/2.json"
    for elsewhere in (
        "http://registry.invalid/below/x.json",
        "/api/process_definition/2.json",
        "//registry.invalid/",
    ):
        host.paths.clear()
        host.moved_to, host.answers = elsewhere, [status]
        with RegistryClient(below) as client, pytest.raises(Unavailable, match=f"moved to {elsewhere}"):
            client.get(1)
        assert host.paths == ["/below/api/process_definition/1.json"]


def test_a_host_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    for place in (f"http://127.0.0.1:{free_port()}/", str(tmp_path / "nothing")):
        with RegistryClient(place, timeout_s=5) as client, pytest.raises(Unavailable):
            client.get(1)


def test_a_proxy_is_asked_for_the_whole_address(
    flaky: tuple[str, type[_Flaky]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, host = flaky
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.delenv("no_proxy", raising=False)
    with RegistryClient("http://registry.invalid/below/") as client:
        assert client.get(1).name == "a"
    assert host.paths == ["http://registry.invalid/below/api/process_definition/1.json"]


def test_a_mirror_never_removes_or_writes_files_of_others(registry: RepoBuilder, tmp_path: Path) -> None:
    www, home = tmp_path / "www", tmp_path / "home"
    assert main(["publish", f"folder:{www}", "-C", str(registry.root)]) == 0
    home.mkdir()
    (home / "precious.txt").write_text("mine")
    with pytest.raises(ClientError, match="files of others"):
        RegistryClient(www).sync(home)
    assert [one.name for one in home.iterdir()] == ["precious.txt"]
    hostile = tmp_path / "hostile"
    shutil.copytree(www, hostile)
    root = json.loads((hostile / "_registry/root.json").read_text())
    path = "../home/precious.txt"
    leaf = hashlib.sha256(path.encode()).hexdigest()[:2]
    line = f"{hashlib.sha256(b'evil').hexdigest()} 4 {path}\n".encode()
    (hostile / f"_registry/tree/{leaf}").write_bytes(line)
    root["leaves"][int(leaf, 16)] = hashlib.sha256(line).hexdigest()
    (hostile / "_registry/root.json").write_text(json.dumps(root))
    (tmp_path / "home/precious.txt").write_text("evil")
    with pytest.raises(BadSignature, match="outside of the site"):
        RegistryClient(hostile).sync(tmp_path / "mirror")


def test_a_mirror_is_read_like_the_site_and_follows_it(registry: RepoBuilder, tmp_path: Path) -> None:
    www, mirror = tmp_path / "www", tmp_path / "mirror"
    assert main(["publish", f"folder:{www}", "-C", str(registry.root)]) == 0
    client = RegistryClient(www)
    assert client.sync(mirror) > 50
    assert client.sync(mirror) == 0
    assert RegistryClient(mirror).get("weather/rain") == client.get("weather/rain")
    assert main(["verify", str(mirror)]) == 0


def test_verified_answers(registry: RepoBuilder, tmp_path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(command, check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"ci@example.org {(tmp_path / 'key.pub').read_text()}")
    www = tmp_path / "www"
    words = ["publish", f"folder:{www}", "-C", str(registry.root), "--sign", str(tmp_path / "key")]
    assert main(words) == 0
    old = tmp_path / "old"
    RegistryClient(www).sync(old)
    registry.define(f"new{tmp_path.name}")
    registry.commit("Add another")
    build(registry)
    assert main(words) == 0

    def client(place: Path) -> RegistryClient:
        found = RegistryClient(place, cache=tmp_path / "cache", verify=signers)
        # The cache is by address: the mirror stands for the same registry.
        vars(found)["_cache"]._folder = tmp_path / "cache/same"
        return found

    assert client(www).get("weather/rain").name == "weather/rain"
    with pytest.raises(Rollback):
        client(old).get("weather/rain")
    changed = tmp_path / "changed"
    RegistryClient(www).sync(changed)
    page = changed / "api/process_definition/by-name/weather/rain.json"
    page.write_bytes(page.read_bytes().replace(b"/bin/rain", b"/bin/evil"))
    with pytest.raises(BadSignature):
        client(changed).get("weather/rain")
    (changed / "_registry/root.json.sig").unlink()
    with pytest.raises(BadSignature):
        client(changed).get("weather/snow")
    signers.write_text("someone valid-before=20300101 ssh-ed25519 AAAA\n")
    with pytest.raises(ClientError, match="options"):
        client(www).get("weather/rain")
