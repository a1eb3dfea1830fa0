"""One answer of the JSON API by its file, without the other answers that a site has with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.model import addresses
from registry.render import json_api
from registry.render.target import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot import Snapshot, Tombstone

_NUMBER = r"([1-9][0-9]{0,15})"
_PAGE = re.compile(rf"page/{_NUMBER}\Z")
_BY_ID = re.compile(rf"{_NUMBER}(?:/(history)|/revisions/{_NUMBER})?\Z")
_BY_NAME = "by-name/"


def answer(snapshot: Snapshot, file: str) -> bytes | None:
    """Return the bytes of a file below `api/`; None if it is not one of those that are found here.

    The bytes are those of the same file of a site. Files about all definitions of a kind, and those that do
    not depend on definitions, are not found here.
    """
    if file == addresses.API_SNAPSHOT:
        return to_json(json_api.snapshot_body(snapshot))
    if file == addresses.API_LEDGER:
        return snapshot.ledger.text.encode()
    place = file.removesuffix(f"/{addresses.API_INDEX}")
    if place == file:
        place = file.removesuffix(addresses.TWIN_ENDING)
    start, _, rest = place.partition("/")
    name, _, rest = rest.partition("/")
    kind = snapshot.kinds.by_name.get(name)
    if place == file or start != addresses.API or kind is None:
        return None
    return _of_kind(snapshot, kind, rest) if rest else json_api.list_page_body(snapshot, kind, 1)


def _of_kind(snapshot: Snapshot, kind: Kind, place: str) -> bytes | None:
    """Return the answer at a place below that of a kind's list."""
    page = _PAGE.match(place)
    if page is not None:
        return _page(snapshot, kind, int(page[1]))
    if place.startswith(_BY_NAME):
        return _by_name(snapshot, kind, place.removeprefix(_BY_NAME))
    found = _BY_ID.match(place)
    return _by_id(snapshot, kind, *found.groups()) if found is not None else None


def _page(snapshot: Snapshot, kind: Kind, page: int) -> bytes | None:
    total = len(json_api.published(snapshot, kind.name))
    is_there = 1 < page <= json_api.page_count(total, snapshot.settings.page_size)
    return json_api.list_page_body(snapshot, kind, page) if is_there else None


def _by_name(snapshot: Snapshot, kind: Kind, name: str) -> bytes | None:
    definition = snapshot.by_name.get((kind.name, name))
    if definition is not None:
        return json_api.detail_bytes(snapshot, definition) + b"\n"
    tombstone = snapshot.tombstone_named(kind.name, name)
    return to_json(json_api.tombstone_body(snapshot, tombstone)) if tombstone is not None else None


def _by_id(
    snapshot: Snapshot, kind: Kind, number: str, history: str | None, revision: str | None
) -> bytes | None:
    there: Definition | Tombstone | None = snapshot.definition(kind.name, int(number))
    if there is None:
        there = snapshot.tombstone(kind.name, int(number))
    if there is None:
        return None
    if history or revision:
        revisions = snapshot.revisions_of_any(there)
        if history:
            return _history(snapshot, there, revisions)
        return _revision(snapshot, there, revisions, int(revision or 0))
    if isinstance(there, tuple):
        return json_api.detail_bytes(snapshot, there) + b"\n"
    return to_json(json_api.tombstone_body(snapshot, there))


def _history(snapshot: Snapshot, there: Definition | Tombstone, revisions: Sequence[Revision]) -> bytes:
    bodies = [json_api.revision_with_content(snapshot, one) for one in revisions]
    return to_json(json_api.history_body(snapshot, there.id, there.name, bodies))


def _revision(
    snapshot: Snapshot, there: Definition | Tombstone, revisions: Sequence[Revision], number: int
) -> bytes | None:
    if not snapshot.settings.shows_revisions or number > len(revisions):
        return None
    found = json_api.revision_with_content(snapshot, revisions[number - 1])
    return to_json(json_api.revision_body(snapshot, there.id, found))
