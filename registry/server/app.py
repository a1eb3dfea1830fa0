"""Answers from the newest good state of a registry, with the bytes that a build would write, and what a static host cannot do."""

import asyncio
import hashlib
import mimetypes
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate, parsedate_to_datetime
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from registry.errors import Read, RegistryError
from registry.live import Live, State
from registry.publish import MISSING, READ_ONLY
from registry.reports.text import visible
from registry.server.compression import ENCODINGS, chosen_encoding
from registry.server.lists import WrongQueryError, asks_for_a_part, list_answer, set_answer

if TYPE_CHECKING:
    from socket import socket
    from types import FrameType

_TYPES = {".json": "application/json", ".ndjson": "application/x-ndjson", ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
          ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".atom": "application/atom+xml"}  # fmt: skip
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY", "cache-control": "no-cache"}
_OPEN = {"access-control-allow-origin": "*"}
_ASSETS = Path(__file__).with_name("assets")
_LIVE = "_live/"
_PLAIN_IN_PATHS = "/:@!$&'()*+,;=~"
_LARGEST_KEPT = 256 * 1024
_MOST_KEPT = 64 * 1024 * 1024
_SMALLEST_COMPRESSED = 1000
_ALIVE_S = 15.0


class Server:
    """The application over a live registry, as ASGI in `app`; one process, one thread."""

    def __init__(self, live: Live, base_path: str, report_bug: Callable[[Exception], object], read: Read) -> None:
        """`read` gives the bytes of files, for the source lines of problems; `report_bug` is told of errors that nobody foresaw."""
        self._live = live
        self._base = base_path
        self._report_bug = report_bug
        self._read = read
        self._kept: OrderedDict[tuple[str, str, str], Response] = OrderedDict()
        self._kept_of = 0
        self._kept_bytes = 0
        self._listeners: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_ending = False
        routes = [Route(f"{base_path}{_LIVE}events", self._events), Route("/{path:path}", self._answer)]
        self.app = Starlette(routes=routes, exception_handlers={405: _read_only})

    def run(self, listener: "socket") -> None:
        """Answer on a socket until a signal ends it."""
        config = uvicorn.Config(self.app, log_level="warning", lifespan="off", timeout_graceful_shutdown=2)
        _Uvicorn(config, self.end).run(sockets=[listener])

    def wake(self) -> None:
        """A new state is there: every open page is told. From any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """The server is about to end: open pages are let go, and look for it again by themselves. From any thread."""
        self._is_ending = True
        self.wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.set()

    async def _answer(self, request: Request) -> Response:
        """Whatever is asked for."""
        try:
            return self._kept_or_found(request)
        except Exception as error:  # noqa: BLE001 - the edge: one request must not end the server
            self._report_bug(error)
            return JSONResponse({"error": "internal error; the server's terminal says where the details are"}, 500, _HEADERS)

    def _kept_or_found(self, request: Request) -> Response:
        path: str = request.scope["path"]
        query = request.scope["query_string"].decode("latin-1")
        if not path.startswith(self._base):
            redirect = path == "/" or f"{path}/" == self._base
            return RedirectResponse(self._base, 307, _HEADERS) if redirect else self._missing("api" in path)
        inside = path.removeprefix(self._base)
        is_api = inside == "api" or inside.startswith("api/")
        encoding = chosen_encoding(request.headers.get("accept-encoding", ""))
        state = self._live.state
        if state.version != self._kept_of:
            self._kept.clear()
            self._kept_of, self._kept_bytes = state.version, 0
        key = (inside, query if is_api else "", encoding)
        found = self._kept.get(key)
        if found is None:
            found = _compressed(self._found(state, inside, query, is_api=is_api), encoding)
            if len(found.body) <= _LARGEST_KEPT and len(query) < 200:
                self._kept[key] = found
                self._kept_bytes += len(found.body)
                while self._kept_bytes > _MOST_KEPT:
                    self._kept_bytes -= len(self._kept.popitem(last=False)[1].body)
        if found.status_code == 200 and _is_known(found.headers, request.headers):
            return Response(None, 304, {name: value for name, value in found.headers.items() if name not in ("content-type", "content-length")})
        return found

    def _found(  # noqa: PLR0911 - one a sort of address
        self, state: State, inside: str, query: str, *, is_api: bool
    ) -> Response:
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
            return PlainTextResponse(f"{visible(error.message)}\n", 500, _HEADERS)
        return self._ok(state, place, body, is_api=is_api) if body is not None else self._missing(is_api)

    def _part(self, state: State, steps: list[str], inside: str, query: str) -> Response | None:
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
            return JSONResponse({"error": str(error)}, 400, {**_HEADERS, **_OPEN})
        return self._ok(state, "index.json", body, is_api=True)

    def _redirect(self, inside: str, query: str) -> Response:
        path = quote(f"{self._base}{inside}/", safe=_PLAIN_IN_PATHS)
        return RedirectResponse(f"{path}?{query}" if query else path, 301, _HEADERS)

    def _ok(self, state: State, path: str, body: bytes, *, is_api: bool) -> Response:
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
        return Response(body, 200, headers)

    def _with_live(self, state: State, page: bytes) -> bytes:
        """The page with the script that brings changes into it."""
        base = f"{self._base}{_LIVE}"
        tags = (
            f'<link rel="stylesheet" href="{base}live.css">'
            f'<script src="{base}live.js" data-events="{base}events" data-version="{state.version}"></script>\n'
        )
        head, end, tail = page.rpartition(b"</body>")
        return head + tags.encode() + end + tail if end else page

    def _live_asset(self, name: str) -> Response:
        if name not in ("live.js", "live.css"):
            return self._missing(is_api=False)
        body = (_ASSETS / name).read_bytes()
        return Response(body, 200, {**_HEADERS, "content-type": _TYPES[name[name.rfind(".") :]]})

    def _missing(self, is_api: bool) -> Response:
        if is_api:
            return JSONResponse(MISSING, 404, {**_HEADERS, **_OPEN})
        state = self._live.state
        page = state.pages.get("404.html") if state.snapshot is not None else None
        if page is None:
            page = b"<!doctype html><title>Not yet</title><main><h1>Nothing to show yet</h1></main><body></body>"
        return Response(self._with_live(state, page), 404, {**_HEADERS, "content-type": _TYPES[".html"]})

    async def _events(self, request: Request) -> Response:
        """Server-sent events: each new state with the problems that there are, until the page goes away."""
        headers = {"cache-control": "no-store", "x-accel-buffering": "no", "content-type": "text/event-stream"}
        if request.method == "HEAD":
            return Response(None, 200, headers)
        return StreamingResponse(self._states(), headers=headers)

    async def _states(self) -> AsyncIterator[str]:
        self._loop = asyncio.get_running_loop()
        listener = asyncio.Event()
        self._listeners.add(listener)
        try:
            while not self._is_ending:
                listener.clear()
                yield f"event: state\ndata: {dumps(self._told(self._live.state))}\n\n"
                while not listener.is_set():
                    try:
                        await asyncio.wait_for(listener.wait(), _ALIVE_S)
                    except TimeoutError:
                        yield ": still here\n\n"
        finally:
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


class _Uvicorn(uvicorn.Server):
    """Says that it is about to end before it waits for the answers under way: those to open pages have no end of their own."""

    def __init__(self, config: uvicorn.Config, tell: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = tell

    def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
        self._tell()
        super().handle_exit(sig, frame)


def _compressed(answer: Response, encoding: str) -> Response:
    kind = answer.headers.get("content-type", "")
    if not encoding or len(answer.body) < _SMALLEST_COMPRESSED or kind.startswith("image/png"):
        return answer
    etag = answer.headers.get("etag")
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    tagged = {"etag": f'{etag[:-1]}-{encoding}"'} if etag else {}
    return Response(ENCODINGS[encoding](bytes(answer.body)), answer.status_code, {**headers, **tagged, "content-encoding": encoding})


async def _read_only(_: Request, error: Exception) -> Response:
    """Whatever would write."""
    assert isinstance(error, HTTPException)
    return JSONResponse(READ_ONLY, 405, {**_HEADERS, "allow": "GET, HEAD"})


def _is_known(have: Headers, asked: Headers) -> bool:
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
