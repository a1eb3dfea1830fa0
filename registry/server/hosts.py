"""Check of the `Host` header, as protection against DNS rebinding.

For a browser, a page on `evil.example` whose name resolves to 127.0.0.1 has the same origin as a server on
this machine. Only the `Host` header (RFC 9110, section 7.2) reveals the difference. A server on a loopback
address therefore accepts only names that cannot belong to another machine, and names that the operator
allows.
"""

import re
import socket
from collections.abc import Iterable

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from registry.model.ip_addresses import parse_address

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{0,5})?\Z")
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def is_loopback(host: str) -> bool:
    """Return True for an address (or the name `localhost`) that only this machine can reach."""
    address = parse_address(host)
    if address is None:
        return _normalized(host) == "localhost" or _normalized(host).endswith(".localhost")
    return address.is_loopback


def host_of(header: str) -> str | None:
    """Return the host in a `Host` header, or None if the header is malformed.

    The host is in lower case, without port, brackets and trailing dot.
    """
    found = _HOST.match(header)
    return _normalized(found[1] or found[2]) if found else None


def _normalized(host: str) -> str:
    return host.lower().removesuffix(".")


class AllowedHosts:
    """Decides which `Host` headers are accepted.

    Connections to a loopback address are restricted. If the operator names hosts, all connections are.
    """

    def __init__(self, listening: str, named: Iterable[str] = ()) -> None:
        """Take the host that the server listens on and the hosts of `--allow-host`."""
        self._named = {_normalized(one.strip("[]")) for one in named}
        # On some systems the machine's own name resolves to a loopback address; no other machine can claim it
        # there.
        self._own = {_normalized(listening.strip("[]")), _normalized(socket.gethostname())}

    def allows(self, header: str, local_address: str) -> bool:
        """Return True if a request with this `Host` header, received on `local_address`, may be answered."""
        if not self._named and not is_loopback(local_address):
            return True
        host = host_of(header)
        return host is not None and (host in self._named or host in self._own or is_loopback(host))


class HostGuard:
    """ASGI middleware that rejects requests by their `Host` header.

    Answers 403 for hosts that are not allowed, and 400 for requests without or with several `Host` headers.
    """

    def __init__(self, app: ASGIApp, allowed: AllowedHosts) -> None:
        """Guard `app` with the rules of `allowed`."""
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        is_old = scope.get("http_version") == "1.0"  # HTTP/1.0 may omit it (RFC 9112, section 3.2)
        # Several headers are ambiguous: a proxy in front may have checked another one (RFC 9112, section
        # 3.2).
        if len(given) > 1 or (not given and not is_old):
            await _refuse(400, "a request needs one Host header", scope, receive, send)
        elif given and not self._allowed.allows(given[0].strip(), _local_address(scope)):
            host = host_of(given[0].strip())
            hint = f"; to allow it, start the server with --allow-host {host}" if host else ""
            await _refuse(
                403,
                f"this server does not accept requests for {host or 'this host name'}{hint}",
                scope,
                receive,
                send,
            )
        else:
            await self._app(scope, receive, send)


def _local_address(scope: Scope) -> str:
    server = scope.get("server")
    # Without a TCP socket the address is unknown: apply the restrictions of a loopback address.
    return str(server[0]) if server else "127.0.0.1"


async def _refuse(status: int, message: str, scope: Scope, receive: Receive, send: Send) -> None:
    is_api = "/api/" in f"{scope['path']}/"
    response = (
        JSONResponse({"error": message}, status, _HEADERS)
        if is_api
        else PlainTextResponse(f"{message}\n", status, _HEADERS)
    )
    await response(scope, receive, send)
