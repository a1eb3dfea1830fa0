"""Publishing to a bucket of a real object gateway, run by `make test-engines`.

What does not depend on the server is in test_object_store.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Event, Thread
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from registry.client import Gone, NotFound, RegistryClient
from registry.errors import RefusedError
from registry.publish.bucket import open_s3
from registry.publish.publication_log import LogState, PublicationLog
from tests.conftest import Run
from tests.support.engines import PASSWORD, ObjectGateway, object_gateway
from tests.support.publishing import change, index, publish, shrink, signing_key
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def gateway() -> Iterator[ObjectGateway]:
    with object_gateway() as running:
        yield running


@pytest.fixture
def bucket(gateway: ObjectGateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket that this process may publish to."""
    for name, value in gateway.variables.items():
        monkeypatch.setenv(name, value)
    return gateway.new_bucket()


def test_a_site_in_a_bucket_is_whole_for_its_readers(
    registry: RepoBuilder, run: Run, gateway: ObjectGateway, bucket: str
) -> None:
    target, url = f"s3://{bucket}/some/prefix", f"{gateway.endpoint}/{bucket}/some/prefix"
    registry.define("weather/größe+1.2")
    registry.commit("Add a name that is quoted in addresses")
    index(registry, run)
    first = publish(run, registry, target)
    assert (first["published"], first["sequence"]) == (True, 1)
    assert publish(run, registry, target)["published"] is False
    done = run("verify", url)
    assert done.code == 0, done.err
    types = {
        "api/process_definition/1.json": "application/json",
        "api/process_definition/all.ndjson": "application/x-ndjson",
        "process_definition/a/index.html": "text/html; charset=utf-8",
    }
    for path, kind in types.items():
        with urlopen(f"{url}/{path}", timeout=PATIENCE_S) as answer:
            assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (kind, "no-cache")
    change(registry, run, "Another title")
    second = publish(run, registry, target)
    assert 0 < len(second["written"]) < len(first["written"]) / 2
    (registry.root / "definitions/process_definition/b.yaml").unlink()
    registry.commit("Delete b")
    index(registry, run)
    publish(run, registry, target)
    with RegistryClient(url) as client:
        assert client.get("a").body["title"] == "Another title"
        assert [one.name for one in client.all()] == ["a", "weather/größe+1.2"]
        assert client.get("weather/größe+1.2").id == 3
        with pytest.raises(Gone):
            client.get(2)
        with pytest.raises(NotFound):
            client.get("unknown")
    shrink(registry, run)
    gone = publish(run, registry, target, "--allow-shrink")["removed"]
    assert {status_of(f"{url}/{quote(path)}") for path in gone} == {200}
    change(registry, run, "A third title")
    publish(run, registry, target)
    assert {status_of(f"{url}/{quote(path)}") for path in gone} == {404}
    done = run("verify", url)
    assert done.code == 0, done.err
    assert publish(run, registry, target, "--rollback")["published"]
    done = run("verify", url)
    assert done.code == 0, done.err
    with RegistryClient(url) as client:
        assert client.get("a").body["title"] == "Another title"


def status_of(url: str) -> int:
    """The status of an answer."""
    try:
        with urlopen(url, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def test_of_claims_at_once_exactly_one_succeeds(gateway: ObjectGateway, bucket: str) -> None:
    publishers = 8
    for number in range(5):
        address = f"s3://{bucket}/{number}"
        logs = [PublicationLog(open_s3(address, gateway.variables)) for _ in range(publishers)]
        states = [log.read() for log in logs]
        start = Barrier(publishers)
        with ThreadPoolExecutor(publishers) as pool:
            won = [token for token in pool.map(claim, logs, states, [start] * publishers) if token]
        newest = logs[0].read().newest
        assert newest is not None
        assert won == [newest.token]


def claim(log: PublicationLog, state: LogState, start: Barrier) -> str:
    """Claim the next publication, together with others; the token of the record, "" if that is refused."""
    start.wait(PATIENCE_S)
    try:
        return log.claim(state, 1, take_over=False).record.token
    except RefusedError as error:
        assert "is publishing to" in error.message
        return ""


def test_of_two_publishers_at_once_one_publishes(registry: RepoBuilder, run: Run, bucket: str) -> None:
    target = f"s3://{bucket}"
    publish(run, registry, target)
    for number in range(3):
        change(registry, run, f"Title {number}")
        both = [start_publication(registry, target) for _ in range(2)]
        codes = []
        published = 0
        for process in both:
            out, err = process.communicate(timeout=PATIENCE_S)
            codes.append(process.returncode)
            if process.returncode == 0:
                published += json.loads(out)["published"]
            else:
                assert err.startswith("error: ")
                assert f"the bucket {target}" in err
        # The late one is refused, or sees that there is nothing to do.
        assert sorted(codes) in ([0, 0], [0, 3])
        assert published == 1


def test_an_interrupted_publication_needs_no_waiting(
    registry: RepoBuilder, run: Run, gateway: ObjectGateway, bucket: str
) -> None:
    target = f"s3://{bucket}/p"
    log = PublicationLog(open_s3(target, gateway.variables))
    process = start_publication(registry, target)
    eventually(lambda: log.read().newest is not None, "the record of the publication")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    newest = log.read().newest
    assert newest is not None
    assert newest.state == "stopped"
    assert publish(run, registry, target)["published"]
    assert run("verify", f"{gateway.endpoint}/{bucket}/p").code == 0


def start_publication(repo: RepoBuilder, target: str, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "registry", "publish", target, "-C", str(repo.root), "--format", "json"]
    return subprocess.Popen(
        [*command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("variables", "place", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "", "the store does not accept the credentials"),
        ({"AWS_ACCESS_KEY_ID": "WRONG"}, "", "the store does not accept the credentials"),
        ({}, "missing-bucket", "there is no such bucket"),
    ],
)
def test_what_a_store_refuses_is_one_clear_line(
    registry: RepoBuilder,
    run: Run,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    place: str,
    message: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    target = f"s3://{place or bucket}/p"
    done = run("publish", target, "-C", str(registry.root))
    assert done.code == 2
    error, hint = done.err.splitlines()
    assert error == f"error: the bucket {target}: {message}"
    assert hint.startswith("hint: ")
    assert not [word for word in (PASSWORD, "wrong", "WRONG") if word in done.err]


@contextmanager
def careless_store(gateway: ObjectGateway) -> Iterator[str]:
    """A proxy before a gateway that drops the condition of a request, as if the store did not know it."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            has_condition = "If-None-Match" in self.headers  # part of what was signed
            headers = gateway.signed(self.command, self.path) if has_condition else dict(self.headers)
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            with closing(gateway.connection()) as connection:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = answer.headers["Content-Length"] if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join(PATIENCE_S)
        server.server_close()


def test_a_store_that_ignores_conditions_is_reported_each_time(
    registry: RepoBuilder,
    run: Run,
    gateway: ObjectGateway,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = f"s3://{bucket}/p"
    with careless_store(gateway) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        for title in ("First", "Second"):
            change(registry, run, title)
            done = run("publish", target, "-C", str(registry.root))
            assert done.code == 0, done.err
            assert done.err.splitlines() == [
                f"warning: the bucket {target}: this store cannot refuse a concurrent publication"
            ]
    done = run("verify", f"{gateway.endpoint}/{bucket}/p")
    assert done.code == 0, done.err


def test_killed_publications_leave_consistent_answers(
    registry: RepoBuilder, run: Run, gateway: ObjectGateway, bucket: str, tmp_path: Path
) -> None:
    assert kill_publications(registry, run, gateway, tmp_path, kills=5) > 0


def kill_publications(repo: RepoBuilder, run: Run, gateway: ObjectGateway, folder: Path, kills: int) -> int:
    """Kill publications at moments spread over their time, while a client reads that accepts signed states only.

    Return the number of its answers.
    """
    target = f"s3://{gateway.new_bucket()}/p"
    url = target.replace("s3:/", gateway.endpoint)
    key, signers = signing_key(folder)
    signed = ("--sign", str(key))
    publish(run, repo, target, *signed)
    change(repo, run, "Not interrupted")
    started = time.monotonic()
    process = start_publication(repo, target, *signed)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    whole_s = time.monotonic() - started
    titles = ["Not interrupted"]
    with reader(url, signers, titles) as answers:
        for number in range(kills):
            titles.append(f"Title {number}")
            change(repo, run, titles[-1])
            process = start_publication(repo, target, "--take-over", *signed)
            time.sleep(whole_s * (0.1 + 0.9 * number / kills))
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=PATIENCE_S)
        publish(run, repo, target, "--take-over", *signed)
    done = run("verify", url, "--allowed-signers", str(signers))
    assert done.code == 0, done.err
    with RegistryClient(url) as client:
        assert client.get("a").body["title"] == titles[-1]
    assert publish(run, repo, target, *signed)["published"] is False
    return len(answers)


@contextmanager
def reader(url: str, signers: Path, titles: Sequence[str]) -> Iterator[Sequence[str]]:
    """A client that reads without a pause. Each answer must be one of the states; gives the titles that it read."""
    found: list[str] = []
    faults: list[BaseException] = []
    stop = Event()

    def read() -> None:
        try:
            while not stop.is_set():
                with RegistryClient(url, verify=signers) as client:
                    found.append(client.get("a").body["title"])
                    assert found[-1] in titles
                    assert client.get("b").definition == {"exec": "/bin/b"}
                    assert [one.name for one in client.all()] == ["a", "b"]
        except BaseException as error:  # noqa: BLE001 - reported by the other thread
            faults.append(error)

    thread = Thread(target=read)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not faults, faults
