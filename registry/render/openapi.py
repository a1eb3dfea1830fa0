"""`api/openapi.json`: every address of the API and the form of every body (OpenAPI 3.1)."""

from collections.abc import Iterator
from typing import Any

from registry import __version__
from registry.kinds import Kind
from registry.render.file import File, Unit, to_json
from registry.snapshot import Snapshot

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_INTEGER = {"type": "integer", "minimum": 0}
_ID = {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}


def render(snapshot: Snapshot) -> Iterator[Unit]:
    """One file."""
    path = "api/openapi.json"
    yield Unit(path, snapshot.common_key, (path,), lambda: [File(path, to_json(openapi_body(snapshot)))])


def openapi_body(snapshot: Snapshot) -> dict[str, Any]:
    """The whole description; addresses are relative to the server in `servers`."""
    paths: dict[str, Any] = {
        "/api/": _get("The kinds, each with its list and schema", "Index", "index"),
        "/api/snapshot.json": _get("What this registry holds, and from which commit", "Snapshot", "snapshot"),
        "/api/ledger.ndjson": _get("Every id ever given, one event a line", "LedgerEntry", "ledger", media_type="application/x-ndjson"),
    }
    shows_revisions = snapshot.settings.shows_revisions
    schemas = _common_schemas(shows_revisions)
    for kind in snapshot.kinds:
        paths |= _paths(kind)
        if not shows_revisions:
            del paths[f"/api/{kind.name}/{{id}}/revisions/{{number}}/"]
        schemas |= _kind_schemas(kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": snapshot.settings.title, "version": __version__, "summary": "Definitions as JSON, read only",
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": snapshot.settings.base_url.rstrip("/") or "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "responses": {"NotFound": {"description": "There is nothing at this address"}}},
    }  # fmt: skip


def _get(summary: str, schema: str, operation: str, *parameters: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    answer = {"description": "OK", "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
    found: dict[str, Any] = {"summary": summary, "operationId": operation, "responses": {"200": answer}}
    if parameters:
        found |= {"parameters": list(parameters)}
        found["responses"]["404"] = {"$ref": "#/components/responses/NotFound"}
    return {"get": found}


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": description}


def _paths(kind: Kind) -> dict[str, Any]:
    name, base = kind.name, f"/api/{kind.name}"
    number = _parameter("id", _ID, "The id of the definition")
    revision = _parameter("number", _ID, "Number of the revision, from 1")
    page = _parameter("page", {"type": "integer", "minimum": 2}, "Page of the list, from 2")
    called = _parameter("name", _TEXT, "The name of the definition; a slash in it stands as it is")
    return {
        f"{base}/": _get(f"{kind.plural}, first page", f"{name}_list", f"list_{name}"),
        f"{base}/page/{{page}}/": _get(f"{kind.plural}, a further page", f"{name}_list", f"list_{name}_page", page),
        f"{base}/all.json": _get(f"{kind.plural}, all at once", f"{name}_all", f"all_{name}"),
        f"{base}/all.ndjson": _get(f"{kind.plural}, one a line", f"{name}_object", f"all_{name}_lines", media_type="application/x-ndjson"),
        f"{base}/schema/": _get("The JSON Schema of a file of this kind", "JsonSchema", f"schema_{name}"),
        f"{base}/{{id}}/": _get("One definition, or the tombstone of a deleted one", f"{name}_object", f"get_{name}", number),
        f"{base}/{{id}}/history/": _get("Its revisions, newest first", "History", f"history_{name}", number),
        f"{base}/{{id}}/revisions/{{number}}/": _get("Its content at one revision", "Revision", f"revision_{name}", number, revision),
        f"{base}/by-name/{{name}}/": _get("One definition, by its name", f"{name}_object", f"by_name_{name}", called),
    }


def _object(properties: dict[str, Any], *optional: str, more: bool = False) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": more}


def _common_schemas(shows_revisions: bool) -> dict[str, Any]:
    facts = {
        "number": _ID,
        "commit": _TEXT_OR_NULL | {"description": "null: not committed yet"},
        "author": _TEXT_OR_NULL,
        "date": _TEXT_OR_NULL | {"description": "The author's date, ISO 8601"},
        "message": _TEXT,
    }
    change = _object({"pointer": _TEXT | {"description": "JSON Pointer into the file"}, "old": {}, "new": {}}, "old", "new")
    told = {"changes": {"type": "array", "items": change}, "resource_uri": _TEXT}
    listed = facts | {"name": _TEXT, "deleted": {"type": "boolean"}, **(told if shows_revisions else {key: {"type": "null"} for key in told})}
    counts = _object({"count": _INTEGER, "pending": _INTEGER, "deleted": _INTEGER, "next_id": _ID})
    return {
        "Index": {"type": "object", "additionalProperties": _object({"list_endpoint": _TEXT, "schema": _TEXT})},
        "JsonSchema": {"type": "object"},
        "RevisionFacts": _object(facts),
        "ListedRevision": _object(listed),
        "History": _object({"id": _ID, "name": _TEXT, "history_complete": {"type": "boolean"},
                            "revisions": {"type": "array", "items": {"$ref": "#/components/schemas/ListedRevision"}}}),
        "Revision": _object({"definition": {"type": ["object", "null"]}, "id": _ID, **listed, "history_complete": {"type": "boolean"},
                             "document": {"type": ["object", "null"]}}),
        "Snapshot": _object({"title": _TEXT, "registry_id": _TEXT_OR_NULL, "commit": _TEXT_OR_NULL, "commit_time": _TEXT_OR_NULL,
                             "dirty": {"type": "boolean"}, "history_complete": {"type": "boolean"},
                             "kinds": {"type": "object", "additionalProperties": counts}, "revisions": _INTEGER,
                             "ledger_lines": _INTEGER, "ledger_head": _TEXT_OR_NULL, "generator": _TEXT}),
        "LedgerEntry": _object({"kind": _TEXT, "id": _ID, "name": _TEXT, "state": {"enum": ["live", "moved", "gone"]},
                                "commit": _TEXT_OR_NULL | {"description": "The commit that was indexed"},
                                "prev": _TEXT | {"description": "SHA-256 of the line before; of the first line: the registry_id"}}),
        "Meta": _object({"limit": _ID, "next": _TEXT_OR_NULL, "offset": _INTEGER, "previous": _TEXT_OR_NULL, "total_count": _INTEGER}),
    }  # fmt: skip


def _kind_schemas(kind: Kind) -> dict[str, Any]:
    name = kind.name
    around = {key: {"$ref": f"#/components/schemas/{name}/properties/{key}"} for key in kind.schema.get("properties", {})
              if key not in ("id", "definition", "ignore")}  # fmt: skip
    properties = {
        "definition": {"anyOf": [{"$ref": f"#/components/schemas/{name}/properties/definition"}, {"type": ["object", "null"]}]},
        "id": {"anyOf": [_ID, {"type": "null"}], "description": "null: not given yet"},
        "resource_uri": _TEXT_OR_NULL,
        "kind": {"const": name},
        "name": _TEXT,
        "by_name_uri": _TEXT,
        "history_uri": _TEXT,
        "deleted": {"const": True, "description": "Only on the tombstone of a deleted definition; `definition` is its last content"},
        "revision": {"anyOf": [{"$ref": "#/components/schemas/RevisionFacts"}, {"type": "null"}]},
    }
    one = _object(properties | around, "by_name_uri", "history_uri", "deleted", *around) | {"patternProperties": {"^x-": True}}
    many = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}_object"}}
    return {
        name: _moved(kind.schema, f"#/components/schemas/{name}"),
        f"{name}_object": one,
        f"{name}_list": _object({"meta": {"$ref": "#/components/schemas/Meta"}, "objects": many}),
        f"{name}_all": _object({"objects": many}),
    }


def _moved(node: Any, place: str) -> Any:
    """A schema with its `#/…` references pointed to where it stands now."""
    if isinstance(node, dict):
        return {key: place + value[1:] if key == "$ref" and isinstance(value, str) else _moved(value, place)
                for key, value in node.items() if key != "$schema"}  # fmt: skip
    return [_moved(item, place) for item in node] if isinstance(node, list) else node
