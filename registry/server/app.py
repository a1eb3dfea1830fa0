"""ASGI application that serves the newest valid state of a registry.

Answers have the same bytes as the files of a build. In addition, the server answers requests that a static
host cannot answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections import OrderedDict
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from registry.errors import Read, RegistryError
from registry.model.addresses import (
    API,
    API_INDEX,
    INDEX_PAGE,
    LIVE,
    MCP_SERVERS,
    NOT_FOUND_PAGE,
    is_api,
    is_mcp,
    parse_api_file,
)
from registry.model.characters import visible
from registry.model.http_headers import (
    MEDIA_TYPES,
    REVALIDATED,
    SECURITY_HEADERS,
    cache_control,
    media_type,
)
from registry.render.json_api import is_gone
from registry.render.mcp import serves_mcp
from registry.scaffold.webserver.answers import NOT_FOUND, READ_ONLY, SERVER_NOT_FOUND
from registry.server.compression import ENCODINGS, CompressedBodies, chosen_encoding
from registry.server.connections import LimitedProtocol
from registry.server.cors import METHODS, CorsPolicy
from registry.server.hosts import AllowedHosts, HostGuard
from registry.server.lists import WrongQueryError, asks_for_a_part, list_answer, set_answer
from registry.server.matches import MatchIndex
from registry.server.mcp import servers_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from socket import socket
    from types import FrameType

    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from registry.server.live import LiveState

HEADERS = {
    **{name.lower(): value for name, value in SECURITY_HEADERS.items()},
    "cache-control": REVALIDATED,
}
_ASSETS = Path(__file__).with_name("assets")
_LIVE = f"{LIVE}/"
PLAIN_IN_PATHS = "/:@!$&'()*+,;=~"
_LARGEST_KEPT = 256 * 1024
_MOST_KEPT = 64 * 1024 * 1024
_MOST_COMPRESSED = 16 * 1024 * 1024
# Estimated memory of a cached answer besides its body and its key, in bytes.
_KEPT_OVERHEAD = 2048
_LONGEST_KEPT_ADDRESS = 1024
_SMALLEST_COMPRESSED = 1000
_ALIVE_S = 15.0


class Live(Protocol):
    """Keeps the state that is answered from."""

    @property
    def state(self) -> LiveState:
        """The newest state."""


class Server:
    """HTTP server over a live registry.

    `app` is the ASGI application. It runs in one process and one thread.
    """

    def __init__(
        self,
        live: Live,
        base_path: str,
        report_bug: Callable[[Exception], object],
        read: Read,
        hosts: AllowedHosts,
        cors: CorsPolicy,
    ) -> None:
        """Create the server.

        `read` returns the bytes of files, to show the source lines of problems. `report_bug` receives
        unexpected errors. `hosts` decides which `Host` headers are accepted. `cors` decides which other
        origins may read the API.
        """
        self._live = live
        self._cors = cors
        self._base = base_path
        self._report_bug = report_bug
        self._read = read
        self._kept: OrderedDict[tuple[str, str, str, str], Response] = OrderedDict()
        self._kept_of = 0
        self._kept_bytes = 0
        self._bodies = CompressedBodies(_MOST_COMPRESSED)
        self._matches = MatchIndex()
        self._missing_page: tuple[int, str, Response] | None = None
        self._listeners: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_ending = False
        self._most_listeners = 1
        handlers = {404: self._not_routed, 405: self._read_only}
        app = Starlette(routes=self._routes(), exception_handlers=handlers)
        app.router.redirect_slashes = False
        self.app: ASGIApp = HostGuard(app, hosts)

    def _routes(self) -> list[Route]:
        return [
            Route(f"{self._base}{_LIVE}events", self._events),
            Route("/{path:path}", self._answer, methods=["GET", "HEAD", "OPTIONS"]),
        ]

    def run(self, listener: socket, most_connections: int) -> None:
        """Serve on a socket until a signal stops the server.

        At most `most_connections` connections are open at once.
        """
        LimitedProtocol.most_connections = most_connections
        # Each open page holds one connection. Half of the connections stay free for other requests.
        self._most_listeners = max(1, most_connections // 2)
        # Log errors only: a malformed request is the client's fault and needs no message on this terminal.
        config = uvicorn.Config(
            self.app,
            http=LimitedProtocol,
            ws="none",
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=2,
            server_header=False,
        )
        _Uvicorn(config, self.end).run(sockets=[listener])

    def wake(self) -> None:
        """Notify every open page of a new state. Safe to call from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """Close the event streams of open pages before the server stops; the pages reconnect by themselves.

        Safe to call from any thread.
        """
        self._is_ending = True
        self.wake()

    def _wake(self) -> None:
        for listener in self._listeners:
            listener.set()

    async def _answer(self, request: Request) -> Response:
        """Answer a request for any address."""
        try:
            return self._kept_or_found(request)
        except OSError as error:  # for example a full disk: not a bug, and possibly temporary
            body = {
                "error": f"the server's system refused a request: {error.strerror or type(error).__name__}"
            }
            return JSONResponse(body, 503, {**HEADERS, "retry-after": "5"})
        except Exception as error:  # noqa: BLE001 - the edge: one request must not end the server
            return self._bug(error)

    def _bug(self, error: Exception) -> Response:
        self._report_bug(error)
        return JSONResponse(
            {"error": "internal error; see the terminal of the server for details"}, 500, HEADERS
        )

    def _kept_or_found(self, request: Request) -> Response:
        path: str = request.scope["path"]
        query = request.scope["query_string"].decode("latin-1")
        state = self._live.state
        inside = path.removeprefix(self._base) if path.startswith(self._base) else None
        is_api = self._is_api(path)
        origin = self._allowed_origin(request, state) if is_api else ""
        if request.method == "OPTIONS":
            return self._options(request, origin, is_api=is_api)
        encoding = chosen_encoding(request.headers.get("accept-encoding", ""))
        if inside is None:
            if f"{path}/" == self._base:
                return self._redirect("", query)
            return (
                RedirectResponse(self._base, 307, HEADERS)
                if path == "/"
                else self._missing(state, "", "", encoding, is_api="api" in path)
            )
        if state.version != self._kept_of:
            self._kept.clear()
            self._kept_of, self._kept_bytes = state.version, 0
        key = (inside, query if is_api else "", encoding, origin)
        found = self._kept.get(key)
        if found is None:
            made = self._found(state, inside, query, origin, is_api=is_api)
            if made is None:
                return self._missing(state, inside, origin, encoding, is_api=is_api)
            found = self._compressed(made, encoding)
            self._keep(key, found)
        if found.status_code == 200 and _is_known(found.headers, request.headers):
            return Response(
                None,
                304,
                {
                    name: value
                    for name, value in found.headers.items()
                    if name not in ("content-type", "content-length")
                },
            )
        return found

    def _allowed_origin(self, request: Request, state: LiveState) -> str:
        snapshot = state.snapshot
        is_committed = snapshot is not None and snapshot.commit is not None and not snapshot.is_dirty
        return self._cors.allowed_origin(request.headers.get("origin", ""), is_committed=is_committed)

    def _options(self, request: Request, origin: str, *, is_api: bool) -> Response:
        """Return the allowed methods and, for the API, the headers of a CORS preflight answer."""
        asked = request.headers.get("access-control-request-headers", "")
        path = request.scope["path"]
        cors = self._cors.preflight_headers(origin, asked) if is_api else {}
        cors |= self._cors.mcp_headers(origin) if self._is_mcp(path) else {}
        methods = self._methods(path)
        return PlainTextResponse(f"{methods}\n", 200, {**HEADERS, **cors, "allow": methods})

    def _methods(self, _path: str) -> str:
        """Return the methods that an address accepts, as in the header `Allow`."""
        return METHODS

    def _keep(self, key: tuple[str, str, str, str], answer: Response) -> None:
        """Cache an answer with status 200 unless its body or its key is too large.

        Evicts the least recently added answers when the cache exceeds `_MOST_KEPT` bytes.
        """
        address = sum(map(len, key))
        if answer.status_code != 200 or len(answer.body) > _LARGEST_KEPT or address > _LONGEST_KEPT_ADDRESS:
            return
        self._kept[key] = answer
        self._kept_bytes += _size_of(key, answer)
        while self._kept_bytes > _MOST_KEPT:
            self._kept_bytes -= _size_of(*self._kept.popitem(last=False))

    def _found(  # noqa: PLR0911 - one for each kind of address
        self, state: LiveState, inside: str, query: str, origin: str, *, is_api: bool
    ) -> Response | None:
        """Return the answer for an address, or None if there is nothing at it."""
        if inside.startswith(_LIVE):
            return self._live_asset(inside.removeprefix(_LIVE))
        steps = [step for step in inside.split("/") if step]
        if (
            state.snapshot is None
            or "\0" in inside
            or "\\" in inside
            or "//" in inside
            or ".." in steps
            or "." in steps
        ):
            return None
        if is_mcp(inside) and serves_mcp(state.snapshot):
            return self._mcp_answer(state, "/".join(steps), query, origin)
        part = self._part(state, steps, inside, query, origin)
        if part is not None:
            return part
        index = API_INDEX if is_api else INDEX_PAGE
        place = "/".join(steps)
        try:
            body = state.pages.get(f"{place}/{index}" if place else index)
            if body is not None:
                if inside and not inside.endswith("/"):
                    return self._redirect(inside, query)
                return self._ok(state, f"{place}/{index}", body, origin, is_api=is_api)
            body = state.pages.get(place) if not inside.endswith("/") else None
        except RegistryError as error:  # a template that fails on this page only
            return PlainTextResponse(f"{visible(error.message)}\n", 500, HEADERS)
        return self._ok(state, place, body, origin, is_api=is_api) if body is not None else None

    def _part(
        self, state: LiveState, steps: list[str], inside: str, query: str, origin: str
    ) -> Response | None:
        """Return the answer to a list query or a request for a set, or None for any other address."""
        snapshot = state.snapshot
        if snapshot is None or len(steps) < 2 or steps[0] != API or steps[1] not in snapshot.kinds.by_name:
            return None
        is_set = len(steps) == 4 and steps[2] == "set"
        try:
            if not is_set and not (len(steps) == 2 and asks_for_a_part(query)):
                return None
            if not inside.endswith("/"):
                return self._redirect(inside, query)
            body = (
                set_answer(snapshot, steps[1], unquote(steps[3]))
                if is_set
                else list_answer(snapshot, steps[1], query, self._matches)
            )
        except WrongQueryError as error:
            return JSONResponse({"error": str(error)}, 400, {**HEADERS, **self._cors.headers(origin)})
        return self._ok(state, API_INDEX, body, origin, is_api=True)

    def _mcp_answer(self, state: LiveState, place: str, query: str, origin: str) -> Response | None:
        """Return an answer of the MCP Registry API, or None if there is nothing at a place."""
        assert state.snapshot is not None
        try:
            body = (
                servers_answer(state.snapshot, query)
                if place == MCP_SERVERS and query
                else state.pages.get(f"{place}/{API_INDEX}")
            )
        except WrongQueryError as error:
            headers = {**HEADERS, **self._cors.mcp_headers(origin)}
            return JSONResponse({"error": str(error)}, 400, headers)
        file = f"{place}/{API_INDEX}"
        return self._ok(state, file, body, origin, is_api=True) if body is not None else None

    def _redirect(self, inside: str, query: str) -> Response:
        path = quote(f"{self._base}{inside}/" if inside else self._base, safe=PLAIN_IN_PATHS)
        return RedirectResponse(f"{path}?{query}" if query else path, 301, HEADERS)

    def _ok(self, state: LiveState, path: str, body: bytes, origin: str, *, is_api: bool) -> Response:
        if path.endswith(".html"):
            body = self._with_live(state, body)
        when = (
            state.snapshot.commit_time if state.snapshot is not None and not state.snapshot.is_dirty else None
        )
        cors = self._cors_headers(origin, path) if is_api else {}
        headers = {
            **HEADERS,
            **cors,
            "cache-control": cache_control(path),
            "content-type": media_type(path),
            "vary": ", ".join(["accept-encoding", *([cors["vary"]] if "vary" in cors else [])]),
            "etag": _entity_tag(state, path, body),
            **({"last-modified": _http_date(when)} if when else {}),
        }
        gone = is_api and state.snapshot is not None and is_gone(state.snapshot, path)
        return Response(body, 410 if gone else 200, headers)

    def _with_live(self, state: LiveState, page: bytes) -> bytes:
        """Return the page with the script and the style sheet for live reload."""
        base = f"{self._base}{_LIVE}"
        tags = (
            f'<link rel="stylesheet" href="{base}live.css">'
            f'<script src="{base}live.js" data-events="{base}events" '
            f'data-version="{state.version}"></script>\n'
        )
        head, end, tail = page.rpartition(b"</body>")
        return head + tags.encode() + end + tail if end else page

    def _live_asset(self, name: str) -> Response | None:
        if name not in ("live.js", "live.css"):
            return None
        body = (_ASSETS / name).read_bytes()
        return Response(body, 200, {**HEADERS, "content-type": media_type(name)})

    def _cors_headers(self, origin: str, inside: str) -> dict[str, str]:
        """Return the CORS headers of an answer to GET at an address below the base path."""
        return self._cors.mcp_headers(origin) if is_mcp(inside) else self._cors.headers(origin)

    def _missing(
        self, state: LiveState, inside: str, origin: str, encoding: str, *, is_api: bool
    ) -> Response:
        """Return the 404 answer; its HTML page is compressed once for each state and encoding."""
        if is_api:
            body = SERVER_NOT_FOUND if is_mcp(inside) else NOT_FOUND
            return JSONResponse(body, 404, {**HEADERS, **self._cors_headers(origin, inside)})
        if self._missing_page is None or self._missing_page[:2] != (state.version, encoding):
            page = state.pages.get(NOT_FOUND_PAGE) if state.snapshot is not None else None
            if page is None:
                page = (
                    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Not yet</title>'
                    b"</head><body><main><h1>Nothing to show yet</h1></main></body></html>"
                )
            answer = Response(
                self._with_live(state, page),
                404,
                {**HEADERS, "content-type": media_type(NOT_FOUND_PAGE), "vary": "accept-encoding"},
            )
            self._missing_page = (state.version, encoding, self._compressed(answer, encoding))
        return self._missing_page[2]

    def _compressed(self, answer: Response, encoding: str) -> Response:
        kind = answer.headers.get("content-type", "")
        if not encoding or len(answer.body) < _SMALLEST_COMPRESSED or kind.startswith("image/png"):
            return answer
        etag, body = answer.headers.get("etag"), bytes(answer.body)
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        tagged = {"etag": f'{etag[:-1]}-{encoding}"'} if etag else {}
        # A page has the number of the state in it, so only answers are asked for again.
        is_lasting = etag is not None and kind == MEDIA_TYPES[".json"] and len(body) <= _LARGEST_KEPT
        return Response(
            self._bodies.get(etag or "", body, encoding) if is_lasting else ENCODINGS[encoding](body),
            answer.status_code,
            {**headers, **tagged, "content-encoding": encoding},
        )

    async def _not_routed(self, request: Request, _error: Exception) -> Response:
        """Answer a request for a path with a line break, which no route matches: status 404."""
        path = request.scope["path"]
        is_api = self._is_api(path)
        origin = self._allowed_origin(request, self._live.state) if is_api else ""
        inside = path.removeprefix(self._base)
        return self._missing(self._live.state, inside, origin, "", is_api=is_api)

    def _is_api(self, path: str) -> bool:
        """Return True for an address whose answers are JSON for programs."""
        return (path.startswith(self._base) and is_api(path.removeprefix(self._base))) or self._is_mcp(path)

    def _is_mcp(self, path: str) -> bool:
        snapshot = self._live.state.snapshot
        return (
            path.startswith(self._base)
            and is_mcp(path.removeprefix(self._base))
            and snapshot is not None
            and serves_mcp(snapshot)
        )

    async def _read_only(self, request: Request, error: Exception) -> Response:
        """Answer a request with a method that would write: status 405."""
        assert isinstance(error, HTTPException)
        path = request.scope["path"]
        origin = self._allowed_origin(request, self._live.state)
        cors = self._cors_headers(origin, path.removeprefix(self._base)) if self._is_api(path) else {}
        return JSONResponse(READ_ONLY, 405, {**HEADERS, **cors, "allow": "GET, HEAD"})

    async def _events(self, request: Request) -> Response:
        """Server-sent events: each new state with its current problems, until the client disconnects."""
        headers = {
            "cache-control": "no-store",
            "x-accel-buffering": "no",
            "content-type": "text/event-stream",
        }
        if request.method == "HEAD":
            return Response(None, 200, headers)
        if len(self._listeners) >= self._most_listeners:
            return PlainTextResponse("too many pages are open\n", 503, {**HEADERS, "retry-after": "30"})
        return StreamingResponse(self._states(), headers=headers)

    async def _states(self) -> AsyncIterator[str]:
        self._loop = asyncio.get_running_loop()
        listener = asyncio.Event()
        self._listeners.add(listener)
        try:
            while not self._is_ending:
                listener.clear()
                yield f"event: state\ndata: {dumps(self._event_data(self._live.state))}\n\n"
                while not listener.is_set():
                    try:
                        await asyncio.wait_for(listener.wait(), _ALIVE_S)
                    except TimeoutError:
                        yield ": keep-alive\n\n"
        finally:
            self._listeners.discard(listener)

    def _event_data(self, state: LiveState) -> dict[str, Any]:
        """Return the data that an open page needs about a state."""
        problems = []
        if state.error is not None:
            problems.append(
                {
                    "place": "",
                    "message": visible(state.error.message),
                    "source": "",
                    "hint": visible(state.error.hint),
                }
            )

        @lru_cache(maxsize=4)
        def lines_of(path: str) -> list[str]:
            return (self._read(path) or b"").decode("utf-8", "replace").splitlines()

        @lru_cache(maxsize=16)
        def shown(path: str, line: int) -> str:
            lines = lines_of(path)
            return visible(_safe(lines[line - 1])) if 0 < line <= len(lines) else ""

        errors = [one for one in state.problems if one.severity.value == "error"]
        for one in errors:
            source = shown(one.span.path, one.span.line) if one.rule != "X001" else ""
            place = f"{one.span.path}:{one.span.line}:{one.span.column} {one.rule}"
            problems.append(
                {
                    "place": visible(place),
                    "message": visible(one.message),
                    "source": source,
                    "hint": visible(one.hint),
                }
            )
        return {"version": state.version, "problems": problems, "has_good": state.snapshot is not None}


def _safe(line: str) -> str:
    from registry.credentials import hide_in_line

    return hide_in_line(line)[:300]


class _Uvicorn(uvicorn.Server):
    """uvicorn server that announces a shutdown before it waits for open answers.

    Event streams to open pages never end by themselves.
    """

    def __init__(self, config: uvicorn.Config, notify: Callable[[], None]) -> None:
        super().__init__(config)
        self._notify = notify

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._notify()
        if sig == signal.SIGTERM:
            # uvicorn would raise it again after the shutdown: the process would end at once, and not finish
            # the writes that wait and its git processes.
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Called about ten times a second. Once a second, closes connections beyond their time limits."""
        if counter % 10 == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, LimitedProtocol):
                    connection.enforce_times()
        return await super().on_tick(counter)


def _entity_tag(state: LiveState, path: str, body: bytes) -> str:
    """Return the tag of an answer. That of a definition starts with the number of its newest revision."""
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    found = parse_api_file(path)
    if found is None or state.snapshot is None:
        return f'"{digest}"'
    kind, what = found
    snapshot = state.snapshot
    definition = (
        snapshot.definition(kind, what) if isinstance(what, int) else snapshot.by_name.get((kind, what))
    )
    newest = snapshot.revisions_of(definition).newest if definition is not None else None
    return f'"{newest.number}-{digest}"' if newest is not None else f'"{digest}"'


def _size_of(key: tuple[str, str, str, str], answer: Response) -> int:
    return len(answer.body) + sum(map(len, key)) + _KEPT_OVERHEAD


def _is_known(have: Headers, asked: Headers) -> bool:
    """Return True when the client's cached copy is current (RFC 9110, sections 13.1.2 and 13.1.3)."""
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
