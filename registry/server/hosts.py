"""Which `Host` headers are answered: the guard against DNS rebinding.

A page on `evil.example` whose name resolves to 127.0.0.1 is "same origin" with a server on this machine as far as the browser
knows. Only the `Host` header (RFC 9110, section 7.2) tells it apart, so a server on a loopback address answers to names that
cannot be given to another machine, and to those that the operator names.
"""

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{0,5})?\Z")
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def parse_address(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address that `host` spells, an IPv4 address inside IPv6 as IPv4; None for a name."""
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def is_loopback(host: str) -> bool:
    """True for an address (or the name `localhost`) that only this machine reaches."""
    address = parse_address(host)
    if address is None:
        return _normalized(host) == "localhost" or _normalized(host).endswith(".localhost")
    return address.is_loopback


def host_of(header: str) -> str | None:
    """The host in a `Host` header, in lower case, without port, brackets and last dot; None where it is malformed."""
    found = _HOST.match(header)
    return _normalized(found[1] or found[2]) if found else None


def _normalized(host: str) -> str:
    return host.lower().removesuffix(".")


class AllowedHosts:
    """The rule. Connections that arrive on a loopback address are restricted; all are once the operator names hosts."""

    def __init__(self, listening: str, named: Iterable[str] = ()) -> None:
        """`listening` is the host that the server listens on, `named` are the operator's (`--allow-host`)."""
        self._named = {_normalized(one.strip("[]")) for one in named}
        # The machine's own name resolves to a loopback address on some systems; nobody else can claim it there.
        self._own = {_normalized(listening.strip("[]")), _normalized(socket.gethostname())}

    def allows(self, header: str, local_address: str) -> bool:
        """Whether a request with this `Host` header, received on this address of ours, is answered."""
        if not self._named and not is_loopback(local_address):
            return True
        host = host_of(header)
        return host is not None and (host in self._named or host in self._own or is_loopback(host))


class HostGuard:
    """ASGI middleware that answers 403 to hosts that are not allowed, and 400 to requests with no or several `Host` headers."""

    def __init__(self, app: ASGIApp, allowed: AllowedHosts) -> None:
        """Guard `app`."""
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        is_old = scope.get("http_version") == "1.0"  # may leave it out (RFC 9112, section 3.2)
        if len(given) > 1 or (not given and not is_old):
            await _refuse(400, "a request needs one Host header", scope, receive, send)
        elif given and not self._allowed.allows(given[0].strip(), _local_address(scope)):
            host = host_of(given[0].strip())
            hint = f"; to allow it start the server with --allow-host {host}" if host else ""
            await _refuse(
                403, f"this server does not answer to {host or 'this host name'}{hint}", scope, receive, send
            )
        else:
            await self._app(scope, receive, send)


def _local_address(scope: Scope) -> str:
    server = scope.get("server")
    # Unknown (no TCP socket): restricted like a loopback address.
    return str(server[0]) if server else "127.0.0.1"


async def _refuse(status: int, message: str, scope: Scope, receive: Receive, send: Send) -> None:
    is_api = "/api/" in f"{scope['path']}/"
    response = (
        JSONResponse({"error": message}, status, _HEADERS)
        if is_api
        else PlainTextResponse(f"{message}\n", status, _HEADERS)
    )
    await response(scope, receive, send)
