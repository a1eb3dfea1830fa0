"""Clients of a server with writes that are slow, idle, hostile or wrong: an answer or a closed connection, and others go on."""

import base64
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from pathlib import Path

import psutil
import pytest

from tests.check.test_hostile import KILLERS
from tests.support.waiting import PATIENCE_S, eventually
from tests.support.writing import LIST, PASSWORD, USER, Client, WriteServer

RUN = {"definition": {"exec": "/bin/x"}}
LOGIN = b"Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()) + b"\r\n"
HEAD = b"Host: localhost\r\n" + LOGIN + b"Content-Type: application/json\r\n"
POST = b"POST /api/process_definition/ HTTP/1.1\r\n" + HEAD
MIB = 1024 * 1024


def connect(server: WriteServer) -> socket.socket:
    port = int(server.address.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def resident(server: WriteServer) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def peak(server: WriteServer) -> int:
    """The largest resident memory so far, in bytes."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def read_all(connection: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    found = b""
    with suppress(ConnectionError):
        while chunk := connection.recv(65536):
            found += chunk
    return found


def error_of(answer: bytes) -> str:
    """The error in an answer, which is JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower(), answer
    found: str = json.loads(body)["error"]
    return found


def works(client: Client) -> bool:
    """Reads and writes go on."""
    number = client.post(RUN).id
    return client.get(number).status == 200 and client.get(LIST).status == 200


# Slow and idle clients


def test_slow_headers_and_bodies_are_ended_while_others_write(server: WriteServer, client: Client) -> None:
    starts = {
        "headers": (b"POST /api/process_definition/ HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n"),
        "body": (POST + b"Content-Length: 1000\r\n\r\n", b" "),
        "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    }
    head = client.get(LIST).json["meta"]["total_count"]
    written = 0
    with ExitStack() as stack:
        waiting = {name: stack.enter_context(connect(server)) for name in starts}
        for name, connection in waiting.items():
            connection.sendall(starts[name][0])
            connection.settimeout(0.01)
        answers: dict[str, bytes] = {}
        deadline = time.monotonic() + 2 * PATIENCE_S
        while waiting:
            assert time.monotonic() < deadline, f"still open: {list(waiting)}"
            for name, connection in list(waiting.items()):
                try:
                    connection.sendall(starts[name][1])
                    found = connection.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    found = b""
                answers[name] = found
                del waiting[name]
            assert works(client)
            written += 1
            time.sleep(0.3)
    assert all(not answer or b"408 Request Timeout" in answer for answer in answers.values()), answers
    assert any(error_of(answer) == "the request took too long" for answer in answers.values() if answer)
    assert client.get(LIST).json["meta"]["total_count"] == head + written


def test_nine_hundred_idle_connections_keep_no_one_out(server: WriteServer, client: Client) -> None:
    """The server keeps at most 256 open: it closes the one that has been idle longest for a new one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1200 if hard == resource.RLIM_INFINITY else min(1200, hard)
    if wanted < 1200:
        pytest.skip("needs 1,200 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with ExitStack() as stack:
            for number in range(900):
                connection = stack.enter_context(connect(server))
                if number % 2:
                    connection.sendall(b"POST /api/process_definition/ HTTP/1.1\r\n")
                if number % 100 == 0:
                    assert works(client)
            assert all(works(client) for _ in range(3))
            assert psutil.Process(server.process.pid).num_fds() < 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Large bodies and wrong lengths


def test_a_body_of_100_megabytes_is_refused_early_in_constant_memory(
    server: WriteServer, client: Client
) -> None:
    assert works(client)
    before = peak(server)
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 104857600\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")  # before the body
    piece = b" " * 65536
    # Many clients send the whole body before they read the answer.
    assert client.post(iter([piece] * 1600)).status == 413
    assert client.send("POST", LIST, piece * 1600).status == 413
    assert server.client(login="").send("POST", LIST, piece * 1600).status == 401
    with connect(server) as connection, suppress(ConnectionError):
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        while sent < 1000 * MIB:
            connection.sendall(b"10000\r\n" + piece + b"\r\n")
            sent += len(piece)
    assert sent < 200 * MIB
    assert peak(server) - before < 20 * MIB
    assert works(client)


def test_the_reason_is_read_before_the_rest_of_a_large_body(server: WriteServer) -> None:
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 600000\r\n\r\n" + b" " * 600_000)
        # Headers and body can arrive in two parts.
        answer = HTTPResponse(connection)
        answer.begin()
        assert (answer.status, b"512 KiB" in answer.read()) == (413, True)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (b"Content-Length: 1000\r\n", b'{"definition": {"exec": "/x"}}', None),
        (b"Content-Length: 5\r\n", b'{"definition": {"exec": "/x"}}', 400),
        (b"Content-Length: 0\r\n", b'{"definition": {"exec": "/x"}}', 400),
        (b"Content-Length: 1e2\r\n", b"{}", 400),
        (b"Content-Length: +2\r\n", b"{}", 400),
        (b"Content-Length: 99999999999999999999\r\n", b"{}", 400),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}", 400),
        (b"Content-Length: 2, 2\r\n", b"{}", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked, identity\r\n", b"2\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: gzip\r\n", b"{}", 400),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", b"10\r\n{}", None),
        (b"Transfer-Encoding: chunked\r\n", b"-2\r\n{}\r\n0\r\n\r\n", 400),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_length_that_is_not_true_writes_nothing(
    server: WriteServer, client: Client, headers: bytes, body: bytes, status: int | None
) -> None:
    """`status` None: the rest of the body never comes."""
    head, log = server.head(), len(server.log.read_text())
    with connect(server) as connection:
        connection.sendall(POST + headers + b"\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    if status is not None:
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
        first = answer.partition(b"HTTP/1.1 4")[2].partition(b"HTTP/1.1")[0]
        assert b'"error"' in first
    else:
        assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer
    assert server.head() == head
    assert works(client)
    assert "bug:" not in server.log.read_text()[log:]


def test_requests_in_one_piece_are_answered_in_order(server: WriteServer, client: Client) -> None:
    def post(name: str) -> bytes:
        body = json.dumps({**RUN, "name": name}).encode()
        return POST + b"Content-Length: %d\r\n\r\n" % len(body) + body

    names = [f"pipelined/n{number}" for number in range(8)]
    read = b"GET /api/process_definition/by-name/pipelined/n7/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(b"".join(map(post, [*names, "pipelined/n0"])) + read)
        answers = read_all(connection).split(b"HTTP/1.1 ")[1:]
    assert [int(one[:3]) for one in answers] == [201] * 8 + [409, 200]
    assert json.loads(answers[-1].partition(b"\r\n\r\n")[2])["name"] == "pipelined/n7"
    ids = [client.get(f"{LIST}by-name/{name}/").json["id"] for name in names]
    assert ids == sorted(ids)


def test_a_protocol_that_the_server_does_not_have_loses_no_body_silently(
    server: WriteServer, client: Client
) -> None:
    """curl --http2 sends these; without a body they are answered as usual."""
    body = json.dumps(RUN).encode()
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    head = server.head()
    with connect(server) as connection:
        connection.sendall(POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1  # the body is no second request
    assert "without the header Upgrade" in error_of(answer)
    assert server.head() == head
    with connect(server) as connection:
        connection.sendall(b"GET /api/ HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert works(client)


def test_a_client_that_waits_for_100_gets_the_refusal_instead(server: WriteServer) -> None:
    for length, expected in ((100, b"HTTP/1.1 100 "), (100 * MIB, b"HTTP/1.1 413 ")):
        with connect(server) as connection:
            connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
            assert connection.recv(65536).startswith(expected)


@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "QUERY", "LOCK"])
def test_other_methods_are_refused_with_those_of_the_address(client: Client, method: str) -> None:
    number = client.post(RUN).id
    answer = client.send(method, f"{LIST}{number}/")
    assert answer.status in (400, 405)
    if answer.status == 405:
        assert answer.json["error"] == f"{method} is not possible at this address"
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"


# Addresses


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e%2f%2e%2e%2fetc/passwd",
        "/api/process_definition/%2e%2e%2f1/",
        "/api/process_definition/..%2f..%2f/",
        "/api/process_definition/%00/",
        "/api/process_definition/1%00/",
        "/api/process_definition/by-name/%00",
        "/api/process_definition/by-name/%2e%2e%2f%2e%2e%2fregistry.yaml/",
        "/api/process_definition/by-name/%ff%fe/",
        "/api/process_definition/by-name/%ed%a0%80/",
        "/api/process_definition/1/restore/%2e%2e/",
        "/api/process_definition/%0d%0aX-Injected:%20yes/",
        "/api/process_definition//1/",
        "//evil.example/api/process_definition",
        "/api/process_definition/" + "9" * 5000 + "/",
        "/api/process_definition/%31/%2e%2e/",
    ],
)
def test_hostile_addresses_find_nothing_and_write_nothing(
    server: WriteServer, client: Client, method: str, path: str
) -> None:
    head = server.head()
    answer = client.send(method, path, RUN if method in ("PUT", "PATCH", "POST") else None)
    assert answer.status in ((200, 404) if method == "OPTIONS" else (400, 404, 405)), answer
    assert b"root:" not in answer.body
    assert "x-injected" not in answer.headers
    assert not answer.headers.get("location", "/").startswith("//")
    assert server.head() == head


# Logins


def test_a_hundred_bad_logins_at_once_cost_little_memory(server: WriteServer, client: Client) -> None:
    assert works(client)
    before, statuses, done = resident(server), list[int](), threading.Event()
    lock = threading.Lock()
    most = before

    def log_in(number: int) -> None:
        answer = server.client(f"user{number}:wrong-{number}").post(RUN)
        with lock:
            statuses.append(answer.status)

    def watch() -> None:
        nonlocal most
        while not done.wait(0.01):
            most = max(most, resident(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=log_in, args=(number,)) for number in range(100)]
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        assert client.get(LIST).status == 200
    for one in threads:
        one.join(PATIENCE_S)
    done.set()
    watcher.join(PATIENCE_S)
    assert len(statuses) == 100
    assert set(statuses) <= {401, 429, 503}
    assert most - before < 100 * MIB


# Contents


def _texts() -> Iterator[tuple[str, str]]:
    for name, data in KILLERS.items():
        yield name, data.decode("utf-8", "replace")
    corpus = Path(__file__).parents[1] / "corpus"
    for path in sorted(corpus.rglob("*.yaml")):
        yield f"{path.parent.name}/{path.name}", path.read_bytes().decode("utf-8", "replace")


def test_hostile_texts_are_stored_or_refused(server: WriteServer, client: Client) -> None:
    """As value, key, argument, title and name: never 5xx, and what is stored comes back."""
    stored = 0
    for name, text in _texts():
        for body in (
            {"definition": text},
            {"definition": {"exec": "/bin/x", "x-text": text}},
            {"definition": {"exec": text, "argv": [text]}},
            {"definition": {"exec": "/bin/x", f"x-{text[:2000]}": 1}},
            {**RUN, "name": text},
            {**RUN, "title": text, "description": text, "tags": [text]},
            {"definition": {"exec": "/bin/x", "process_name": text}},
        ):
            answer = client.post(body)
            assert answer.status in (201, 400, 409, 413, 422), (name, answer.status, answer.body[:500])
            if answer.status == 201:
                stored += 1
                assert client.get(answer.id).json["definition"] == body["definition"], name
            else:
                assert set(answer.json) <= {"error", "problems"}
    assert stored > 20
    # As a body of its own.
    for name, data in KILLERS.items():
        assert client.post(data).status in (400, 413), name
    assert works(client)
    log = server.log.read_text()
    assert "bug:" not in log
    eventually(lambda: client.get("/_live/ready").status == 200)
