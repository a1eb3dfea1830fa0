"""What was published is read back only from an answer that says so; every other answer stops the run."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.indexing.published import read_published


class Answers(BaseHTTPRequestHandler):
    """Answers `/STATUS/…` with that status, and notes the headers of the last request."""

    headers_seen: dict[str, str]

    def do_GET(self) -> None:
        type(self).headers_seen = dict(self.headers)
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

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
        assert f"answers {status}" in caught.value.message
