"""`registry build`: a site that knows of more ids is not replaced without a word."""

import functools
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.indexing import published
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def set_back(repo: RepoBuilder, run: Run, tmp_path: Path) -> Iterator[tuple[RepoBuilder, Path]]:
    """A repository whose main was set back behind an id, and the site that was published before."""
    repo.define("a")
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    repo.define("b")
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    assert run("build", "-C", str(repo.root), "--out", str(tmp_path / "public")).code == 0
    repo.git("branch", "ahead")
    repo.git("reset", "-q", "--hard", "HEAD~2")
    yield repo, tmp_path / "public"


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server whose every connection gets what `answer` sends."""
    ended = threading.Event()

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                if ended.is_set():
                    return
                connection.recv(1 << 16)
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            # A thread that still accepts would take connections of a later server whose socket has the same number.
            ended.set()
            socket.create_connection(server.getsockname(), PATIENCE_S).close()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def test_a_published_site_that_knows_more_is_not_replaced(
    set_back: tuple[RepoBuilder, Path], run: Run, tmp_path: Path
) -> None:
    repo, site = set_back
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for where in (
            str(site),
            f"http://127.0.0.1:{server.server_address[1]}/",
            str(site / "api/snapshot.json"),
            "ahead",
        ):
            outcome = run("build", "-C", str(repo.root), "--out", str(tmp_path / "new"), "--published", where)
            assert (outcome.code, "2 ledger lines, but only 1" in outcome.err) == (3, True), where
            assert f"--published {where}" in outcome.err
            assert not (tmp_path / "new").exists()
        server.shutdown()
    repo.git("reset", "-q", "--hard", "ahead")
    assert (
        run("build", "-C", str(repo.root), "--out", str(tmp_path / "new"), "--published", str(site)).code == 0
    )


def test_a_ledger_of_the_same_length_that_differs_is_refused(
    set_back: tuple[RepoBuilder, Path], run: Run
) -> None:
    repo, site = set_back
    repo.define("another")
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    outcome = run("build", "-C", str(repo.root), "--published", str(site))
    assert (outcome.code, "ledger lines that differ here" in outcome.err) == (3, True)


def test_the_site_of_another_registry_is_refused(
    set_back: tuple[RepoBuilder, Path], run: Run, tmp_path: Path
) -> None:
    _, site = set_back
    assert run("init", str(tmp_path / "other"), "--ci", "none").code == 0
    outcome = run("build", "-C", str(tmp_path / "other"), "--published", str(site))
    assert (outcome.code, "belongs to the registry" in outcome.err) == (3, True)


def test_it_is_asked_also_when_nothing_changed_since_the_last_build(
    set_back: tuple[RepoBuilder, Path], run: Run
) -> None:
    repo, site = set_back
    for _ in range(2):
        assert run("build", "-C", str(repo.root)).code == 0
    assert run("build", "-C", str(repo.root), "--published", str(site)).code == 3


def test_a_local_build_of_an_older_state_works_and_warns_once(
    set_back: tuple[RepoBuilder, Path], run: Run
) -> None:
    repo, site = set_back
    first = run("build", "-C", str(repo.root), "--out", str(site), "--format", "json")
    assert (first.code, first.err.count("ledger lines")) == (0, 1)
    assert run("build", "-C", str(repo.root), "--out", str(site)).err == ""
    repo.write("registry.yaml", (repo.root / "registry.yaml").read_text() + "title: Other\n")
    assert "ledger" not in run("build", "-C", str(repo.root), "--out", str(site)).err


def test_a_first_publication_is_allowed_and_noted(
    set_back: tuple[RepoBuilder, Path], run: Run, tmp_path: Path
) -> None:
    repo, _ = set_back
    (tmp_path / "empty").mkdir()
    outcome = run("build", "-C", str(repo.root), "--published", str(tmp_path / "empty"))
    assert (outcome.code, "nothing was published" in outcome.err) == (0, True)


@pytest.mark.parametrize("answer", [
    b"", b"nonsense\r\n\r\n", b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\n\r\n<html>Log in</html>", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
])  # fmt: skip
def test_an_answer_that_says_nothing_of_ids_refuses(repo: RepoBuilder, run: Run, answer: bytes) -> None:
    repo.define("a")
    with answering(lambda connection: connection.sendall(answer)) as address:
        outcome = run("build", "-C", str(repo.root), "--published", address)
    assert (outcome.code, "error: " in outcome.err, (repo.root / "site").exists()) == (2, True, False)


def test_an_answer_that_never_ends_refuses(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.define("a")
    monkeypatch.setattr(published, "_DEADLINE_S", 0.2)

    def drip(connection: socket.socket) -> None:
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b" ")
        except OSError:
            pass

    with answering(drip) as address:
        outcome = run("build", "-C", str(repo.root), "--published", address)
    assert (outcome.code, (repo.root / "site").exists()) == (2, False)


@pytest.mark.parametrize(
    "where", ["http://[::1", "http://a b/", "nowhere", "http://127.0.0.1:1/", "http://127.0.0.1:999999/", ""]
)
def test_a_place_that_cannot_be_read_refuses(repo: RepoBuilder, run: Run, where: str) -> None:
    repo.define("a")
    outcome = run("build", "-C", str(repo.root), "--published", where)
    assert (outcome.code, (repo.root / "site").exists()) == (2, False), outcome.err
