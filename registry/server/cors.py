"""Cross-origin access to the API from browsers (Fetch standard, "CORS protocol").

Every page may read committed content, as on a static host. Uncommitted content is private to its author: a
page on the web must not read it from the author's machine. `--cors ORIGIN` names origins that may read
everything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.errors import UsageError
from registry.model.http_headers import MCP_HEADERS

if TYPE_CHECKING:
    from collections.abc import Sequence

METHODS = "GET, HEAD, OPTIONS"
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?\Z")
_SIMPLE_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*\Z")
# Firefox and Chromium shorten longer times to their own limits; ten minutes are within both.
_PREFLIGHT_VALID_S = 600


class CorsPolicy:
    """Decides the `Access-Control-*` headers of answers below `api/`."""

    def __init__(self, origins: Sequence[str] = (), *, is_closed: bool = False) -> None:
        """Take the values of `--cors`: `https://host[:port]` or `*`. `is_closed`: no origin may read.

        Raises UsageError for any other value.
        """
        self._origins = {_checked(origin) for origin in origins}
        self._is_closed = is_closed

    def allowed_origin(self, origin: str, *, is_committed: bool) -> str:
        """Return the value of `Access-Control-Allow-Origin` for a request, or "" to omit the header.

        `origin` is the `Origin` header of the request, or "" without one.
        """
        if self._is_closed:
            return ""
        if not self._origins:
            return "*" if is_committed else ""
        if "*" in self._origins:
            return "*"
        return origin if origin in self._origins else ""

    def headers(self, allowed: str) -> dict[str, str]:
        """Return the CORS headers of an answer; `allowed` is the result of `allowed_origin`."""
        vary = {"vary": "origin"} if self._origins and "*" not in self._origins else {}
        return {**vary, **({"access-control-allow-origin": allowed} if allowed else {})}

    def preflight_headers(self, allowed: str, requested_headers: str) -> dict[str, str]:
        """Return the CORS headers of an answer to OPTIONS.

        `requested_headers` is the value of `Access-Control-Request-Headers`, or "" without one.
        """
        headers = self.headers(allowed)
        if allowed:
            headers["access-control-allow-methods"] = METHODS
            headers["access-control-max-age"] = str(_PREFLIGHT_VALID_S)
            # Requests with any header are harmless: there is no login that a page could use.
            if len(requested_headers) <= 1000 and _SIMPLE_NAMES.match(requested_headers):
                headers["access-control-allow-headers"] = requested_headers
        return headers

    def mcp_headers(self, allowed: str) -> dict[str, str]:
        """Return the CORS headers of an answer of the MCP Registry API, the same for GET and OPTIONS."""
        fixed = {name.lower(): value for name, value in MCP_HEADERS.items()} if allowed else {}
        return {**fixed, **self.headers(allowed)}


def _checked(origin: str) -> str:
    found = origin.strip().rstrip("/").lower()
    if found != "*" and not _ORIGIN.match(found):
        raise UsageError(
            f"--cors {origin!r} is not an origin",
            "write scheme and host, as in --cors https://app.example.org, or --cors '*'",
        )
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if found.startswith(scheme):
            found = found.removesuffix(port)  # browsers omit the default port
    return found
