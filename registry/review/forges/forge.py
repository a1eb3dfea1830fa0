"""The interface of every forge, and a client for their REST services."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from registry.errors import UsageError
from registry.load.foreign_json import read_json
from registry.model.values import map_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S = 30
# Responses of forges have about a dozen.
_DEEPEST = 100
_READ_AT_MOST = 16 * 1024 * 1024
_PAGE = 100
_MOST_PAGES = 50


class Comment(NamedTuple):
    """One comment. `is_ours` is True if our token wrote it."""

    id: int
    body: str
    address: str
    is_ours: bool


class Forge(Protocol):
    """One pull or merge request on one forge."""

    def comments(self) -> Iterator[Comment]:
        """Yield its comments, oldest first."""

    def create(self, body: str) -> str:
        """Create a comment. Returns its address."""

    def update(self, comment: int, body: str) -> str:
        """Replace the text of a comment. Returns its address."""


def needed(environment: Mapping[str, str], name: str) -> str:
    """Return a variable that the job must have. Raises UsageError if it is missing."""
    if not environment.get(name):
        raise UsageError(
            f"the variable {name} is not set", "run this command in a CI job; see docs/reviewer.md"
        )
    return environment[name]


def event(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the event that started the job, which GitHub and Forgejo provide in a file.

    Raises UsageError if it cannot be read.
    """
    path = Path(needed(environment, "GITHUB_EVENT_PATH"))
    try:
        found = read_json(path.read_bytes(), deepest=_DEEPEST)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the event of the job from {path}") from error
    return map_of(found)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: the token must not be sent to another host."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


class Rest:
    """A client for a REST service with JSON and one token."""

    def __init__(self, base: str, headers: Mapping[str, str]) -> None:
        """`base` is the prefix of all paths; `headers` contain the token."""
        if urlsplit(base).scheme not in ("https", "http"):
            raise UsageError(f"{base!r} is not an http or https URL")
        self._base = base.rstrip("/")
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "process-registry",
            **headers,
        }
        self._opener = urllib.request.build_opener(_NoRedirect)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the JSON of the response. Raises UsageError unless it succeeds."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._base + path, data=data, headers=self._headers, method=method)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return read_json(answer.read(_READ_AT_MOST), deepest=_DEEPEST)
        except urllib.error.HTTPError as error:
            hint = (
                "check the permissions of the token" if error.code in (401, 403, 404) else "run the job again"
            )
            raise UsageError(
                f"{method} {self._base}{path} returned {error.code} {error.reason}", hint
            ) from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"no valid response from {self._base}: {getattr(error, 'reason', error)}",
                "run the job again",
            ) from error

    def pages(self, path: str, size: str = "per_page") -> Iterator[dict[str, Any]]:
        """Yield the elements of all pages of a list."""
        for page in range(1, _MOST_PAGES + 1):
            found = self.ask("GET", f"{path}{'&' if '?' in path else '?'}{size}={_PAGE}&page={page}")
            listed = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
            yield from listed
            if len(listed) < _PAGE:
                return
