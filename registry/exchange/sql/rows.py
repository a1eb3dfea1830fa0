"""The rows of definitions, without their credentials; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from registry.exchange.sql.tables import (
    ADAPTER,
    ARGUMENT,
    DEFINITIONS,
    DELETED,
    ENVIRONMENT,
    FIELD,
    OWNER,
    REVISION,
    TAG,
)
from registry.model.pointer import value_at
from registry.model.redaction import redacted
from registry.model.values import list_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table

    from registry.model.definition import Definition
    from registry.model.revision import Revision
    from registry.snapshot import Snapshot

Row = dict[str, Any]


def rows_of(snapshot: Snapshot, definition: Definition, digest: str) -> dict[Table, list[Row]]:
    """Return the rows of one definition by table."""
    kind = snapshot.kinds.by_name[definition.kind]
    document = redacted(definition.data, snapshot.kinds.secret_fields)
    summary = definition.summary
    executable = value_at(document, kind.traits.executable) if kind.traits.executable else None
    arguments = value_at(document, kind.traits.arguments) if kind.traits.arguments else None
    inside = document.get("definition")
    inside = inside if isinstance(inside, dict) else {}
    row: Row = {
        "kind": definition.kind,
        "name": definition.name,
        "id": definition.id,
        "title": _text(summary.title),
        "description": _text(summary.description),
        "lifecycle": _text(summary.lifecycle),
        "executable": _text(executable) if executable is not None else None,
        "replaced_by": _text(summary.replaced_by) if summary.replaced_by else None,
        "document": orjson.dumps(document).decode(),
        "digest": digest,
    }
    parts: dict[Table, list[Row]] = {
        ARGUMENT: [{"value": _text(value)} for value in list_of(arguments)],
        ENVIRONMENT: _environment(inside.get("environment")),
        ADAPTER: list(_adapters(inside)),
        OWNER: [{"owner": _text(value)} for value in list_of(document.get("owners"))],
        TAG: [{"tag": _text(value)} for value in summary.tags],
        FIELD: [
            {"field": field.name, "value": _text(value)}
            for field in kind.traits.fields
            if (value := value_at(document, field.pointer) or field.default)
        ],
        REVISION: [_revision(one) for one in snapshot.revisions_of(definition)],
    }
    for rows in parts.values():
        for position, one in enumerate(rows, 1):
            one |= {"kind": definition.kind, "name": definition.name, "position": position}
    return {DEFINITIONS: [row], **parts}


def deleted_rows(snapshot: Snapshot) -> dict[Table, list[Row]]:
    """Return the rows of all deleted definitions."""
    rows = []
    for one in snapshot.tombstones:
        last = one.revisions.newest
        rows.append(
            {
                "kind": one.kind,
                "id": one.id,
                "name": _text(one.name),
                "commit_id": last.commit if last is not None else None,
                "date": last.date if last is not None else "",
            }
        )
    return {DELETED: rows}


def _environment(environment: Any) -> list[Row]:
    found = environment.items() if isinstance(environment, dict) else ()
    return [{"variable": _text(name), "value": _text(value)} for name, value in found]


def _adapters(inside: dict[str, Any]) -> Iterable[Row]:
    for direction in ("input", "output"):
        adapter = inside.get(f"{direction}_adapter")
        if isinstance(adapter, dict):
            # The second is the spelling of old files.
            parameters = adapter.get(f"{direction}_params", adapter.get(f"{direction}_parameters", {}))
            yield {
                "direction": direction,
                "type": _text(adapter.get(f"{direction}_type", "")),
                "parameters": orjson.dumps(parameters).decode(),
            }


def _revision(one: Revision) -> Row:
    return {
        "commit_id": one.commit,
        "author": _text(one.author),
        "date": one.date,
        "date_utc": _utc(one.date),
        "message": _text(one.message),
        "name_then": _text(one.name),
        "blob_id": one.blob,
    }


def _utc(date: str) -> datetime | None:
    """Return a date in UTC, without a time zone; None for "", and where UTC is outside of the calendar."""
    try:
        return datetime.fromisoformat(date).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    """Return a text that every database can store: PostgreSQL stores no NUL, and none stores lone surrogates.

    Authors, messages and names in the history can contain these.
    """
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
