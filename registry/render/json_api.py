"""The static JSON API: the 2013 service's addresses, envelope and key names, and what was added beside them.

The functions that end in `_body` give one answer each; the live server sends the same ones.
"""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from registry import __version__
from registry.cache.build_cache import Table
from registry.model import addresses
from registry.model.diff import MISSING, Change
from registry.render.target import File, Target, TargetGroup, fingerprint_of, json_file, target_of, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot import Snapshot, Tombstone

# So many ids are in one run of answers: of some hundred kilobytes, so that one edit costs little to make and to keep.
_IN_ONE_RUN = 128
_MOST_HELD = 16_384
ANSWERS: Table[bytes] = Table("answers", bytes, bytes, in_pieces=False)
"""Runs of answers, one a line, by kind and number of the run; the digest stands for the keys of their definitions."""
# Of a file's keys, those that are no part of an answer, or that the registry itself says. A kind's own schema may allow them, and
# no schema is sure of the last content of a deleted definition.
OURS = frozenset(
    {
        "definition",
        "id",
        "ignore",
        "resource_uri",
        "kind",
        "name",
        "by_name_uri",
        "history_uri",
        "revision",
        "deleted",
        "last_definition",
        "history",
    }
)


def render(snapshot: Snapshot) -> Iterator[Target | TargetGroup]:
    """Every file below `api/`, but for `openapi.json`."""
    yield target_of(addresses.API, json_file(addresses.API, index_body(snapshot)))
    yield target_of(addresses.API_SNAPSHOT, File(addresses.API_SNAPSHOT, to_json(snapshot_body(snapshot))))
    yield target_of(addresses.API_LEDGER, _ledger(snapshot))
    for kind in snapshot.kinds:
        yield from _lists(snapshot, kind)
        definitions = snapshot.by_kind[kind.name]
        yield _definitions(snapshot, kind.name, definitions, snapshot.keys_by_kind[kind.name])
        gone = [one for one in snapshot.tombstones if one.kind == kind.name]
        for tombstone in gone:
            key = snapshot.key_of_tombstone(tombstone)
            name = f"{addresses.api_list(kind.name)}#{tombstone.id}"
            yield Target(
                name, key, tombstone_places(snapshot, tombstone), partial(_tombstone, snapshot, tombstone)
            )


def render_one(snapshot: Snapshot, definition: Definition) -> Target:
    """The answers of one definition alone."""
    return _definitions(snapshot, definition.kind, [definition], [snapshot.key_of(definition)]).unit(0)


def _definitions(
    snapshot: Snapshot, kind: str, definitions: Sequence[Definition], keys: Sequence[str]
) -> TargetGroup:
    names = [f"{addresses.API}/{kind}:{one.name}" for one in definitions]

    def unit(number: int) -> Target:
        definition = definitions[number]
        by_name = addresses.api_by_name(kind, definition.name)
        places = (
            (by_name, addresses.api_detail(kind, definition.id)) if definition.id is not None else (by_name,)
        )
        return Target(names[number], keys[number], places, partial(_definition, snapshot, definition))

    def places() -> dict[str, int]:
        by_name = {addresses.api_by_name(kind, one.name): number for number, one in enumerate(definitions)}
        by_id = {
            addresses.api_detail(kind, one.id): number
            for number, one in enumerate(definitions)
            if one.id is not None
        }
        return by_name | by_id

    return TargetGroup(names, keys, unit, places)


def _ledger(snapshot: Snapshot) -> File:
    """`/api/ledger.ndjson`: every id ever given. A branch that was set back gets its ledger from here."""
    return File(addresses.API_LEDGER, snapshot.ledger.text.encode())


def _definition(snapshot: Snapshot, definition: Definition) -> Iterator[File]:
    data = detail_bytes(snapshot, definition) + b"\n"
    by_name = addresses.api_files(addresses.api_by_name(definition.kind, definition.name))
    if definition.id is None:
        yield File(by_name[0], data, by_name[1:])
    else:
        path, twin = addresses.api_files(addresses.api_detail(definition.kind, definition.id))
        yield File(path, data, (twin, *by_name))
        yield from _render_history(
            snapshot, definition.kind, definition.id, definition.name, snapshot.revisions_of(definition)
        )


def _tombstone(snapshot: Snapshot, tombstone: Tombstone) -> Iterator[File]:
    path, *twins = [
        file for place in tombstone_places(snapshot, tombstone) for file in addresses.api_files(place)
    ]
    yield File(path, to_json(tombstone_body(snapshot, tombstone)), tuple(twins))
    yield from _render_history(snapshot, tombstone.kind, tombstone.id, tombstone.name, tombstone.revisions)


def _lists(snapshot: Snapshot, kind: Kind) -> Iterator[Target]:
    size = snapshot.settings.page_size
    listed = published(snapshot, kind.name)
    keys = snapshot.keys_of(listed)
    for page in range(1, page_count(len(listed), size) + 1):
        place = addresses.api_list(kind.name, page)
        shown = slice((page - 1) * size, page * size)
        yield Target(
            place,
            fingerprint_of(snapshot.common_key, len(listed), keys[shown]),
            (place,),
            partial(_list_page, snapshot, kind, page, place),
        )
    everything = _all_files(kind)
    yield Target(
        everything[0],
        fingerprint_of(snapshot.common_key, keys),
        everything,
        partial(_everything, snapshot, kind, keys),
        is_long=True,
    )
    schema = addresses.api_schema(kind.name)
    yield Target(schema, snapshot.common_key, (schema,), lambda: [json_file(schema, kind.schema)])


def _list_page(snapshot: Snapshot, kind: Kind, page: int, place: str) -> Iterator[File]:
    size = snapshot.settings.page_size
    listed = published(snapshot, kind.name)
    meta = to_json(page_meta(snapshot, kind.name, page, len(listed))).rstrip(b"\n")
    bodies = [detail_bytes(snapshot, definition) for definition in listed[(page - 1) * size : page * size]]
    path, twin = addresses.api_files(place)
    yield File(path, list_bytes(meta, bodies), (twin,))


def list_bytes(meta: bytes, bodies: Sequence[bytes]) -> bytes:
    """The answer of a list from its `meta` and the answers of its definitions."""
    return b'{"meta":' + meta + b',"objects":[' + b",".join(bodies) + b"]}\n"


def _everything(snapshot: Snapshot, kind: Kind, keys: Sequence[str]) -> Iterator[File]:
    as_json, as_lines = _all_files(kind)
    yield File(as_json, partial(_as_list, snapshot, kind, keys))
    yield File(as_lines, partial(_runs, snapshot, kind, keys))


def _all_files(kind: Kind) -> tuple[str, str]:
    return addresses.api_all(kind.name, "json"), addresses.api_all(kind.name, "ndjson")


def _as_list(snapshot: Snapshot, kind: Kind, keys: Sequence[str]) -> Iterator[bytes]:
    before = b'{"objects":['
    for lines in _runs(snapshot, kind, keys):
        # In compact JSON a line end is the end of a body.
        yield before + lines[:-1].replace(b"\n", b",")
        before = b","
    yield b"]}\n" if before == b"," else b'{"objects":[]}\n'


def _runs(snapshot: Snapshot, kind: Kind, keys: Sequence[str]) -> Iterator[bytes]:
    """The answers of all definitions in order of id, one a line, many at once: after one edit most of them are known."""
    listed = published(snapshot, kind.name)
    start = 0
    for number, some in groupby([(one.id or 0) // _IN_ONE_RUN for one in listed]):
        end = start + sum(1 for _ in some)
        run, digest = (
            listed[start:end],
            hashlib.blake2b("".join(keys[start:end]).encode(), digest_size=16).hexdigest(),
        )
        start = end
        name = f"{kind.name} {number}"
        make = partial(_run, snapshot, name, run)
        yield snapshot.cache.get_or_compute(ANSWERS, {name: digest}, make)[name]


def _run(
    snapshot: Snapshot, name: str, definitions: Sequence[Definition], _: Sequence[str]
) -> dict[str, bytes]:
    return {name: b"".join([detail_bytes(snapshot, definition) + b"\n" for definition in definitions])}


def detail_bytes(snapshot: Snapshot, definition: Definition) -> bytes:
    """The answer of one definition, without the line end: it stands in lists, too."""
    key = snapshot.key_of(definition)
    found = snapshot.answers.get(key)
    if found is None:
        found = to_json(detail_body(snapshot, definition)).rstrip(b"\n")
        if len(snapshot.answers) >= _MOST_HELD:
            snapshot.answers.clear()
        snapshot.answers[key] = found
    return found


def _render_history(
    snapshot: Snapshot, kind: str, number: int, name: str, revisions: Sequence[Revision]
) -> Iterator[File]:
    facts = [revision_facts(snapshot, kind, number, revision) for revision in revisions]
    yield json_file(addresses.api_history(kind, number), history_body(snapshot, number, name, facts))
    if not snapshot.settings.shows_revisions:
        return
    for revision, fact in zip(revisions, facts, strict=True):
        yield json_file(
            addresses.api_revision(kind, number, revision.number),
            revision_body(snapshot, number, revision, fact),
        )


def published(snapshot: Snapshot, kind: str) -> Sequence[Definition]:
    """The definitions of a kind that have an id, in order of id: what lists hold, so that a new one comes last."""
    return snapshot.published[kind]


def page_count(total: int, size: int) -> int:
    """How many pages a list has; an empty one has one."""
    return max(1, -(-total // size))


def address(snapshot: Snapshot, path: str) -> str:
    """A path of `registry.model.addresses` as bodies have it, with a slash at the end: `/api/process_definition/7/`."""
    return f"{snapshot.settings.base_path}{path}/"


def index_body(snapshot: Snapshot) -> dict[str, Any]:
    """`/api/`: the kinds, each with the address of its list and schema, as the 2013 service had it."""
    return {
        kind.name: {
            "list_endpoint": address(snapshot, addresses.api_list(kind.name)),
            "schema": address(snapshot, addresses.api_schema(kind.name)),
        }
        for kind in snapshot.kinds
    }


def snapshot_body(snapshot: Snapshot) -> dict[str, Any]:
    """`/api/snapshot.json`: what this tree is, and the high-water mark of ids."""
    return {
        "title": snapshot.settings.title,
        "registry_id": snapshot.settings.registry_id or None,
        "commit": snapshot.commit,
        "commit_time": snapshot.commit_time,
        "dirty": snapshot.is_dirty,
        "history_complete": snapshot.history_complete,
        "kinds": {
            kind.name: {
                "count": len(published(snapshot, kind.name)),
                "pending": sum(one.id is None for one in snapshot.by_kind[kind.name]),
                "deleted": sum(one.kind == kind.name for one in snapshot.tombstones),
                "next_id": snapshot.ledger.next_id(kind.name),
            }
            for kind in snapshot.kinds
        },
        "revisions": snapshot.revision_count,
        "ledger_lines": len(snapshot.ledger.entries),
        "ledger_head": snapshot.ledger.head if snapshot.ledger.entries else None,
        "generator": f"process-registry {__version__}",
    }


def page_meta(snapshot: Snapshot, kind: str, page: int, total: int) -> dict[str, Any]:
    """The `meta` of one page of a list; `next` and `previous` are paths that a static host can serve."""
    size = snapshot.settings.page_size

    def link(number: int) -> str | None:
        if not 1 <= number <= page_count(total, size):
            return None
        return address(snapshot, addresses.api_list(kind, number))

    return {
        "limit": size,
        "next": link(page + 1),
        "offset": (page - 1) * size,
        "previous": link(page - 1),
        "total_count": total,
    }


def detail_body(snapshot: Snapshot, definition: Definition) -> dict[str, Any]:
    """One definition: `definition` key for key as written, `id` and `resource_uri` as in 2013, and what people need."""
    newest = snapshot.revisions_of(definition).newest
    body = _body_of(snapshot, definition.kind, definition.id, definition.name, definition.data)
    if definition.id is not None:
        body["history_uri"] = address(snapshot, addresses.api_history(definition.kind, definition.id))
    body["revision"] = short_facts(newest) if newest is not None else None
    return body


def _body_of(
    snapshot: Snapshot, kind: str, number: int | None, name: str, data: dict[str, Any]
) -> dict[str, Any]:
    around = {key: value for key, value in data.items() if key not in OURS}
    return {
        "definition": data.get("definition"),
        "id": number,
        "resource_uri": address(snapshot, addresses.api_detail(kind, number)) if number is not None else None,
        "kind": kind,
        "name": name,
        "by_name_uri": _by_name_uri(snapshot, kind, name),
        **around,
    }


def _by_name_uri(snapshot: Snapshot, kind: str, name: str) -> str:
    return address(snapshot, addresses.in_address(addresses.api_by_name(kind, name)))


def tombstone_body(snapshot: Snapshot, tombstone: Tombstone) -> dict[str, Any]:
    """A deleted definition. It has no `definition`, so that a client that does not know `deleted` cannot run it.

    `last_definition` is its last content, None where no commit that is here has one.
    """
    document = snapshot.last_document(tombstone) or {}
    kind, number, name = tombstone.kind, tombstone.id, tombstone.name
    facts = [revision_facts(snapshot, kind, number, revision) for revision in tombstone.revisions]
    body: dict[str, Any] = {
        "deleted": True,
        "last_definition": _map_or_none(document.get("definition")),
        "id": number,
        "resource_uri": address(snapshot, addresses.api_detail(kind, number)),
        "kind": kind,
        "name": name,
        "history_uri": address(snapshot, addresses.api_history(kind, number)),
        "revision": short_facts(tombstone.revisions[-1]) if tombstone.revisions else None,
        "history": [*reversed(facts)],
    }
    if snapshot.answers_by_name(tombstone):
        body["by_name_uri"] = _by_name_uri(snapshot, kind, name)
    return body | {key: value for key, value in document.items() if key not in OURS}


def tombstone_places(snapshot: Snapshot, tombstone: Tombstone) -> tuple[str, ...]:
    """Where a deleted definition answers: by its id, and by its name as long as that is not another definition's."""
    by_id = addresses.api_detail(tombstone.kind, tombstone.id)
    if not snapshot.answers_by_name(tombstone):
        return (by_id,)
    return by_id, addresses.api_by_name(tombstone.kind, tombstone.name)


def is_gone(snapshot: Snapshot, file: str) -> bool:
    """True when the answer in a file of the site is that of a deleted definition: HTTP has a status for that (410)."""
    found = addresses.parse_api_file(file)
    if found is None:
        return False
    kind, what = found
    return (kind, what) in (
        snapshot.tombstones_by_id if isinstance(what, int) else snapshot.tombstones_by_name
    )


def short_facts(revision: Revision) -> dict[str, Any]:
    """What every answer says of a revision: number, commit, author, date, message."""
    return {
        "number": revision.number,
        "commit": revision.commit,
        "author": revision.author or None,
        "date": revision.date or None,
        "message": revision.message,
    }


def revision_facts(snapshot: Snapshot, kind: str, number: int | None, revision: Revision) -> dict[str, Any]:
    """One revision in a list: commit, author, date, message, and the changed fields; None for these where only commits are shown."""
    if not snapshot.settings.shows_revisions:
        return {
            **short_facts(revision),
            "name": revision.name,
            "deleted": revision.blob is None,
            "changes": None,
            "resource_uri": None,
        }
    return {
        **short_facts(revision),
        "name": revision.name,
        "deleted": revision.blob is None,
        "changes": [change_body(change) for change in snapshot.changes_of(revision)],
        "resource_uri": address(snapshot, addresses.api_revision(kind, number, revision.number))
        if number is not None
        else None,
    }


def change_body(change: Change) -> dict[str, Any]:
    """One changed field; `old` is absent where there was none before, `new` where there is none any more."""
    body: dict[str, Any] = {"pointer": change.pointer}
    if change.old is not MISSING:
        body["old"] = change.old
    if change.new is not MISSING:
        body["new"] = change.new
    return body


def history_body(
    snapshot: Snapshot, number: int | None, name: str, facts: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """All revisions of one definition, newest first."""
    return {
        "id": number,
        "name": name,
        "history_complete": snapshot.history_complete,
        "revisions": list(reversed(facts)),
    }


def revision_body(
    snapshot: Snapshot, number: int | None, revision: Revision, facts: dict[str, Any]
) -> dict[str, Any]:
    """One revision with the content at that time; `document` is None for a deletion and for what cannot be read."""
    document = snapshot.document_of(revision)
    return {
        "definition": _map_or_none(document.get("definition")) if document else None,
        "id": number,
        **facts,
        "history_complete": snapshot.history_complete,
        "document": document,
    }


def _map_or_none(value: Any) -> dict[str, Any] | None:
    """What clients may take for a definition: old contents were checked by older rules, or by none."""
    return value if isinstance(value, dict) else None
