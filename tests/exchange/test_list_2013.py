"""The list of a 2013 service by its address: from a server that answers as the service did, and from our own."""

import base64
import functools
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from registry.errors import UsageError
from registry.exchange.list_2013 import Login, read_list, user_of
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.served import served

LIST = "/api/process_definition/"
Answer = tuple[int, dict[str, str], bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # all answers are complete when the server is closed


@contextmanager
def serving(answer: Callable[[str, str], Answer], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Address of a server on this machine. `answer` gets the path and the header Authorization."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


OBJECTS = [
    {"definition": {"exec": f"/opt/p{n}", "args": ["-a"]}, "id": n, "resource_uri": f"{LIST}{n}/"}
    for n in (*range(1, 45), 60)
]


def as_in_2013(path: str, login: str) -> Answer:
    """The answer of the 2013 service: a login, a slash at the end, pages of 20, `next` without a host."""
    parts = urlsplit(path)
    if not parts.path.endswith("/"):
        return 301, {"Location": f"{parts.path}/?{parts.query}"}, b""
    if login != "Basic " + base64.b64encode(b"admin:s3cret:word").decode():
        return 401, {"WWW-Authenticate": 'Basic Realm="django-tastypie"'}, b""
    if parts.path != LIST:
        return 404, {"Content-Type": "text/html; charset=utf-8"}, b""
    query = parse_qs(parts.query)
    limit, offset = int(query.get("limit", ["20"])[0]), int(query.get("offset", ["0"])[0])
    is_last = offset + limit >= len(OBJECTS)
    following = None if is_last else f"{LIST}?limit={limit}&offset={offset + limit}"
    meta = {
        "limit": limit,
        "next": following,
        "offset": offset,
        "previous": None,
        "total_count": len(OBJECTS),
    }
    return 200, {"Content-Type": "application/json"}, json.dumps(
        {"meta": meta, "objects": OBJECTS[offset : offset + limit]}
    ).encode()  # fmt: skip


def test_all_pages_are_imported_with_their_ids(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repo.root / "definitions").mkdir()
    monkeypatch.setenv("REGISTRY_IMPORT_PASSWORD", "s3cret:word")
    with serving(as_in_2013) as address:
        given = address.replace("//", "//admin@") + LIST.rstrip("/")
        outcome = run("import", given, "--folder", "old", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert "45 imported" in outcome.out
    assert "s3cret" not in outcome.out + outcome.err
    files = sorted((repo.root / "definitions/process_definition/old").iterdir())
    assert [file.name for file in files] == sorted(f"p{one['id']}-{one['id']}.yaml" for one in OBJECTS)
    assert "id: 60\n" in (repo.root / "definitions/process_definition/old/p60-60.yaml").read_text()
    assert "argv: [-a]" in files[0].read_text()


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("", None, "it needs a login: name the user"),
        ("admin@", "wrong", "the password is wrong"),
        ("admin@", None, "set the variable REGISTRY_IMPORT_PASSWORD"),
        ("admin:s3cret@", None, "the address contains a password"),
    ],
)
def test_a_login_that_does_not_fit_is_explained(
    repo: RepoBuilder,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    password: str | None,
    said: str,
) -> None:
    (repo.root / "definitions").mkdir()
    monkeypatch.delenv("REGISTRY_IMPORT_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("REGISTRY_IMPORT_PASSWORD", password)
    with serving(as_in_2013) as address:
        outcome = run("import", address.replace("//", f"//{user}") + LIST, "-C", str(repo.root))
    assert (outcome.code, said in outcome.err) == (2, True), outcome.err
    assert "s3cret" not in outcome.out + outcome.err


def page(objects: list[Any], following: str | None = None, total: int | None = None) -> Answer:
    """A page of a list."""
    meta = {"next": following, "total_count": len(objects) if total is None else total}
    return 200, {}, json.dumps({"meta": meta, "objects": objects}).encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (page([], "http://other.example.org/x/"), "is on another host, other.example.org"),
        (page([], "ftp://127.0.0.1/x/"), "is on another host"),
        ((200, {}, b'{"objects": [], "meta": {"next": 5}}'), "its `next` is not an address"),
        ((200, {}, b'{"objects": [], "objects": [], "meta": {}}'), f"{LIST}: duplicate key `objects`"),
        ((200, {}, b'{"objects": [{"id": NaN}], "meta": {}}'), f"{LIST}: `NaN` is not a valid JSON number"),
        (page([], LIST), "its pages point at each other"),
        (page([{"id": 1}], total=2), "the list changed meanwhile"),
        (page([{"id": 1}, {"id": 1}]), "the list changed meanwhile"),
        ((302, {"Location": "http://other.example.org/"}, b""), "moved to another host"),
        ((302, {"Location": LIST}, b""), "HTTP 302"),
        ((500, {}, b""), "answers HTTP 500"),
        ((404, {}, b""), "give the address of the list"),
        ((200, {}, b"<html>"), "is not JSON"),
        ((200, {}, b"[]"), "is not a JSON object"),
        ((200, {}, b'{"objects": []}'), "has no `objects` and `meta`"),
        ((200, {"Content-Encoding": "gzip"}, b"{}"), "is compressed"),
        ((200, {"Content-Length": "5"}, b"{}"), "cannot be read"),
    ],
)
def test_what_is_no_list_of_one_host_is_refused(answer: Answer, said: str) -> None:
    with serving(lambda *_: answer) as address, pytest.raises(UsageError) as refused:
        read_list(address + LIST, Login("a", "b"))
    assert said in f"{refused.value.message} {refused.value.hint}"


def test_a_long_list_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.exchange.list_2013._MAX_BYTES", 10_000)
    large = page([{"a": "x" * 20_000}])
    with serving(lambda *_: large) as address, pytest.raises(UsageError, match="more than 10,000 bytes"):
        read_list(address + LIST, None)
    monkeypatch.undo()
    monkeypatch.setattr("registry.exchange.list_2013._DEADLINE_S", -1.0)
    with serving(lambda *_: page([])) as address, pytest.raises(UsageError, match="took more than"):
        read_list(address + LIST, None)


def test_a_host_without_a_server_and_a_bad_address_are_refused() -> None:
    with serving(as_in_2013) as address:
        pass
    with pytest.raises(UsageError, match="cannot be read"):
        read_list(address + LIST, None)
    for bad in ("http://", "http://[x/", "http://h:99999/", "http://a b/", "http://h/\n"):
        with pytest.raises(UsageError, match="is not an address"):
            user_of(bad)


def test_a_certificate_must_be_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(as_in_2013, context) as plain:
        address = plain.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(UsageError, match="certificate verify failed"):
            read_list(address + LIST, Login("admin", "s3cret:word"))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert len(json.loads(read_list(address + LIST, Login("admin", "s3cret:word")))["objects"]) == 45


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Files with a certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_the_live_server_and_a_static_site_are_sources_too(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    repo.define("app", kind="application")
    for number in range(22):
        repo.define(f"weather/p{number}")
    repo.define(
        "weather/p22",
        "title: Old\nowners: [a]\nlifecycle: deprecated\n"
        "deprecation: {since: '2026-01-01', replaced_by: weather/p1}\n"
        "definition: {exec: /bin/x, application: app}\n",
    )
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    repo.commit()
    expected = {
        path.relative_to(repo.root): path.read_bytes() for path in (repo.root / "definitions").rglob("*.yaml")
    }
    site = tmp_path / "site"
    assert run("build", "-C", str(repo.root), "--out", str(site)).code == 0
    handler = functools.partial(_Quiet, directory=str(site))
    with served(repo.root) as (live, _), _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            for place, address in (("live", live), ("static", f"http://127.0.0.1:{server.server_port}")):
                copy = tmp_path / place
                (copy / "definitions").mkdir(parents=True)
                lists = [f"{address}/api/{kind}/" for kind in ("process_definition", "application")]
                outcome = run("import", *lists, "-C", str(copy))
                assert outcome.code == 0, outcome.err
                found = {path.relative_to(copy) for path in (copy / "definitions").rglob("*.yaml")}
                assert found == set(expected)
                assert run("check", "-C", str(copy)).code == 0
                below = run("import", *lists, "--new-ids", "--folder", "copied", "-C", str(copy))
                assert below.code == 0, below.err
                text = (copy / "definitions/process_definition/copied/weather/p22.yaml").read_text()
                assert "replaced_by: copied/weather/p1" in text
                assert "application: copied/app" in text
                assert run("check", "-C", str(copy)).code == 0
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    index_pages = ("index.html", "index.json")

    def send_head(self) -> Any:
        if self.path.startswith("/api/") and self.path.endswith("/"):
            self.path += "index.json"
        return super().send_head()

    def log_message(self, *_: object) -> None:
        pass
