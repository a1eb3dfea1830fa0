"""A server that also accepts writes."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from registry.model.addresses import API, LIVE, api_detail, mcp_file, parse_api_file, parse_mcp_file
from registry.render.json_api import address, detail_bytes
from registry.server.app import HEADERS, PLAIN_IN_PATHS, Server
from registry.server.cors import METHODS
from registry.server.metrics import Metrics
from registry.writes.batch import Batch
from registry.writes.conditions import parse_if_match
from registry.writes.login import Authenticator, Failure
from registry.writes.plan import fits_schema, plan_write
from registry.writes.rejection import RejectedError
from registry.writes.request_guards import TrustedProxies, cross_site_refusal
from registry.writes.requests import (
    MAX_BODY_BYTES,
    MERGE_PATCH,
    Operation,
    Person,
    WriteRequest,
    checked_media_type,
    operation_of,
    parse_body,
    request_digest,
)
from registry.writes.users import Principal, allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from registry.server.branch import BranchRegistry
    from registry.writes.committer import Committer, CompletedWrite
    from registry.writes.users import Right

_ID = r"[1-9][0-9]{0,15}"
_PLACE = re.compile(rf"{API}/([^/]+)(?:/({_ID})(/restore)?)?(/?)\Z")
_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_ANSWER_WITHIN_S = 30.0
_CATCH_UP_WITHIN_S = 2.0
_CATCH_UP_STEP_S = 0.02
# Bodies with more bytes are parsed in a thread.
_LARGE_BODY = 32 * 1024
_EXPOSED = "ETag, Location, Request-Id, Registry-Commit, Retry-After"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NO_CONTENT_TYPE = "text/html; charset=utf-8"
_STATUS = {
    Operation.ADD: 201,
    Operation.REPLACE: 204,
    Operation.UPDATE: 202,
    Operation.MERGE: 202,
    Operation.DELETE: 204,
    Operation.RESTORE: 200,
}


class WriteAddress(NamedTuple):
    """An address of the API that accepts writes: a list (without an id), a definition, or its `restore/`."""

    kind: str
    id: int | None
    restores: bool
    has_slash: bool

    @property
    def methods(self) -> str:
        """The methods that the address accepts, as in the header `Allow`."""
        if self.restores:
            return "POST, OPTIONS"
        return f"{METHODS}, POST" if self.id is None else f"{METHODS}, PUT, PATCH, DELETE"

    def accepts(self, method: str) -> bool:
        """True for a method that writes here."""
        return method in _WRITING and method in self.methods.split(", ")


class Access(NamedTuple):
    """Who may use the server. `login_to_read`: reading needs a login, too."""

    authenticator: Authenticator
    proxies: TrustedProxies
    login_to_read: bool = False


class WritableServer(Server):
    """HTTP server of a bare repository: reads as `Server`, and writes that become commits."""

    def __init__(
        self,
        live: BranchRegistry,
        committer: Committer,
        access: Access,
        log: Callable[[str], None],
        *rest: Any,
    ) -> None:
        """Create the server. `rest` are the arguments of `Server` after the first, `log` takes a line."""
        self._branch, self._committer, self._access = live, committer, access
        self._metrics = Metrics(committer.waiting, lambda: not committer.why_not_ready())
        committer.count_batch = self._metrics.count_batch
        super().__init__(live, *rest)
        self.app = _AnswerHeaders(self.app, live, log, self._metrics)

    def _routes(self) -> list[Route]:
        start = f"{self._base}{LIVE}/"
        every = ["GET", "HEAD", "OPTIONS", *sorted(_WRITING)]
        return [
            Route(f"{start}health", self._health),
            Route(f"{start}ready", self._ready),
            Route(f"{start}metrics", self._metrics_text),
            Route(f"{start}events", self._events),
            Route("/{path:path}", self._read_or_write, methods=every),
        ]

    def _methods(self, path: str) -> str:
        place = self._place(path)
        return place.methods if place is not None else METHODS

    def _place(self, path: str) -> WriteAddress | None:
        """Return the place of an address that accepts writes, or None."""
        if not path.startswith(self._base):
            return None
        found = _PLACE.match(path.removeprefix(self._base))
        snapshot = self._branch.state.snapshot
        if found is None or snapshot is None or found[1] not in snapshot.kinds.by_name:
            return None
        return WriteAddress(found[1], int(found[2]) if found[2] else None, bool(found[3]), bool(found[4]))

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"}, 200, _NOT_STORED)

    async def _ready(self, _request: Request) -> Response:
        reason = self._committer.why_not_ready()
        body = {"status": "unavailable", "error": reason} if reason else {"status": "ok"}
        return JSONResponse(body, 503 if reason else 200, _NOT_STORED)

    async def _metrics_text(self, request: Request) -> Response:
        try:
            await self._require_reader(request)
        except RejectedError as error:
            return _error_answer(error)
        return Response(self._metrics.text(), 200, {**_NOT_STORED, "content-type": _METRICS_TYPE})

    # Reading

    async def _events(self, request: Request) -> Response:
        try:
            await self._require_reader(request)
        except RejectedError as error:
            return _error_answer(error)
        return await super()._events(request)

    async def _read_or_write(self, request: Request) -> Response:
        try:
            if request.method in _WRITING:
                return await self._write(request)
            if request.method != "OPTIONS":
                await self._require_reader(request)
                await self._wait_for_commit(request)
        except RejectedError as error:
            return _error_answer(error)
        except Exception as error:  # noqa: BLE001 - the edge: one request must not end the server
            return self._bug(error)
        return await self._answer(request)

    async def _read_only(self, request: Request, error: Exception) -> Response:
        """Answer a request with a method that no address accepts: status 405."""
        del error
        return _error_answer(_not_accepted(request.method, self._methods(request.scope["path"])))

    async def _require_reader(self, request: Request) -> None:
        """Raise RejectedError for a request that may not read, where reading needs a login."""
        if not self._access.login_to_read:
            return
        principal = await self._principal(request)
        inside = request.scope["path"].removeprefix(self._base)
        found = parse_api_file(
            inside if "." in inside.rpartition("/")[2] else f"{inside.rstrip('/')}/index.json"
        )
        name = ""
        snapshot = self._branch.state.snapshot
        if found is not None and snapshot is not None:
            kind, what = found
            there = snapshot.definition(kind, what) if isinstance(what, int) else None
            name = what if isinstance(what, str) else there.name if there is not None else ""
        elif self._is_mcp(request.scope["path"]):
            server = parse_mcp_file(mcp_file(inside.rstrip("/")))
            name = server if isinstance(server, str) else ""
        decision = allowed(principal, "read", name)
        if not decision:
            raise RejectedError(403, decision.refusal)

    async def _wait_for_commit(self, request: Request) -> None:
        """Wait until the state contains the commit of `Registry-At-Least`. Raises RejectedError otherwise."""
        commit = request.headers.get("registry-at-least")
        if commit is None:
            return
        if not _COMMIT.match(commit):
            raise RejectedError(400, "Registry-At-Least is not the id of a commit")
        deadline = asyncio.get_running_loop().time() + _CATCH_UP_WITHIN_S
        while not self._branch.has_shown(commit):
            self._committer.look()
            if asyncio.get_running_loop().time() > deadline:
                if await asyncio.to_thread(self._committer.contains, commit):
                    return
                raise RejectedError(
                    503, f"this server does not have the commit {commit} yet", headers={"retry-after": "1"}
                )
            await asyncio.sleep(_CATCH_UP_STEP_S)

    # Writing

    async def _write(self, request: Request) -> Response:
        path = request.scope["path"]
        place = self._place(path)
        if place is None:
            await self._require_reader(request)
            found = await self._answer(request)
            if found.status_code in (404, 503):
                return found
        if place is None or not place.accepts(request.method):
            raise _not_accepted(request.method, self._methods(path))
        if not place.has_slash:
            query = request.scope["query_string"].decode("latin-1")
            target = quote(f"{path}/", safe=PLAIN_IN_PATHS)
            return RedirectResponse(f"{target}?{query}" if query else target, 308, HEADERS)
        settings = self._settings()
        refusal = cross_site_refusal(request.method, request.headers, [settings.base_url])
        if refusal:
            raise RejectedError(403, refusal)
        principal = await self._principal(request)
        write = await self._parsed(request, place, principal)
        await self._refuse_invalid(write)
        future = asyncio.wrap_future(self._committer.submit(write))
        try:
            written = await asyncio.wait_for(asyncio.shield(future), _ANSWER_WITHIN_S)
        except TimeoutError as error:
            future.add_done_callback(lambda done: done.exception())
            raise RejectedError(
                503,
                "the request takes too long; look for its Request-Id in the history before it is sent again",
                headers={"retry-after": "5"},
            ) from error
        return self._written_answer(written)

    async def _refuse_invalid(self, write: WriteRequest) -> None:
        """Raise RejectedError for a document that does not fit the schema of its kind: it need not wait."""
        state = self._committer.state
        check = partial(fits_schema, state, write)
        if not (await asyncio.to_thread(check) if write.size > _LARGE_BODY else check()):
            await asyncio.to_thread(plan_write, Batch(state), write)

    def _settings(self) -> Any:
        snapshot = self._branch.state.snapshot
        assert snapshot is not None
        return snapshot.settings

    async def _principal(self, request: Request) -> Principal:
        """Return the user of a request. Raises RejectedError when the login fails."""
        peer = request.client.host if request.client is not None else ""
        headers = request.headers
        user = self._access.proxies.user_of(peer, headers.getlist("remote-user"))
        if user is not None:
            found = self._access.authenticator.principal_of(user)
        else:
            client = self._access.proxies.client_of(peer, headers.getlist("x-forwarded-for"))
            found = await self._access.authenticator.authenticate(headers.get("authorization"), client)
        if isinstance(found, Failure):
            raise RejectedError(found.status, found.message, headers=found.headers)
        request.scope["registry.user"] = found.description
        return found

    async def _parsed(self, request: Request, place: WriteAddress, principal: Principal) -> WriteRequest:
        """Return the request with its body. Raises RejectedError for what is wrong with it."""
        method, headers = request.method, request.headers
        has_body = method in ("PUT", "PATCH") or (method == "POST" and not place.restores)
        media_type, data, body = "", b"", dict[str, Any]()
        if has_body and "upgrade" in headers:
            # The parser of HTTP ends such a request before its body (curl --http2 sends them).
            message = "this server keeps to HTTP/1.1: send the request without the header Upgrade"
            raise RejectedError(400, message, headers={"connection": "close"})
        if has_body:
            media_type = checked_media_type(
                method, headers.get("content-type"), headers.get("content-encoding")
            )
        data = await _body_of(request)
        if has_body:
            parse = partial(parse_body, data, place.id, is_merge_patch=media_type == MERGE_PATCH)
            body = await asyncio.to_thread(parse) if len(data) > _LARGE_BODY else parse()
        if_match = headers.get("if-match") if place.id is not None and not place.restores else None
        if (
            if_match is None
            and place.id is not None
            and not place.restores
            and self._settings().require_match
        ):
            raise RejectedError(428, "this registry requires If-Match with the ETag of the definition")
        tags = parse_if_match(",".join(headers.getlist("if-match"))) if if_match is not None else ()
        key = headers.get("idempotency-key", "")
        if "idempotency-key" in headers and not _KEY.match(key):
            raise RejectedError(400, "Idempotency-Key is not 1 to 255 visible ASCII characters")

        def refusal(right: Right, name: str) -> str:
            return allowed(principal, right, name).refusal

        return WriteRequest(
            operation_of(method, restores=place.restores, media_type=media_type),
            place.kind,
            place.id,
            body,
            principal.user.name,
            Person(*principal.author),
            request.scope["registry.request_id"],
            refusal,
            tags or (),
            if_match is not None,
            tags is None,
            key,
            headers.get("allow-breaking", "").strip().lower() == "true",
            request_digest(method, request.scope["path"], media_type, data),
            len(data),
        )

    def _written_answer(self, written: CompletedWrite) -> Response:
        status = _STATUS[written.operation]
        tag = {"etag": str(written.tag)} if written.tag is not None else {}
        headers = {**HEADERS, **tag, "vary": "Accept"}
        snapshot = self._branch.state.snapshot
        assert snapshot is not None
        if status == 201:
            place = api_detail(written.kind, written.id)
            base = snapshot.settings.base_url
            headers["location"] = (
                f"{base.rstrip('/')}/{place}/" if "://" in base else address(snapshot, place)
            )
        if status == 200:
            there = snapshot.definition(written.kind, written.id)
            if there is not None:
                body = detail_bytes(snapshot, there) + b"\n"
                return Response(body, 200, {**headers, "content-type": "application/json"})
        if status != 204:
            headers["content-type"] = _NO_CONTENT_TYPE
        return Response(None, status, headers)


_NOT_STORED = {**HEADERS, "cache-control": "no-store"}


async def _body_of(request: Request) -> bytes:
    """Return the body. Raises RejectedError with status 413 as soon as it is too large."""
    length = request.headers.get("content-length", "")
    too_large = RejectedError(413, f"the body has more than {MAX_BODY_BYTES // 1024} KiB")
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise too_large
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_BODY_BYTES:
                raise too_large
    except ClientDisconnect:
        raise RejectedError(400, "the connection ended before the body did") from None
    return bytes(data)


def _not_accepted(method: str, methods: str) -> RejectedError:
    return RejectedError(405, f"{method} is not possible at this address", headers={"allow": methods})


def _error_answer(error: RejectedError) -> Response:
    return JSONResponse(error.body, error.status, {**HEADERS, **error.headers})


class _AnswerHeaders:
    """ASGI middleware that adds headers to every answer, writes the access log and counts requests."""

    def __init__(
        self, app: ASGIApp, live: BranchRegistry, log: Callable[[str], None], metrics: Metrics
    ) -> None:
        self._app, self._live, self._log, self._metrics = app, live, log, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"request-id"), b"")
        request_id = given.decode("latin-1")
        if not _REQUEST_ID.match(request_id):
            request_id = uuid.uuid4().hex
        scope["registry.request_id"] = request_id
        status = 0
        started = time.monotonic()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                snapshot = self._live.state.snapshot
                commit = snapshot.commit if snapshot is not None and snapshot.commit is not None else ""
                message["headers"] = [
                    *message.get("headers", []),
                    (b"request-id", request_id.encode()),
                    (b"registry-commit", commit.encode()),
                    (b"access-control-expose-headers", _EXPOSED.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._metrics.count_request(scope["method"], status, time.monotonic() - started)
            self._log(_log_line(scope, status, request_id, self._live))


def _log_line(scope: Scope, status: int, request_id: str, live: BranchRegistry) -> str:
    snapshot = live.state.snapshot
    commit = snapshot.commit if snapshot is not None else None
    path = quote(scope["path"], safe=PLAIN_IN_PATHS)
    client = scope["client"][0] if scope.get("client") else "-"
    user = scope.get("registry.user", "-")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return f"{now} {client} {user!r} {scope['method']} {path} {status} {request_id} {(commit or '-')[:12]}"
