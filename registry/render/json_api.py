"""Answers of the JSON API: addresses, envelope and key names of the 2013 service, with additions.

Each function that ends in `_body` returns one answer. A site has them in files (`json_files`); the live
server sends the same ones.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from registry import __version__
from registry.model import addresses
from registry.model.diff import MISSING, Change
from registry.render.target import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot import BrokenFile, Snapshot, Tombstone

# Number of answers kept in memory: lists need those of their definitions again.
_MOST_HELD = 16_384
# Keys of a file that are not part of an answer, or that the registry sets itself. A kind's own schema may
# allow them, and the last content of a deleted definition may not match its schema.
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


def list_page_body(snapshot: Snapshot, kind: Kind, page: int) -> bytes:
    """Return one page of a kind's list, from 1."""
    size = snapshot.settings.page_size
    listed = published(snapshot, kind.name)
    meta = to_json(page_meta(snapshot, kind.name, page, len(listed))).rstrip(b"\n")
    bodies = [detail_bytes(snapshot, definition) for definition in listed[(page - 1) * size : page * size]]
    return list_bytes(meta, bodies)


def list_bytes(meta: bytes, bodies: Sequence[bytes]) -> bytes:
    """Return the answer of a list from its `meta` and the answers of its definitions."""
    return b'{"meta":' + meta + b',"objects":[' + b",".join(bodies) + b"]}\n"


def detail_bytes(snapshot: Snapshot, definition: Definition) -> bytes:
    """Return the answer of one definition without the final line feed, for use in lists, too."""
    fingerprint = snapshot.fingerprint_of(definition)
    found = snapshot.answers.get(fingerprint)
    if found is None:
        found = to_json(detail_body(snapshot, definition)).rstrip(b"\n")
        if len(snapshot.answers) >= _MOST_HELD:
            # The oldest half. A request in another thread may drop the same ones.
            for old in list(islice(snapshot.answers, _MOST_HELD // 2)):
                snapshot.answers.pop(old, None)
        snapshot.answers[fingerprint] = found
    return found


def published(snapshot: Snapshot, kind: str) -> Sequence[Definition]:
    """Return the definitions of a kind that have an id, in order of id.

    Lists use this order, so that a new definition comes last.
    """
    return snapshot.published[kind]


def page_count(total: int, size: int) -> int:
    """Return the number of pages of a list; an empty list has one."""
    return max(1, -(-total // size))


def contract_address(snapshot: Snapshot, path: str) -> str:
    """Return the address of 2013 of an answer, which names it on every site: `/api/process_definition/7/`."""
    return f"{snapshot.settings.base_path}{path}/"


def address(snapshot: Snapshot, path: str) -> str:
    """Return the address of an answer that the site has: with a slash or `.json` at the end."""
    settings = snapshot.settings
    return f"{settings.base_path}{addresses.answer_address(path, settings.addresses)}"


def index_body(snapshot: Snapshot) -> dict[str, Any]:
    """Return `/api/`: the kinds with the addresses of their lists and schemas, as in the 2013 service."""
    return {
        kind.name: {
            "list_endpoint": address(snapshot, addresses.api_list(kind.name)),
            "schema": address(snapshot, addresses.api_schema(kind.name)),
        }
        for kind in snapshot.kinds
    }


def snapshot_body(snapshot: Snapshot) -> dict[str, Any]:
    """Return `/api/snapshot.json`: a description of this state, with the next id of each kind."""
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
                "pending": len(snapshot.by_kind[kind.name]) - len(published(snapshot, kind.name)),
                "deleted": len(snapshot.tombstones.of_kind(kind.name)),
                "next_id": snapshot.ledger.next_id(kind.name),
            }
            for kind in snapshot.kinds
        },
        "revisions": snapshot.revision_count,
        "ledger_lines": len(snapshot.ledger.entries),
        "ledger_head": snapshot.ledger.head if snapshot.ledger.entries else None,
        "generator": f"process-registry {__version__}",
        **({"broken": [_broken_body(one) for one in snapshot.broken]} if snapshot.broken else {}),
    }


def _broken_body(one: BrokenFile) -> dict[str, Any]:
    """Return a file with errors: clients get its last valid content, or nothing."""
    problems = [{"rule": each.rule, "line": each.span.line, "message": each.message} for each in one.problems]
    return {"path": one.path, "problems": problems}


def page_meta(snapshot: Snapshot, kind: str, page: int, total: int) -> dict[str, Any]:
    """Return the `meta` of one page of a list.

    `next` and `previous` are paths that a static host can serve.
    """
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
    """Return one definition: the keys of 2013, the other keys of the file, and links and the newest revision.

    `definition` has the keys and values of the file.
    """
    newest = snapshot.revisions_of(definition).newest
    kind, name, number = definition.kind, definition.name, definition.id
    return _detail_body(snapshot, kind, number, newest, name, definition.data)


def detail_answer_at(
    snapshot: Snapshot,
    kind: str,
    number: int | None,
    revision: Revision | None,
    name: str,
    data: dict[str, Any],
) -> bytes:
    """Return the answer of a definition as it was at a revision, with this name and content."""
    return to_json(_detail_body(snapshot, kind, number, revision, name, data))


def _detail_body(
    snapshot: Snapshot,
    kind: str,
    number: int | None,
    revision: Revision | None,
    name: str,
    data: dict[str, Any],
) -> dict[str, Any]:
    body = _body_of(snapshot, kind, number, name, data)
    if number is not None:
        body["history_uri"] = address(snapshot, addresses.api_history(kind, number))
    body["revision"] = short_facts(revision) if revision is not None else None
    return body


def _body_of(
    snapshot: Snapshot, kind: str, number: int | None, name: str, data: dict[str, Any]
) -> dict[str, Any]:
    around = {key: value for key, value in data.items() if key not in OURS}
    return {
        "definition": data.get("definition"),
        "id": number,
        "resource_uri": contract_address(snapshot, addresses.api_detail(kind, number))
        if number is not None
        else None,
        "kind": kind,
        "name": name,
        "by_name_uri": _by_name_uri(snapshot, kind, name),
        **around,
    }


def _by_name_uri(snapshot: Snapshot, kind: str, name: str) -> str:
    return address(snapshot, addresses.api_by_name(kind, name))


def tombstone_body(snapshot: Snapshot, tombstone: Tombstone) -> dict[str, Any]:
    """Return a deleted definition.

    It has no `definition`, so that a client that ignores `deleted` cannot run it. `last_definition` is its
    last content, or None when no available commit has it.
    """
    document = snapshot.last_document(tombstone) or {}
    kind, number, name = tombstone.kind, tombstone.id, tombstone.name
    facts = [revision_facts(snapshot, revision) for revision in tombstone.revisions]
    body: dict[str, Any] = {
        "deleted": True,
        "last_definition": _map_or_none(document.get("definition")),
        "id": number,
        "resource_uri": contract_address(snapshot, addresses.api_detail(kind, number)),
        "kind": kind,
        "name": name,
        "history_uri": address(snapshot, addresses.api_history(kind, number)),
        "revision": short_facts(tombstone.revisions[-1]) if tombstone.revisions else None,
        "history": [*reversed(facts)],
    }
    if snapshot.answers_by_name(tombstone):
        body["by_name_uri"] = _by_name_uri(snapshot, kind, name)
    return body | {key: value for key, value in document.items() if key not in OURS}


def tombstone_prefixes(snapshot: Snapshot, tombstone: Tombstone) -> tuple[str, ...]:
    """Return the prefixes of a deleted definition: by id, and by name unless the name is in use again."""
    by_id = addresses.api_detail(tombstone.kind, tombstone.id)
    if not snapshot.answers_by_name(tombstone):
        return (by_id,)
    return by_id, addresses.api_by_name(tombstone.kind, tombstone.name)


def is_gone(snapshot: Snapshot, file: str) -> bool:
    """Return True if a file of the site is the answer for a deleted definition, which has HTTP status 410."""
    found = addresses.parse_api_file(file)
    if found is None:
        return False
    kind, what = found
    if isinstance(what, int):
        return snapshot.tombstone(kind, what) is not None
    return snapshot.tombstone_named(kind, what) is not None


def short_facts(revision: Revision) -> dict[str, Any]:
    """Return the facts of a revision in every answer: number, commit, author, date and message."""
    return {
        "number": revision.number,
        "commit": revision.commit,
        "author": revision.author or None,
        "date": revision.date or None,
        "message": revision.message,
    }


def revision_facts(snapshot: Snapshot, revision: Revision) -> dict[str, Any]:
    """Return one revision in a list: its facts, name, and changed fields.

    The changes are None when the settings show commits only.
    """
    changes = (
        [change_body(change) for change in snapshot.changes_of(revision)]
        if snapshot.settings.shows_revisions
        else None
    )
    return {
        **short_facts(revision),
        "name": revision.name,
        "deleted": revision.blob is None,
        "changes": changes,
    }


def change_body(change: Change) -> dict[str, Any]:
    """Return one changed field. `old` is absent for an added field, `new` for a removed one."""
    body: dict[str, Any] = {"pointer": change.pointer}
    if change.old is not MISSING:
        body["old"] = change.old
    if change.new is not MISSING:
        body["new"] = change.new
    return body


def revision_with_content(snapshot: Snapshot, revision: Revision) -> dict[str, Any]:
    """Return one revision as in a history: its facts, and its content unless the settings show commits only.

    `document` is None for a deletion and for a file that cannot be read.
    """
    found = revision_facts(snapshot, revision)
    if snapshot.settings.shows_revisions:
        found["document"] = snapshot.document_of(revision)
    return found


def history_body(
    snapshot: Snapshot, number: int | None, name: str, revisions: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return all revisions of one definition, newest first, from their bodies in order."""
    return {
        "id": number,
        "name": name,
        "history_complete": snapshot.history_complete,
        "revisions": list(reversed(revisions)),
    }


def revision_body(snapshot: Snapshot, number: int | None, with_content: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of one revision from its `revision_with_content`."""
    document = with_content["document"]
    return {
        "definition": _map_or_none(document.get("definition")) if document else None,
        "id": number,
        **with_content,
        "history_complete": snapshot.history_complete,
    }


def _map_or_none(value: Any) -> dict[str, Any] | None:
    """Return a map unchanged, and None for any other value.

    Old content was checked by older rules, or not at all.
    """
    return value if isinstance(value, dict) else None
