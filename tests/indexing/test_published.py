"""What was published is read back only from an answer that says so; every other answer stops the run."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from registry.errors import RefusedError, UsageError
from registry.ids import Ledger, Mark, append
from registry.indexing import published
from registry.indexing.published import read_published, refuse_to_replace
from registry.load.source import WorkTree
from tests.support.repo import RepoBuilder


class Answers(BaseHTTPRequestHandler):
    """Answers `/STATUS/SIZE/…` with that status and so many bytes, and notes the headers of the last request."""

    headers_seen: dict[str, str]

    def do_GET(self) -> None:
        type(self).headers_seen = dict(self.headers)
        _, status, size, *_ = self.path.split("/")
        body = b" " * (int(size) if size.isdigit() else 0)
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("status", [404, 410])
def test_nothing_is_published_where_the_server_says_so(address: str, status: int, tmp_path: Path) -> None:
    assert read_published(f"{address}/{status}", tmp_path, None) is None
    assert Answers.headers_seen["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("status", [204, 400, 401, 403, 408, 429, 500, 502, 503, 504])
def test_any_other_failure_is_not_taken_for_an_empty_site(address: str, status: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_published(f"{address}/{status}", tmp_path, None)
    if status >= 400:
        assert f"returned {status}" in caught.value.message


@pytest.mark.parametrize(
    ("size", "said"),
    [(100, "is not the api/snapshot.json"), (101, "more than 100 bytes"), (10_000, "more than 100")],
)
def test_an_answer_has_a_limit(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, said: str
) -> None:
    monkeypatch.setattr(published, "MAX_LEDGER_BYTES", 100)
    with pytest.raises(UsageError, match=said):
        read_published(f"{address}/200/{size}", tmp_path, None)


ENTRIES = append(
    Ledger((), "registry-1", "registry-1"),
    [("process_definition", number, name, "live") for number, name in ((1, "a"), (2, "b"), (3, "c"))],
    None,
)
WHOLE = "".join(f"{one.line()}\n" for one in ENTRIES)


def mark(lines: int, registry_id: str = "registry-1") -> Mark:
    """What a site tells that was built from the first lines."""
    head = ENTRIES[lines].prev if lines else ""
    return Mark("the site", registry_id, {"process_definition": lines + 1}, lines, head)


@pytest.fixture
def here(repo: RepoBuilder) -> RepoBuilder:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.write("definitions/ledger.jsonl", WHOLE)
    return repo


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_a_site_is_replaced_by_one_with_all_its_lines(here: RepoBuilder, lines: int) -> None:
    refuse_to_replace(mark(lines), WorkTree(here.root))
    refuse_to_replace(mark(lines, registry_id=""), WorkTree(here.root))


def test_a_site_of_another_registry_is_not_replaced(here: RepoBuilder) -> None:
    with pytest.raises(RefusedError, match="belongs to the registry registry-2"):
        refuse_to_replace(mark(1, "registry-2"), WorkTree(here.root))


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("", "only 0 are present here"),
        (WHOLE.partition("\n")[0] + "\n", "only 1 are present here"),
        (WHOLE + "{}\n", "the ledger here is broken"),
        (WHOLE.replace('"c"', '"d"'), ""),
        (WHOLE.replace('"b"', '"x"'), "the ledger here is broken"),
    ],
)
def test_a_site_whose_lines_are_not_all_here_is_not_replaced(
    here: RepoBuilder, ledger: str, said: str
) -> None:
    here.write("definitions/ledger.jsonl", ledger)
    if not said:  # a line after those that were published
        refuse_to_replace(mark(2), WorkTree(here.root))
        return
    with pytest.raises(RefusedError, match=said):
        refuse_to_replace(mark(2), WorkTree(here.root))


def test_other_lines_of_the_same_number_are_told_apart(here: RepoBuilder) -> None:
    with pytest.raises(RefusedError, match="differ here"):
        refuse_to_replace(Mark("the site", "registry-1", {}, 2, "0" * 64), WorkTree(here.root))
