"""The MCP Registry API v0.1: `v0.1/servers…`, where the settings name the protocol `mcp`.

Assistants read it to find tool servers. Source: OpenAPI "MCP Server Registry API" of 2025-12-01 and the
schema of `server.json` of 2025-12-11, both of the project modelcontextprotocol/registry.

Each version that the file of a server had in the history is a version of the server. A list has the newest
version of each server in order of id, so a new server comes last; its cursor is the id of the last server on
the page before. A host without query parameters therefore serves the first page as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from registry.cache.build_cache import Table
from registry.model import addresses
from registry.model.addresses import folded
from registry.model.values import list_of, map_of
from registry.render.target import File, Target, TargetGroup, digest_of
from registry.snapshot import Tombstone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot import Snapshot

PROTOCOL = "mcp"
KIND = "mcp_server"
MCP_PAGE_SIZE = 30
"""Number of servers on a page of the list: the default of the specification."""
_OFFICIAL = "io.modelcontextprotocol.registry/official"
_NAME = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+\Z")
# A version is a folder of a site, beside `latest` and the file `index.json`.
_VERSION = re.compile(r"(?!latest\Z|index\.)[a-z0-9][a-z0-9._+-]{0,254}\Z")
_LATEST = "latest"
SERVER_VERSIONS: Table[bytes] = Table("mcp", bytes, bytes, in_pieces=False)
"""The answers for all versions of a server, newest first, one per line, by name.

The digest is the fingerprint of the definition.
"""


def serves_mcp(snapshot: Snapshot) -> bool:
    """Return True if the registry answers the MCP Registry API."""
    return PROTOCOL in snapshot.settings.protocols and KIND in snapshot.kinds.by_name


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target | TargetGroup]:
    """Yield the pages of the list of servers and the versions of each; nothing without the setting."""
    if not serves_mcp(snapshot):
        return
    after: int | None = 0
    while after is not None:
        shown, following = page_after(snapshot, after)
        yield _page(snapshot, after, shown, following)
        after = following
    yield _servers(snapshot, [one for one in snapshot.published[KIND] if _NAME.match(one.name)])
    for tombstone in deleted_after(snapshot, 0):
        yield _server(snapshot, tombstone, snapshot.fingerprint_of_tombstone(tombstone))


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target with a file of the API, or None."""
    found = addresses.parse_mcp_file(path)
    if found is None or not serves_mcp(snapshot):
        return None
    if isinstance(found, int):
        shown, following = page_after(snapshot, found)
        return _page(snapshot, found, shown, following)
    definition = snapshot.by_name.get((KIND, found))
    if definition is not None and definition.id is not None:
        return _server(snapshot, definition, snapshot.fingerprint_of(definition))
    tombstone = snapshot.tombstone_named(KIND, found)
    if tombstone is None or not _NAME.match(found):
        return None
    return _server(snapshot, tombstone, snapshot.fingerprint_of_tombstone(tombstone))


def servers_after(snapshot: Snapshot, after: int) -> Iterator[Definition]:
    """Yield the servers with larger ids, in order of id."""
    listed = snapshot.published[KIND]
    start = bisect_right(listed, after, key=lambda one: one.id or 0)
    return (one for one in islice(listed, start, None) if _NAME.match(one.name))


def deleted_after(snapshot: Snapshot, after: int) -> Iterator[Tombstone]:
    """Return the deleted servers with larger ids that are found by their names, in order of id."""
    found = snapshot.tombstones.of_kind(KIND)
    start = bisect_right(found, after, key=lambda one: one.id)
    return (
        one for one in islice(found, start, None) if _NAME.match(one.name) and snapshot.answers_by_name(one)
    )


def page_after(snapshot: Snapshot, after: int) -> tuple[list[Definition], int | None]:
    """Return the servers on the page after an id, and the id after which the next page starts, or None."""
    found = list(islice(servers_after(snapshot, after), MCP_PAGE_SIZE + 1))
    shown = found[:MCP_PAGE_SIZE]
    return shown, shown[-1].id if len(found) > MCP_PAGE_SIZE else None


def server_list_body(bodies: Sequence[bytes], following: int | None = None) -> bytes:
    """Return a list from the answers of its servers; `following` is the cursor of the next page."""
    metadata = (
        {"count": len(bodies)} if following is None else {"nextCursor": str(following), "count": len(bodies)}
    )
    return b'{"servers":[' + b",".join(bodies) + b'],"metadata":' + orjson.dumps(metadata) + b"}\n"


def server_versions(snapshot: Snapshot, one: Definition | Tombstone) -> list[bytes]:
    """Return the answers for the versions of a server, newest first.

    A deleted server has none if no commit that is here has its content.
    """
    if isinstance(one, Tombstone):
        # The name can be in use again.
        key, digest = f"{one.name}#{one.id}", snapshot.fingerprint_of_tombstone(one)
    else:
        key, digest = one.name, snapshot.fingerprint_of(one)
    make = partial(_compute, snapshot, key, one)
    return snapshot.cache.get_or_compute(SERVER_VERSIONS, {key: digest}, make)[key].splitlines()


def _compute(snapshot: Snapshot, key: str, one: Definition | Tombstone, _: Sequence[str]) -> dict[str, bytes]:
    return {key: b"\n".join(orjson.dumps(body) for body in _version_bodies(snapshot, one))}


class _Version:
    """One version of a server: its content, and the dates of the commits that had it, newest first."""

    def __init__(self, server: dict[str, Any], *, is_deprecated: bool) -> None:
        self.server = server
        self.is_deprecated = is_deprecated
        self.dates: list[str] = []


def _version_bodies(snapshot: Snapshot, one: Definition | Tombstone) -> Iterator[dict[str, Any]]:
    """Yield the answers for the versions of a server, newest first."""
    is_deleted = isinstance(one, Tombstone)
    found = _versions(snapshot, one)
    shown = found if snapshot.settings.shows_revisions else found[:1]
    withdrawn = [] if isinstance(one, Tombstone) else list_of(one.data.get("withdrawn"))
    for place, version in enumerate(shown):
        is_gone = is_deleted or (place > 0 and version.server.get("version") in withdrawn)
        # A deprecated server is so in all of its versions.
        is_deprecated = version.is_deprecated or found[0].is_deprecated
        status = "deleted" if is_gone else "deprecated" if is_deprecated else "active"
        official: dict[str, Any] = {"status": status}
        if version.dates:
            # What is not committed yet has no dates.
            official |= {"publishedAt": version.dates[-1], "updatedAt": version.dates[0]}
        official["isLatest"] = place == 0 and not is_deleted
        yield {"server": version.server, "_meta": {_OFFICIAL: official}}


def _versions(snapshot: Snapshot, one: Definition | Tombstone) -> list[_Version]:
    """Return the versions in a history, each with the content of the last commit that had it.

    The one that a commit had last is the first.
    """
    found: dict[str, _Version] = {}
    if not isinstance(one, Tombstone):
        # Its name is that of the file, so that each address answers about its own server.
        server = {**map_of((snapshot.contents.get(one.blob) or {}).get("definition")), "name": one.name}
        is_deprecated = one.summary.lifecycle == "deprecated"
        found[folded(str(server.get("version")))] = _Version(server, is_deprecated=is_deprecated)
    revisions = snapshot.revisions_of_any(one)
    for blob, revision in _contents(one, revisions):
        document = snapshot.contents.get(blob) or {}
        server = map_of(document.get("definition"))
        version = server.get("version")
        if server.get("name") != one.name or not isinstance(version, str):
            continue
        # Some file systems ignore case: the older one of two such versions has no address.
        place = folded(version)
        if place not in found:
            if not _VERSION.match(place) or not _is_valid(snapshot, one, server):
                continue
            lifecycle = document.get("lifecycle")
            found[place] = _Version(server, is_deprecated=lifecycle == "deprecated")
        if (
            found[place].server.get("version") == version
            and revision is not None
            and revision.commit is not None
        ):
            date = _utc(revision.date)
            found[place].dates += [date] if date else []
    return list(found.values())


def _contents(
    one: Definition | Tombstone, revisions: Sequence[Revision]
) -> Iterator[tuple[str, Revision | None]]:
    """Yield the contents of a file, newest first, each with its revision."""
    for revision in reversed(revisions):
        if revision.blob is not None and not revision.only_assigns_id:
            yield revision.blob, revision
    if isinstance(one, Tombstone) and one.last_content is None and one.lost_blob is not None:
        yield one.lost_blob, None


def _is_valid(snapshot: Snapshot, one: Definition | Tombstone, server: dict[str, Any]) -> bool:
    """Return True if an older content fits the schema of today.

    Clients reject a whole list for one mistake.
    """
    around = {} if isinstance(one, Tombstone) else one.data
    return snapshot.kinds.by_name[KIND].validator.is_valid({**around, "definition": server})


def _utc(date: str) -> str:
    """Return a date of a commit as RFC 3339 in UTC; "" for one that no calendar has."""
    try:
        found = datetime.fromisoformat(date).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")


def _page(snapshot: Snapshot, after: int, shown: Sequence[Definition], following: int | None) -> Target:
    path = addresses.mcp_list(after)
    fingerprints = snapshot.fingerprints_of(shown)
    return Target(
        path,
        digest_of(snapshot.common_fingerprint, fingerprints, following),
        (path,),
        partial(_page_file, snapshot, path, shown, following),
        needs=partial(_blobs_of, snapshot, shown),
    )


def _page_file(
    snapshot: Snapshot, path: str, shown: Sequence[Definition], following: int | None
) -> Iterator[File]:
    bodies = [server_versions(snapshot, one)[0] for one in shown]
    yield File(addresses.mcp_file(path), server_list_body(bodies, following))


def _servers(snapshot: Snapshot, definitions: Sequence[Definition]) -> TargetGroup:
    fingerprints = snapshot.fingerprints_of(definitions)
    names = [addresses.mcp_server(one.name) for one in definitions]

    def target(number: int) -> Target:
        return _server(snapshot, definitions[number], fingerprints[number])

    return TargetGroup(
        names, fingerprints, target, lambda: {name: number for number, name in enumerate(names)}
    )


def _server(snapshot: Snapshot, one: Definition | Tombstone, fingerprint: str) -> Target:
    path = addresses.mcp_server(one.name)
    # A deleted server can have the address that a new one has at the next build.
    name = f"{path}#{one.id}" if isinstance(one, Tombstone) else path
    make, needs = partial(_server_files, snapshot, one), partial(_blobs_of, snapshot, [one])
    return Target(name, fingerprint, (path,), make, needs=needs)


def _server_files(snapshot: Snapshot, one: Definition | Tombstone) -> Iterator[File]:
    bodies = server_versions(snapshot, one)
    if not bodies:
        return
    yield File(addresses.mcp_file(addresses.mcp_versions(one.name)), server_list_body(bodies))
    for place, body in enumerate(bodies):
        version = orjson.loads(body)["server"]["version"]
        # A client that ignores the status must not install a deleted server: it has no newest version.
        latest = [_LATEST] if place == 0 and not isinstance(one, Tombstone) else []
        own = [version] if _VERSION.match(folded(version)) else []
        paths = [addresses.mcp_file(addresses.mcp_versions(one.name, name)) for name in (*own, *latest)]
        if paths:
            yield File(paths[0], body + b"\n", tuple(paths[1:]))


def _blobs_of(snapshot: Snapshot, some: Sequence[Definition | Tombstone]) -> Iterator[str]:
    for one in some:
        for blob, _ in _contents(one, snapshot.revisions_of_any(one)):
            yield blob
