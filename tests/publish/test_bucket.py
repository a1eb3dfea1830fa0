"""Addresses of buckets, and errors of stores: one line that names no credential."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from registry.errors import RegistryError, UsageError
from registry.publish.bucket import open_s3
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t-word"}


@pytest.mark.parametrize(
    ("address", "variables", "message"),
    [
        ("s3:bucket", KEYS, "is not the address of a bucket"),
        ("s3://", KEYS, "is not the address of a bucket"),
        ("s3://bucket/a/../b", KEYS, "is not the address of a bucket"),
        ("s3://bucket/a?x", KEYS, "is not the address of a bucket"),
        ("s3://bucket/a", {}, "there are no credentials"),
        ("s3://bucket/a", {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}, "there are no credentials"),
        ("s3://bucket/a", {"AWS_ENDPOINT_URL": "https://s3.example.org"}, "there are no credentials"),
        ("s3://bucket", {**KEYS, "AWS_ENDPOINT_URL": "s3.example.org"}, "not the URL of a store"),
        ("s3://bucket", {**KEYS, "AWS_ENDPOINT_URL": "http://s3.example.org"}, "without TLS"),
        ("s3://bucket", {**KEYS, "AWS_ENDPOINT_URL": "https://a:s3cr3t-word@b.org"}, "contains a user name"),
    ],
)
def test_a_wrong_address_is_one_clear_line(address: str, variables: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        open_s3(address, variables)
    assert "s3cr3t-word" not in caught.value.message


def test_a_store_that_cannot_be_reached_is_one_clear_line(
    registry: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nothing listens
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(name, value)
        done = run("publish", "s3://bucket/prefix", "-C", str(registry.root))
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: the bucket s3://bucket/prefix: the store cannot be reached",
        "hint: check AWS_ENDPOINT_URL and the network",
    ]


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """A store that gives the same answer to every request; its endpoint."""

    class Store(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "AccessDenied", "access is denied"),
        (403, "", "access is denied"),
        (403, "SignatureDoesNotMatch", "the store does not accept the credentials"),
        (401, "", "the store does not accept the credentials"),
        (400, "ExpiredToken", "the credentials have expired"),
        (403, "RequestTimeTooSkewed", "the clocks of the store and of this machine differ"),
        (301, "PermanentRedirect", "the bucket is in another region"),
        (404, "NoSuchBucket", "there is no such bucket"),
        (418, "IAmATeapot", "the store gave an unexpected answer (HTTP 418 IAmATeapot)"),
    ],
)
def test_an_error_of_a_store_is_one_line_without_what_was_signed(
    status: int, code: str, message: str
) -> None:
    body = (
        f"<Error><Code>{code}</Code><AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId>"
        "<StringToSign>AWS4-HMAC-SHA256 s3cr3t-word</StringToSign></Error>"
    )
    with answering(status, body) as endpoint:
        bucket = open_s3("s3://bucket/prefix", {**KEYS, "AWS_ENDPOINT_URL": endpoint})
        for read in (lambda: bucket.read("x"), lambda: list(bucket.list("x"))):
            with pytest.raises(RegistryError) as caught:
                read()
            assert caught.value.message == f"the bucket s3://bucket/prefix: {message}"
            assert caught.value.__cause__ is None
