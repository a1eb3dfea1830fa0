"""What the live server refuses: other hosts' names, other origins, slow and numerous clients, endless addresses. Over real sockets."""

import http.client
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from registry.errors import UsageError
from registry.server.cors import CorsPolicy
from registry.server.hosts import AllowedHosts
from registry.server.listening import url_host
from tests.server.test_http_contract import ask
from tests.support.nginx import free_port
from tests.support.repo import RepoBuilder
from tests.support.served import eventually, served

LIST = "/api/process_definition/"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    repo = RepoBuilder(tmp_path_factory.mktemp("guards") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.write(".gitignore", "/.registry/\n")
    for number in range(3):
        repo.define(f"g/p{number}")
    repo.commit("add")
    return repo


@pytest.fixture(scope="module")
def running(root: RepoBuilder) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A server on a loopback address, everything committed."""
    with served(root.root) as found:
        yield found


@pytest.fixture(scope="module")
def address(running: tuple[str, "subprocess.Popen[bytes]"]) -> str:
    return running[0]


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE_S)


def raw(address: str, request: bytes) -> bytes:
    """What comes back for these bytes, until the server closes the connection."""
    with connect(address) as connection:
        connection.sendall(request)
        return until_closed(connection)


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionError):
        while more := connection.recv(65536):
            received += more
    return received


class TestHosts:
    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "192.0.2.7",
            "0.0.0.0",
            "[2001:db8::1]:8000",
            "evil.example@127.0.0.1",
            "",
            "a b",
        ],
    )
    @pytest.mark.parametrize("path", ["/", LIST, "/_live/events", "/api/nothing/"])
    def test_a_name_that_somebody_else_can_point_here_is_refused(
        self, address: str, host: str, path: str
    ) -> None:
        answer = ask(address, path, headers={"Host": host})
        assert answer.status == 403
        assert b"p0" not in answer.body
        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize("method", ["OPTIONS", "POST", "HEAD"])
    def test_so_is_any_method(self, address: str, method: str) -> None:
        assert ask(address, LIST, method, {"Host": "evil.example"}).status == 403

    def test_the_answer_names_the_option_that_allows_it(self, address: str) -> None:
        assert (
            b"--allow-host registry.example.org"
            in ask(address, "/", headers={"Host": "Registry.example.org:8000"}).body
        )

    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "localhost:1",
            "LOCALHOST",
            "localhost.",
            "app.localhost",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:8000",
        ],
    )
    def test_names_of_this_machine_are_answered(self, address: str, host: str) -> None:
        assert ask(address, LIST, headers={"Host": host}).status == 200

    def test_several_host_headers_or_none_are_malformed(self, address: str) -> None:
        two = raw(
            address, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )
        assert two.startswith(b"HTTP/1.1 400 ")
        assert raw(address, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert raw(address, b"GET /api/ HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")

    def test_a_named_host_is_answered_and_no_other(self, root: RepoBuilder) -> None:
        with served(root.root, "--allow-host", "registry.example.org") as (address, _):
            assert ask(address, LIST, headers={"Host": "registry.example.org"}).status == 200
            assert ask(address, LIST, headers={"Host": "127.0.0.1"}).status == 200
            assert ask(address, LIST, headers={"Host": "other.example.org"}).status == 403

    def test_a_server_for_a_network_answers_to_any_name_unless_hosts_are_named_or_it_is_reached_from_this_machine(
        self,
    ) -> None:
        everywhere = AllowedHosts("0.0.0.0")
        assert everywhere.allows("registry.example.org", "192.0.2.1")
        assert not everywhere.allows("evil.example", "127.0.0.1")
        assert not everywhere.allows("evil.example", "::ffff:127.0.0.1")
        assert everywhere.allows(socket.gethostname(), "127.0.1.1")
        named = AllowedHosts("0.0.0.0", ["registry.example.org"])
        assert named.allows("registry.example.org:8000", "192.0.2.1")
        assert not named.allows("evil.example", "192.0.2.1")
        assert AllowedHosts("192.0.2.1", ["a.example"]).allows("192.0.2.1:8000", "192.0.2.1")


class TestCors:
    def test_what_is_committed_may_be_read_and_what_is_not_may_not(self, tmp_path: Path) -> None:
        repo = RepoBuilder(tmp_path / "repo")
        repo.write("registry.yaml", "registry_id: registry-1\n")
        repo.write(".gitignore", "/.registry/\n")
        repo.define("a")
        repo.commit("add")

        with served(repo.root) as (address, _):
            asked = {"Origin": "https://evil.example"}

            def allowed(path: str = LIST, method: str = "GET") -> str | None:
                return ask(address, path, method, asked).headers.get("access-control-allow-origin")

            assert (
                allowed(),
                allowed("/api/nothing/"),
                allowed(f"{LIST}?limit=x"),
                allowed(LIST, "POST"),
            ) == ("*",) * 4
            repo.define("a", "title: A\nowners: [t]\ndefinition: {exec: /bin/secret-plan}\n")
            eventually(
                lambda: b"secret-plan" in ask(address, f"{LIST}by-name/a/").body, "the edit", PATIENCE_S
            )
            for path in (
                LIST,
                f"{LIST}by-name/a/",
                f"{LIST}?limit=1",
                f"{LIST}?limit=x",
                "/api/nothing/",
                "/api/snapshot.json",
            ):
                assert allowed(path) is None, path
            assert (allowed(LIST, "OPTIONS"), allowed(LIST, "POST")) == (None, None)
            repo.commit("the plan")
            eventually(lambda: allowed() == "*", "the commit", PATIENCE_S)

    def test_without_a_repository_nothing_is_committed(self, tmp_path: Path) -> None:
        (tmp_path / "reg/definitions/process_definition").mkdir(parents=True)
        (tmp_path / "reg/definitions/process_definition/a.yaml").write_text(
            "title: A\nowners: [t]\ndefinition: {exec: /bin/a}\n"
        )
        with served(tmp_path / "reg") as (address, _):
            assert "access-control-allow-origin" not in ask(address, LIST).headers

    def test_a_named_origin_may_read_everything_and_no_other(self, root: RepoBuilder) -> None:
        with served(root.root, "--cors", "https://App.example.org:443/") as (address, _):
            for path in (LIST, f"{LIST}?limit=1", "/api/nothing/"):
                mine = ask(address, path, headers={"Origin": "https://app.example.org"})
                assert mine.headers["access-control-allow-origin"] == "https://app.example.org"
                assert "origin" in mine.headers["vary"].lower()
                other = ask(address, path, headers={"Origin": "https://evil.example"})
                assert "access-control-allow-origin" not in other.headers
                assert "origin" in other.headers["vary"].lower()
            assert (
                "access-control-allow-origin"
                not in ask(address, "/", headers={"Origin": "https://app.example.org"}).headers
            )

    def test_a_preflight_is_answered_where_reading_is_offered(self, address: str) -> None:
        asked = {
            "Origin": "https://app.example.org",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "if-none-match, x-mine",
        }
        answer = ask(address, LIST, "OPTIONS", asked)
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "GET" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-allow-headers"] == "if-none-match, x-mine"
        assert "POST" not in answer.headers["access-control-allow-methods"] + answer.headers["allow"]

    @pytest.mark.parametrize(
        "origin",
        [
            "example.org",
            "https://",
            "https://a/b",
            "https://*.example.org",
            "null",
            "ftp://a",
            "https://a\r\nx: y",
        ],
    )
    def test_what_is_no_origin_is_wrong_use(self, origin: str) -> None:
        with pytest.raises(UsageError, match="is not an origin"):
            CorsPolicy([origin])


class TestLimits:
    def test_addresses_that_do_not_exist_cost_no_memory(
        self, running: tuple[str, "subprocess.Popen[bytes]"]
    ) -> None:
        address, process = running

        def resident_kib() -> int:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

        if not Path("/proc/self/status").exists():
            pytest.skip("needs /proc")
        rng = random.Random(1)
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)

        def ask_for_many(count: int) -> None:
            for number in range(count):
                name = rng.randbytes(6_000).hex()
                path = (f"/{name}", f"/api/{name}/", f"{LIST}?x={name}", f"{LIST}set/{number};{'1;' * 900}/")[
                    number % 4
                ]
                connection.request("GET", path, headers={"Accept-Encoding": f"gzip, {name[:8000]}"})
                connection.getresponse().read()

        ask_for_many(200)
        before = resident_kib()
        ask_for_many(2_000)
        connection.close()
        assert resident_kib() - before < 30_000

    def test_a_client_that_never_ends_its_headers_or_body_is_let_go(self, address: str) -> None:
        """Slow in many ways; each is closed while others are served."""
        starts = {
            "nothing": b"",
            "headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n",
            "body": b"POST /api/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
            "chunks": b"POST /api/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
            "lines between requests": b"GET /api/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        }
        drops = {
            "headers": b"X-A: b\r\n",
            "body": b"x",
            "chunks": b"1\r\nx\r\n",
            "lines between requests": b"\r\n",
        }
        with ExitStack() as stack:
            waiting = {name: stack.enter_context(connect(address)) for name in starts}
            for name, connection in waiting.items():
                connection.sendall(starts[name])
                connection.settimeout(0.01)
            deadline = time.monotonic() + 2 * PATIENCE_S
            while waiting:
                assert time.monotonic() < deadline, f"still open: {list(waiting)}"
                time.sleep(0.5)
                for name, connection in list(waiting.items()):
                    try:
                        connection.sendall(drops.get(name, b""))
                        closed = not connection.recv(65536)
                    except TimeoutError:
                        closed = False
                    except OSError:
                        closed = True
                    if closed:
                        del waiting[name]
                assert ask(address, LIST).status == 200

    def test_headers_and_bodies_without_end_are_cut_off(self, address: str) -> None:
        for start, more in (
            (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-A: " + b"b" * 65000 + b"\r\n"),
            (b"GET /", b"a" * 65000),
            (
                b"POST /api/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
                b"X-A: " + b"b" * 65000 + b"\r\n",
            ),
        ):
            sent = 0
            with connect(address) as connection:
                connection.sendall(start)
                with suppress(ConnectionError):
                    while sent < 1_000 * len(more):
                        connection.sendall(more)
                        sent += len(more)
            assert sent < 1_000 * len(more)
        assert ask(address, LIST).status == 200

    def test_many_idle_connections_keep_nobody_out(self, address: str) -> None:
        with ExitStack() as stack:
            for _ in range(400):
                stack.enter_context(connect(address))
            for _ in range(3):
                assert ask(address, LIST).status == 200

    def test_many_open_pages_keep_nobody_out(self, address: str) -> None:
        with ExitStack() as stack:
            statuses = []
            for _ in range(200):
                connection = stack.enter_context(connect(address))
                connection.sendall(b"GET /_live/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                statuses.append(connection.recv(12)[9:12])
            assert set(statuses) == {b"200", b"503"}
            assert ask(address, LIST).status == 200
        eventually(
            lambda: raw_status(address, b"GET /_live/events HTTP/1.1\r\nHost: localhost\r\n\r\n") == b"200",
            "room again",
            PATIENCE_S,
        )

    def test_as_many_parameters_as_fit_are_a_bad_request(self, address: str) -> None:
        answer = ask(address, f"{LIST}?{'&'.join('a=1' for _ in range(2_000))}")
        assert (answer.status, list(answer.json)) == (400, ["error"])


def raw_status(address: str, request: bytes) -> bytes:
    with connect(address) as connection:
        connection.sendall(request)
        return connection.recv(12)[9:12]


class TestStart:
    @pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
    def test_an_ipv6_address_is_printed_in_brackets_and_answers(self, root: RepoBuilder) -> None:
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        port = free_port()
        command = [
            sys.executable,
            "-u",
            "-m",
            "registry",
            "serve",
            "-C",
            str(root.root),
            "--host",
            "::1",
            "--port",
            str(port),
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
        ) as process:
            assert process.stdout is not None
            try:
                assert f"http://[::1]:{port}/".encode() in process.stdout.readline()
                eventually(lambda: answers(f"[::1]:{port}"), "an answer", PATIENCE_S)
            finally:
                process.terminate()

    def test_how_a_host_is_written_in_an_address(self) -> None:
        assert [url_host(one) for one in ("::1", "fe80::1%eth0", "127.0.0.1", "a.example")] == [
            "[::1]",
            "[fe80::1%25eth0]",
            "127.0.0.1",
            "a.example",
        ]

    def test_serving_a_network_is_warned_of(self, root: RepoBuilder) -> None:
        with served(root.root, "--host", "0.0.0.0"):
            log = root.root.parent / "serve.log"
            eventually(lambda: "http://" in log.read_text(), "the address", PATIENCE_S)
            assert "warning: every client that can reach" in log.read_text()
        with served(root.root):
            eventually(lambda: "http://" in log.read_text(), "the address", PATIENCE_S)
            assert "warning" not in log.read_text()

    @pytest.mark.parametrize("host", ["", "no-such-host.invalid", "a" * 300, "192.0.2.1", "x..y"])
    def test_a_host_that_cannot_be_listened_on_is_one_clear_error(self, root: RepoBuilder, host: str) -> None:
        command = [
            sys.executable,
            "-m",
            "registry",
            "serve",
            "-C",
            str(root.root),
            "--host",
            host,
            "--port",
            str(free_port()),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert (done.returncode, done.stderr.startswith("error: ")) == (2, True)


def answers(netloc: str) -> bool:
    connection = http.client.HTTPConnection(netloc, timeout=PATIENCE_S)
    try:
        connection.request("GET", LIST)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
