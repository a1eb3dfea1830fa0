"""Listening socket of the server, and the notation of its address."""

from __future__ import annotations

import socket

from registry.errors import UsageError


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the first address of `host`.

    `host` is a name, or an address without brackets. Raises UsageError when the socket cannot be bound.
    """
    if not host:
        raise UsageError(
            "--host is empty",
            "use 0.0.0.0 for every address of this machine, or omit --host for this machine only",
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a host name"
        raise UsageError(
            f"cannot listen on {url_host(host)}: {reason}", "name an address of this machine with --host"
        ) from error
    # For a name with both address families use IPv4: most programs take `localhost` as IPv4.
    family, kind, protocol, _, address = next((one for one in found if one[0] == socket.AF_INET), found[0])
    try:
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"cannot listen on {url_host(host)}:{port}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {url_host(host)}:{port}: {error.strerror}",
            "choose another with --port or --host",
        ) from error
    return listener


def url_host(host: str) -> str:
    """Return a host as written in a URL.

    IPv6 addresses are in brackets (RFC 3986, section 3.2.2) with the zone escaped (RFC 6874).
    """
    return f"[{host.replace('%', '%25')}]" if ":" in host else host
