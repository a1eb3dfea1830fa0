"""Which pages of other origins may read the API in a browser (Fetch standard, "CORS protocol").

What is committed may be read by every page, as on a static host. What is not committed yet is for nobody but whoever edits it:
a page on the web must not read it from the author's machine. `--cors ORIGIN` names origins that may read everything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

METHODS = "GET, HEAD, OPTIONS"
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?\Z")
_SIMPLE_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*\Z")
_PREFLIGHT_VALID_S = 600


class CorsPolicy:
    """Decides the `Access-Control-*` headers of answers below `api/`."""

    def __init__(self, origins: Sequence[str] = ()) -> None:
        """`origins` are those of `--cors`: `https://host[:port]`, or `*`. Raises UsageError for anything else."""
        self._origins = {_checked(origin) for origin in origins}

    def allowed_origin(self, origin: str, *, is_committed: bool) -> str:
        """The value of `Access-Control-Allow-Origin` for a request with this `Origin` ("" for none); "" for no such header."""
        if not self._origins:
            return "*" if is_committed else ""
        if "*" in self._origins:
            return "*"
        return origin if origin in self._origins else ""

    def headers(self, allowed: str) -> dict[str, str]:
        """The headers of an answer, for what `allowed_origin` gave."""
        vary = {"vary": "origin"} if self._origins and "*" not in self._origins else {}
        return {**vary, **({"access-control-allow-origin": allowed} if allowed else {})}

    def preflight_headers(self, allowed: str, requested_headers: str) -> dict[str, str]:
        """The headers of an answer to OPTIONS; `requested_headers` is `Access-Control-Request-Headers`, "" for none."""
        headers = self.headers(allowed)
        if allowed:
            headers["access-control-allow-methods"] = METHODS
            headers["access-control-max-age"] = str(_PREFLIGHT_VALID_S)
            # Reading with any header is harmless: there is no login that a page could use.
            if len(requested_headers) <= 1000 and _SIMPLE_NAMES.match(requested_headers):
                headers["access-control-allow-headers"] = requested_headers
        return headers


def _checked(origin: str) -> str:
    found = origin.strip().rstrip("/").lower()
    if found != "*" and not _ORIGIN.match(found):
        raise UsageError(
            f"--cors {origin!r} is not an origin",
            "write scheme and host, as in --cors https://app.example.org, or --cors '*'",
        )
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if found.startswith(scheme):
            found = found.removesuffix(port)  # browsers leave the usual port out
    return found
