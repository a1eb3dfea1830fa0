"""A small forge for tests: the part of the REST services of GitHub, Forgejo and GitLab that comments need, from their documentation."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "t0ken"


class FakeForge:
    """What the forge holds: comments (id, who, body), open pull requests, and every request that was made."""

    def __init__(self) -> None:
        self.me = "bot"
        self.comments: list[dict[str, Any]] = []
        self.pulls: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.redirect_to = ""
        self.address = ""

    def add(self, who: str, body: str) -> dict[str, Any]:
        number = len(self.comments) + 1
        address = f"{self.address}/c/{number}"
        made = {
            "id": number,
            "body": body,
            "html_url": address,
            "user": {"login": who},
            "author": {"id": who},
        }
        self.comments.append(made)
        return made

    def answer(  # noqa: PLR0911 - one an address
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        if path == "/user":
            return 200, {"login": self.me, "id": self.me}
        if path.endswith("/pulls"):
            owner, _, branch = query["head"][0].partition(":")
            found = [one for one in self.pulls if (one["owner"], one["branch"]) == (owner, branch)]
            return 200, [{"number": one["number"], "head": {"sha": one["sha"]}} for one in found]
        if method == "GET" and path.endswith(("/issues/12/comments", "/merge_requests/12/notes")):
            size, page = int((query.get("per_page") or query["limit"])[0]), int(query["page"][0])
            return 200, self.comments[(page - 1) * size : page * size]
        if method == "POST" and path.endswith(("/issues/12/comments", "/merge_requests/12/notes")):
            return 201, self.add(self.me, body["body"])
        if method in ("PATCH", "PUT") and ("/issues/comments/" in path or "/notes/" in path):
            chosen = self.comments[int(path.rsplit("/", 1)[1]) - 1]
            if chosen["user"]["login"] != self.me:
                return 403, {"message": "not yours"}
            chosen["body"] = body["body"]
            return 200, chosen
        return 404, {"message": "Not Found"}


@contextmanager
def fake_forge() -> Iterator[FakeForge]:
    """A forge on a free port of this machine."""
    forge = FakeForge()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def respond(self) -> None:
            parts = urlsplit(self.path)
            forge.requests.append(f"{self.command} {parts.path}")
            length = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(length)
            tokens = (self.headers.get("Authorization"), self.headers.get("PRIVATE-TOKEN"))
            if forge.redirect_to:
                self.send_response(302)
                self.send_header("Location", forge.redirect_to)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if not {f"Bearer {TOKEN}", f"token {TOKEN}", TOKEN} & set(tokens):
                status, body = 401, {"message": "Bad credentials"}
            else:
                status, body = forge.answer(
                    self.command, parts.path, parse_qs(parts.query), json.loads(data) if data else None
                )
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_PUT = respond  # noqa: N815 - names that http.server calls

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    forge.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
