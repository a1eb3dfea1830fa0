"""Answers from the newest good state of a registry, with the bytes that a build would write, and what a static host cannot do."""

import asyncio
import hashlib
import json
import mimetypes
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from registry.errors import Read, RegistryError
from registry.live import Live, State
from registry.publish import MISSING, READ_ONLY
from registry.reports.text import visible
from registry.server.compression import ENCODINGS, chosen_encoding
from registry.server.lists import WrongQueryError, asks_for_a_part, list_answer, set_answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TYPES = {".json": "application/json", ".ndjson": "application/x-ndjson", ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
          ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".atom": "application/atom+xml"}  # fmt: skip
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY", "cache-control": "no-cache"}
_OPEN = {"access-control-allow-origin": "*"}
_ASSETS = Path(__file__).with_name("assets")
_LIVE = "_live/"
_LARGEST_KEPT = 256 * 1024
_MOST_KEPT = 64 * 1024 * 1024
_SMALLEST_COMPRESSED = 1000
_ALIVE_S = 15.0


class Answer(NamedTuple):
    """One answer; the body of a HEAD and of a 304 is left out when it is sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Server:
    """An ASGI application; one process, one thread."""

    def __init__(self, live: Live, base_path: str, report_bug: Callable[[Exception], object], read: Read) -> None:
        """`read` gives the bytes of files, for the source lines of problems; `report_bug` is told of errors that nobody foresaw."""
        self._live = live
        self._base = base_path
        self._report_bug = report_bug
        self._read = read
        self._kept: OrderedDict[tuple[str, str, str], Answer] = OrderedDict()
        self._kept_of = 0
        self._kept_bytes = 0
        self._listeners: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """A new state is there: every open page is told. From any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http":
            return
        self._loop = asyncio.get_running_loop()
        path: str = scope["path"]
        if path == f"{self._base}{_LIVE}events" and scope["method"] == "GET":
            await self._events(receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        try:
            answer = self._answer(scope["method"], path, query, headers)
        except Exception as error:  # noqa: BLE001 - the edge: one request must not end the server
            self._report_bug(error)
            body = json.dumps({"error": "internal error; the server's terminal says where the details are"}).encode()
            answer = Answer(500, {**_HEADERS, "content-type": "application/json"}, body)
        await self._send(answer, scope["method"] == "HEAD", send)

    @staticmethod
    async def _send(answer: Answer, is_head: bool, send: Send) -> None:
        length = {} if answer.status == 304 else {"content-length": str(len(answer.body))}
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in {**answer.headers, **length}.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if is_head or answer.status == 304 else answer.body})

    def _answer(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Answer:
        if not path.startswith(self._base):
            redirect = path == "/" or f"{path}/" == self._base
            return Answer(307, {**_HEADERS, "location": self._base}, b"") if redirect else self._missing("api" in path)
        inside = path.removeprefix(self._base)
        is_api = inside == "api" or inside.startswith("api/")
        if method not in ("GET", "HEAD"):
            return Answer(405, {**_HEADERS, "allow": "GET, HEAD", "content-type": "application/json"}, json.dumps(READ_ONLY).encode())
        encoding = chosen_encoding(headers.get("accept-encoding", ""))
        state = self._live.state
        if state.version != self._kept_of:
            self._kept.clear()
            self._kept_of, self._kept_bytes = state.version, 0
        key = (inside, query if is_api else "", encoding)
        found = self._kept.get(key)
        if found is None:
            found = self._compressed(self._found(state, inside, query, is_api=is_api), encoding)
            if len(found.body) <= _LARGEST_KEPT and len(query) < 200:
                self._kept[key] = found
                self._kept_bytes += len(found.body)
                while self._kept_bytes > _MOST_KEPT:
                    self._kept_bytes -= len(self._kept.popitem(last=False)[1].body)
        if found.status == 200 and _is_known(found.headers, headers):
            return Answer(304, {name: value for name, value in found.headers.items() if name != "content-type"}, b"")
        return found

    @staticmethod
    def _compressed(answer: Answer, encoding: str) -> Answer:
        kind = answer.headers.get("content-type", "")
        if not encoding or len(answer.body) < _SMALLEST_COMPRESSED or kind.startswith("image/png"):
            return answer
        etag = answer.headers.get("etag")
        tagged = {"etag": f'{etag[:-1]}-{encoding}"'} if etag else {}
        return Answer(answer.status, {**answer.headers, **tagged, "content-encoding": encoding}, ENCODINGS[encoding](answer.body))

    def _found(  # noqa: PLR0911 - one a sort of address
        self, state: State, inside: str, query: str, *, is_api: bool
    ) -> Answer:
        """What is at an address."""
        if inside.startswith(_LIVE):
            return self._live_asset(inside.removeprefix(_LIVE))
        steps = [step for step in inside.split("/") if step]
        if state.snapshot is None or "\0" in inside or "\\" in inside or "//" in inside or ".." in steps or "." in steps:
            return self._missing(is_api)
        part = self._part(state, steps, inside, query)
        if part is not None:
            return part
        index = "index.json" if is_api else "index.html"
        place = "/".join(steps)
        try:
            body = state.pages.get(f"{place}/{index}" if place else index)
            if body is not None:
                if inside and not inside.endswith("/"):
                    return self._redirect(inside, query)
                return self._ok(state, f"{place}/{index}", body, is_api=is_api)
            body = state.pages.get(place) if not inside.endswith("/") else None
        except RegistryError as error:  # a template that breaks on this page alone
            return Answer(500, {**_HEADERS, "content-type": "text/plain; charset=utf-8"}, f"{visible(error.message)}\n".encode())
        return self._ok(state, place, body, is_api=is_api) if body is not None else self._missing(is_api)

    def _part(self, state: State, steps: list[str], inside: str, query: str) -> Answer | None:
        """A part of a list, or several definitions at once; None for every other address."""
        snapshot = state.snapshot
        if snapshot is None or len(steps) < 2 or steps[0] != "api" or steps[1] not in snapshot.kinds.by_name:
            return None
        is_set = len(steps) == 4 and steps[2] == "set"
        if not is_set and not (len(steps) == 2 and asks_for_a_part(query)):
            return None
        if not inside.endswith("/"):
            return self._redirect(inside, query)
        try:
            body = set_answer(snapshot, steps[1], unquote(steps[3])) if is_set else list_answer(snapshot, steps[1], query)
        except WrongQueryError as error:
            return Answer(400, {**_HEADERS, **_OPEN, "content-type": "application/json"}, json.dumps({"error": str(error)}).encode())
        return self._ok(state, "index.json", body, is_api=True)

    def _redirect(self, inside: str, query: str) -> Answer:
        target = f"{self._base}{inside}/" + (f"?{query}" if query else "")
        return Answer(301, {**_HEADERS, "location": target}, b"")

    def _ok(self, state: State, path: str, body: bytes, *, is_api: bool) -> Answer:
        suffix = path[path.rfind(".") :]
        media_type = _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
        if suffix == ".html":
            body = self._with_live(state, body)
        when = state.snapshot.commit_time if state.snapshot is not None and not state.snapshot.is_dirty else None
        headers = {
            **_HEADERS,
            **(_OPEN if is_api else {}),
            "content-type": media_type,
            "vary": "accept-encoding",
            "etag": f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"',
            **({"last-modified": _http_date(when)} if when else {}),
        }
        return Answer(200, headers, body)

    def _with_live(self, state: State, page: bytes) -> bytes:
        """The page with the script that brings changes into it."""
        base = f"{self._base}{_LIVE}"
        tags = (
            f'<link rel="stylesheet" href="{base}live.css">'
            f'<script src="{base}live.js" data-events="{base}events" data-version="{state.version}"></script>\n'
        )
        head, end, tail = page.rpartition(b"</body>")
        return head + tags.encode() + end + tail if end else page

    def _live_asset(self, name: str) -> Answer:
        if name not in ("live.js", "live.css"):
            return self._missing(is_api=False)
        body = (_ASSETS / name).read_bytes()
        return Answer(200, {**_HEADERS, "content-type": _TYPES[name[name.rfind(".") :]]}, body)

    def _missing(self, is_api: bool) -> Answer:
        if is_api:
            return Answer(404, {**_HEADERS, **_OPEN, "content-type": "application/json"}, json.dumps(MISSING).encode())
        state = self._live.state
        page = state.pages.get("404.html") if state.snapshot is not None else None
        if page is None:
            page = b"<!doctype html><title>Not yet</title><main><h1>Nothing to show yet</h1></main><body></body>"
        return Answer(404, {**_HEADERS, "content-type": _TYPES[".html"]}, self._with_live(state, page))

    async def _events(self, receive: Receive, send: Send) -> None:
        """Server-sent events: each new state with the problems that there are, until the page goes away."""
        listener = asyncio.Event()
        self._listeners.add(listener)
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while not gone.done():
                listener.clear()
                data = json.dumps(self._told(self._live.state))
                await send({"type": "http.response.body", "body": f"event: state\ndata: {data}\n\n".encode(), "more_body": True})
                while not gone.done():
                    waiting = asyncio.ensure_future(listener.wait())
                    await asyncio.wait({waiting, gone}, timeout=_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
                    if listener.is_set():
                        break
                    waiting.cancel()
                    if not gone.done():
                        await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})
        except asyncio.CancelledError:
            return  # the server ends; the page asks again, and is told when there is one
        finally:
            gone.cancel()
            self._listeners.discard(listener)

    def _told(self, state: State) -> dict[str, Any]:
        """What an open page must know."""
        problems = []
        if state.error is not None:
            problems.append({"place": "", "message": visible(state.error.message), "source": "", "hint": visible(state.error.hint)})
        errors = [one for one in state.problems if one.severity.value == "error"]
        for one in errors:
            source = ""
            if one.rule != "X001":
                lines = (self._read(one.span.path) or b"").decode("utf-8", "replace").splitlines()
                source = lines[one.span.line - 1] if 0 < one.span.line <= len(lines) else ""
            place = f"{one.span.path}:{one.span.line}:{one.span.column} {one.rule}"
            problems.append({"place": visible(place), "message": visible(one.message), "source": visible(_safe(source)), "hint": visible(one.hint)})
        return {"version": state.version, "problems": problems, "has_good": state.snapshot is not None}


def _safe(line: str) -> str:
    from registry.credentials import hide_in_line

    return hide_in_line(line)[:300]


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_known(have: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """True when the asker has this already (RFC 9110, sections 13.1.2 and 13.1.3)."""
    tags = asked.get("if-none-match")
    if tags is not None:
        mine = have.get("etag", "")
        return tags.strip() == "*" or mine in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    since, modified = asked.get("if-modified-since"), have.get("last-modified")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _http_date(iso: str) -> str:
    from datetime import datetime

    return formatdate(datetime.fromisoformat(iso).timestamp(), usegmt=True)


def make_app(live: Live, base_path: str, report_bug: Callable[[Exception], object], read: Read) -> Server:
    """The application over a live registry."""
    return Server(live, base_path, report_bug, read)
