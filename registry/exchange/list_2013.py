"""Reads the list of a 2013 service, or of this registry, by its address.

The list has pages; `next` is the address of the following one. Only one host is asked, with TLS verified.
"""

import base64
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from registry.errors import UsageError
from registry.exchange.json_2013 import no_constant, unique_keys
from registry.load.foreign_json import read_json
from registry.load.yaml import MAX_DEPTH

_MAX_BYTES = 256 * 1024 * 1024
_MAX_PAGES = 10_000
_MAX_REDIRECTS = 5
_TIMEOUT_S = 30.0
# For all pages: a server that sends a byte now and then would otherwise block forever.
_DEADLINE_S = 600.0
_READ_BYTES = 256 * 1024
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Login:
    """User and password for HTTP Basic authentication."""

    user: str
    password: str


def is_address(text: str) -> bool:
    """True for a URL of HTTP."""
    return text.lower().startswith(("http://", "https://"))


def user_of(address: str) -> str:
    """Return the user in an address, or "". Raises UsageError for a password in it, and for a bad address."""
    parts = _parts(address)
    if parts.password is not None:
        raise UsageError(
            "the address contains a password, which other users of this machine can see",
            "remove it, and set the variable REGISTRY_IMPORT_PASSWORD",
        )
    return parts.username or ""


def read_list(address: str, login: Login | None) -> str:
    """Return JSON with the `objects` of all pages of a list, or the only object at the address.

    Raises UsageError when an answer is not what a 2013 service gives, or exceeds the limits of size and time.
    """
    reader = _Reader(address, login)
    where: str | None = reader.start
    objects: list[Any] = []
    total = None
    seen: set[str] = set()
    while where is not None:
        if where in seen or len(seen) == _MAX_PAGES:
            raise UsageError(f"{where} is not the end of the list", "its pages point at each other")
        seen.add(where)
        page, base = reader.page(where)
        if "objects" not in page and where == reader.start:
            return json.dumps(page)
        meta = page.get("meta")
        if not isinstance(page.get("objects"), list) or not isinstance(meta, dict):
            raise UsageError(f"{where} is not a page of a list", "it has no `objects` and `meta`")
        objects += page["objects"]
        total = meta.get("total_count", total)
        following = meta.get("next")
        if not isinstance(following, str | None):
            raise UsageError(f"{where} is not a page of a list", "its `next` is not an address")
        where = reader.following(base, following) if following else None
    _require_complete(address, objects, total)
    return json.dumps({"objects": objects})


def _require_complete(address: str, objects: list[Any], total: object) -> None:
    """Raise UsageError if the list changed while it was read: entries would be missing."""
    ids = [one.get("id") for one in objects if isinstance(one, dict)]
    if (isinstance(total, int) and total != len(objects)) or len(set(map(str, ids))) < len(ids):
        raise UsageError(
            f"{address} listed {len(objects):,} entries of {total}", "the list changed meanwhile: try again"
        )


class _Reader:
    def __init__(self, address: str, login: Login | None) -> None:
        parts = _parts(address)
        host = parts.netloc.rpartition("@")[2]
        self.start = urlunsplit((parts.scheme.lower(), host, parts.path or "/", parts.query, ""))
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if login is not None:
            token = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"
        self._opener = urllib.request.build_opener(_Redirects(self.start))
        self._end = time.monotonic() + _DEADLINE_S
        self._bytes = 0

    def following(self, base: str, address: str) -> str:
        """Return the address of a further page. Raises UsageError for one on another host."""
        found = urljoin(base, address)
        if not _is_same_host(self.start, found):
            raise UsageError(
                f"the next page of {base} is on another host, {urlsplit(found).netloc}",
                "only one host is asked: import that address, too",
            )
        return found

    def page(self, address: str) -> tuple[dict[str, Any], str]:
        """Return the JSON object at an address, and the address that it was found at."""
        data, base = self._get(address)
        try:
            found = read_json(data, deepest=MAX_DEPTH + 8, pairs=unique_keys, constant=no_constant)
        except UsageError as error:
            raise UsageError(f"{address}: {error.message}", error.hint) from error
        except ValueError as error:
            raise UsageError(f"{address} is not JSON: {error}", "give the address of the list") from error
        if not isinstance(found, dict):
            raise UsageError(f"{address} is not a JSON object", "give the address of the list")
        return found, base

    def _get(self, address: str) -> tuple[bytes, str]:
        request = urllib.request.Request(address, headers=self._headers)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise UsageError(f"{address} is compressed, which was not asked for")
                data = b"".join(iter(lambda: self._part(address, answer), b""))
                # `read1` does not report that a connection ended early.
                if answer.headers.get("Content-Length", str(len(data))) != str(len(data)):
                    raise UsageError(f"{address} cannot be read: the answer is incomplete")
                return data, answer.url
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(address, error.code, has_login="Authorization" in self._headers) from error
        except (OSError, HTTPException) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
            raise UsageError(f"{address} cannot be read: {reason}") from error

    def _part(self, address: str, answer: IO[bytes]) -> bytes:
        part = answer.read1(_READ_BYTES)  # type: ignore[attr-defined]
        self._bytes += len(part)
        if self._bytes > _MAX_BYTES:
            raise UsageError(f"{address}: the list has more than {_MAX_BYTES:,} bytes")
        if time.monotonic() > self._end:
            raise UsageError(f"{address}: the list took more than {_DEADLINE_S:,.0f} s")
        assert isinstance(part, bytes)
        return part


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects of one host only: another one must not get the password."""

    max_redirections = _MAX_REDIRECTS
    max_repeats = _MAX_REDIRECTS

    def __init__(self, start: str) -> None:
        self._start = start

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not _is_same_host(self._start, newurl):
            fp.close()
            raise UsageError(
                f"{req.full_url} moved to another host: {newurl}", "if that is right, import that address"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _parts(address: str) -> SplitResult:
    """Return the parts of an address of HTTP. Raises UsageError for another one."""
    try:
        parts = urlsplit(address)
        is_valid = parts.scheme.lower() in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or any(char <= " " or char == "\x7f" for char in address):
        raise UsageError(f"{address!r} is not an address", "as in https://host/api/process_definition/")
    return parts


def _is_same_host(one: str, other: str) -> bool:
    """True for the same host and port, and for a change from http to https."""
    try:
        first, second = urlsplit(one), urlsplit(other)
        ports = [parts.port or _PORTS.get(parts.scheme) for parts in (first, second)]
    except ValueError:
        return False
    is_safer = (first.scheme, second.scheme) == ("http", "https")
    is_same = first.scheme == second.scheme and ports[0] == ports[1]
    return first.hostname == second.hostname and (is_safer or is_same)


def _refused(address: str, status: int, *, has_login: bool) -> UsageError:
    hints = {
        401: "the password is wrong: REGISTRY_IMPORT_PASSWORD"
        if has_login
        else "it needs a login: name the user as in http://USER@host/…, with REGISTRY_IMPORT_PASSWORD",
        404: "give the address of the list, as in https://host/api/process_definition/",
    }
    return UsageError(f"{address} answers HTTP {status}", hints.get(status, ""))
