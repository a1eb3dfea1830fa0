"""Lists of the MCP Registry API that a static host cannot answer: limit, search, time and version.

Source: OpenAPI "MCP Server Registry API" of 2025-12-01. Invalid values get status 400; unknown parameters are
ignored.
"""

from __future__ import annotations

import heapq
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

import orjson

from registry.render.mcp import MCP_PAGE_SIZE, deleted_after, server_list_body, server_versions, servers_after
from registry.server.lists import WrongQueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition
    from registry.snapshot import Snapshot, Tombstone

_MOST_AT_ONCE = 100
_MOST_PARAMETERS = 100
_LONGEST_NUMBER = 100
# A version is found in the history of a server, so one request examines only so many. Its answer can have
# fewer servers than asked for, and a cursor.
_MOST_EXAMINED = 200
_LATEST = "latest"
_RFC_3339 = re.compile(
    r"([0-9]{4})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:([0-9]{2})(?:\.[0-9]{1,20})?(?:Z|[+-][0-9]{2}:[0-9]{2})\Z"
)
_NOT_A_TIME = WrongQueryError("updated_since is not a time, as in 2026-03-01T00:00:00Z")


class ServerQuery(NamedTuple):
    """The parameters of a list. `since` None means any time, `version` "" the newest."""

    after: int
    limit: int
    search: str
    since: datetime | None
    version: str
    with_deleted: bool


def parse_query(query: str) -> ServerQuery:
    """Return the parameters of a list. Raises WrongQueryError for an invalid value."""
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS))
    except ValueError as error:
        raise WrongQueryError(f"more than {_MOST_PARAMETERS} parameters") from error
    since = _time(given["updated_since"]) if "updated_since" in given else None
    deleted = given.get("include_deleted", "false").lower()
    if deleted not in ("true", "false"):
        raise WrongQueryError("include_deleted must be true or false")
    limit = _number("limit", given["limit"], least=1) if "limit" in given else MCP_PAGE_SIZE
    version = given.get("version", "")
    return ServerQuery(
        # Clients send an empty cursor for the first page.
        after=_number("cursor", given.get("cursor") or "0"),
        limit=min(limit, _MOST_AT_ONCE),
        search=given.get("search", "").strip().casefold(),
        since=since,
        version="" if version == _LATEST else version,
        # A client that asks for what changed must learn of deletions.
        with_deleted=deleted == "true" or since is not None,
    )


def servers_answer(snapshot: Snapshot, query: str) -> bytes:
    """Return the answer to `/v0.1/servers?query`. Raises WrongQueryError for an invalid parameter."""
    asked = parse_query(query)
    bodies: list[bytes] = []
    examined, last = 0, asked.after
    for one in _candidates(snapshot, asked):
        if len(bodies) == asked.limit or examined == _MOST_EXAMINED:
            return server_list_body(bodies, last)
        body = _body_of(snapshot, one, asked.version)
        bodies += [body] if body is not None else []
        examined, last = examined + 1, one.id or 0
    return server_list_body(bodies)


def _candidates(snapshot: Snapshot, asked: ServerQuery) -> Iterator[Definition | Tombstone]:
    """Yield the servers that match all parameters except the version, in order of id."""
    found: Iterator[Definition | Tombstone] = servers_after(snapshot, asked.after)
    if asked.with_deleted:
        found = heapq.merge(found, deleted_after(snapshot, asked.after), key=lambda one: one.id or 0)
    for one in found:
        if asked.search in _searched(one) and (
            asked.since is None or _changed_since(snapshot, one, asked.since)
        ):
            yield one


def _searched(one: Definition | Tombstone) -> str:
    """Return the name of a server and its title; a deleted one has a name only."""
    title = one.summary.title if isinstance(one, tuple) else ""
    return f"{one.name}\n{title}".casefold()


def _changed_since(snapshot: Snapshot, one: Definition | Tombstone, since: datetime) -> bool:
    newest = snapshot.revisions_of_any(one).newest_change
    if newest is None or newest.commit is None:
        return True  # not committed yet
    try:
        return datetime.fromisoformat(newest.date) >= since
    except ValueError:
        return True


def _body_of(snapshot: Snapshot, one: Definition | Tombstone, version: str) -> bytes | None:
    """Return the answer for a version of a server, or None if it has none. "" means the newest."""
    for body in server_versions(snapshot, one):
        if not version or orjson.loads(body)["server"]["version"] == version:
            return body
    return None


def _number(name: str, text: str, least: int = 0) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER and int(text) >= least):
        raise WrongQueryError(f"{name} is not valid")
    return int(text)


def _time(text: str) -> datetime:
    """Return a time in the form of RFC 3339, in UTC. Raises WrongQueryError for another form."""
    # In a query `+` is a blank, and clients forget to encode the one of `+02:00`.
    text = text.upper().replace(" ", "+")
    found = _RFC_3339.match(text)
    if found is None:
        raise _NOT_A_TIME
    is_leap_second, year = found[2] == "60", max(1, int(found[1]))
    text = f"{year:04}{text[4:17]}{59 if is_leap_second else found[2]}{text[19:]}"
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if year == 1 else datetime.max.replace(tzinfo=UTC)
    except ValueError as error:
        raise _NOT_A_TIME from error
