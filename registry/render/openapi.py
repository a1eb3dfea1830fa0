"""Renders `api/openapi.json`: all API addresses and the schemas of all answers (OpenAPI 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from registry import __version__
from registry.load.settings import MAX_PAGE_SIZE
from registry.model import addresses
from registry.model.addresses import AddressForm
from registry.render.components import Components, OpenApiSchema, Shapes, pascal, reference
from registry.render.json_api import OURS
from registry.render.target import File, Target, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry.load.kinds import Kind
    from registry.snapshot import Snapshot

MAX_OFFSET = 2**53 - 1
"""A list has no larger offset: some clients read numbers as floating-point."""
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_BOOLEAN = {"type": "boolean"}
_INTEGER = {"type": "integer", "minimum": 0}
_ID = {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}
# Old content followed older rules.
_ANY_MAP = {"type": ["object", "null"], "additionalProperties": True}
# Names of kinds are in lower case: no kind has this tag.
_ABOUT = "Registry"
_LINES = "application/x-ndjson"
_HISTORY = {
    True: "Its revisions with their contents, newest first",
    False: "The commits that changed it, newest first",
}
_BOTH_FORMS = "Each address that ends with a slash also has a form with `.json` in place of the slash."
LIVE_ONLY = "Only `registry serve` uses it; a static host always returns the first page."
"""The end of the description of each parameter in the query."""


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target]:
    """Yield the target of the OpenAPI file."""
    path = addresses.API_OPENAPI
    yield Target(
        path, snapshot.common_fingerprint, (path,), lambda: [File(path, to_json(openapi_body(snapshot)))]
    )


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target of the OpenAPI file, or None for every other file."""
    return next(render(snapshot)) if path == addresses.API_OPENAPI else None


class ApiDescription(NamedTuple):
    """The OpenAPI document, and what a server needs to add operations to it.

    `components` are those of the document. `details` are the names of the components of one definition, by
    kind.
    """

    document: OpenApiSchema
    components: Components
    details: Mapping[str, str]


def openapi_body(snapshot: Snapshot) -> OpenApiSchema:
    """Return the OpenAPI document of a static site."""
    return describe(snapshot).document


def describe(snapshot: Snapshot, *, live: bool = False) -> ApiDescription:
    """Describe the API of a site, or of a `live` server, which has all addresses with a slash.

    Addresses are relative to the URL in `servers`.
    """
    settings = snapshot.settings
    forms = AddressForm.SLASH if live else settings.addresses
    with_revisions = settings.shows_revisions if live else settings.has_revision_addresses
    details: dict[str, str] = {}
    paths = {
        api_path(addresses.API, forms): _get(
            _ABOUT, "index", "List of kinds, each with its list endpoint and schema", "Index"
        ),
        f"/{addresses.API_SNAPSHOT}": _get(
            _ABOUT, "snapshot", "Contents of this registry: commit, counts and ledger head", "Snapshot"
        ),
        f"/{addresses.API_LEDGER}": _get(
            _ABOUT, "ledger", "Every id ever assigned, one event per line", "LedgerEntry", media_type=_LINES
        ),
    }
    components = Components(
        _common_schemas(shows_revisions=settings.shows_revisions, with_revisions=with_revisions)
    )
    for kind in snapshot.kinds:
        names = _kind_schemas(components, kind)
        details[kind.name] = names.one
        paths |= _paths(kind, names, snapshot, forms, with_revisions)
    about = {"name": _ABOUT, "description": "The registry as a whole."}
    kinds = [{"name": kind.name, "description": kind.description or kind.plural} for kind in snapshot.kinds]
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": settings.title,
            "version": __version__,
            "summary": "Definitions as JSON, read-only",
            **({"description": _BOTH_FORMS} if forms == "both" else {}),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": settings.base_url.rstrip("/") or "/"}],
        "tags": [about, *kinds],
        "paths": paths,
        # No content: a static host answers with its own page.
        "components": {
            "schemas": components.schemas,
            "responses": {"NotFound": {"description": "Not found"}},
        },
    }
    return ApiDescription(document, components, details)


class _Names:
    """Component names of one kind."""

    def __init__(self, components: Components, kind: Kind) -> None:
        stem = pascal(kind.name)
        self.one = components.reserve(stem)
        self.list = components.reserve(f"{stem}List")
        self.all = components.reserve(f"{stem}All")
        self.set = components.reserve(f"{stem}Set")
        self.tombstone = components.reserve(f"{stem}Tombstone")


def _get(  # noqa: PLR0913 - each is a separate part of an operation
    tag: str,
    operation: str,
    summary: str,
    schema: str | OpenApiSchema,
    *parameters: OpenApiSchema,
    media_type: str = "application/json",
    description: str = "",
    gone: str = "",
) -> OpenApiSchema:
    """Return one GET operation.

    `gone` is the component of a deleted definition, or "" if there can be none.
    """
    body = reference(schema) if isinstance(schema, str) else schema
    responses: OpenApiSchema = {"200": response("OK", body, media_type)}
    if any(one["in"] == "path" for one in parameters):
        responses["404"] = {"$ref": "#/components/responses/NotFound"}
    if any(one["in"] == "query" for one in parameters) or operation.startswith("set_"):
        responses["400"] = response("A parameter has an invalid value", reference("Error"))
    if gone:
        responses["410"] = response(
            "The definition was deleted. A static host returns the same body with status 200", reference(gone)
        )
    found: OpenApiSchema = {
        "tags": [tag],
        "operationId": operation,
        "summary": summary,
        "responses": dict(sorted(responses.items())),
    }
    return {
        "get": found
        | ({"description": description} if description else {})
        | ({"parameters": list(parameters)} if parameters else {})
    }


def response(description: str, schema: OpenApiSchema, media_type: str = "application/json") -> OpenApiSchema:
    """Return a response with a body."""
    return {"description": description, "content": {media_type: {"schema": schema}}}


def parameter(name: str, schema: OpenApiSchema, description: str, place: str = "path") -> OpenApiSchema:
    """Return a parameter in the path, the query or the headers; one in the path is required."""
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }


def _query(name: str, schema: OpenApiSchema, description: str) -> OpenApiSchema:
    return parameter(name, schema, f"{description} {LIVE_ONLY}", "query")


def api_path(place: str, forms: str = AddressForm.SLASH) -> str:
    """Return an address as in the document; `forms` as in the settings."""
    return f"/{place}.json" if forms == AddressForm.JSON else f"/{place}/"


def _paths(kind: Kind, names: _Names, snapshot: Snapshot, forms: str, with_revisions: bool) -> OpenApiSchema:
    name = kind.name
    number = parameter("id", _ID, "The id of the definition. It never changes, so programs can store it.")
    revision = parameter("number", _ID, "Number of the revision, from 1.")
    page = parameter(
        "page",
        {"type": "integer", "minimum": 2},
        "Page of the list, from 2. `meta.next` of the previous page is the address.",
    )
    called = parameter("name", _TEXT, "The name of the definition. Slashes can be written as / or %2F.")
    several = {"type": "string", "pattern": "^[0-9]{1,16}(?:;[0-9]{1,16})*$"}
    ids = parameter("ids", several, f"Ids separated by `;`, at most {MAX_PAGE_SIZE}.")
    definition_or_tombstone = {"anyOf": [reference(names.one), reference(names.tombstone)]}
    plural = kind.plural
    found = {
        api_path(addresses.api_list(name), forms): _get(
            name, f"list_{name}", f"{plural}, first page", names.list, *_filters(snapshot)
        ),
        api_path(f"{addresses.api_list(name)}/page/{{page}}", forms): _get(
            name, f"page_{name}", f"{plural}, further page", names.list, page
        ),
        f"/{addresses.api_all(name, 'json')}": _get(name, f"all_{name}", f"{plural}, complete", names.all),
        f"/{addresses.api_all(name, 'ndjson')}": _get(
            name, f"lines_{name}", f"{plural}, one per line", names.one, media_type=_LINES
        ),
        api_path(addresses.api_schema(name), forms): _get(
            name, f"schema_{name}", "JSON Schema of a file of this kind", "JsonSchema"
        ),
        f"/{addresses.api_list(name)}/set/{{ids}}/": _get(
            name,
            f"set_{name}",
            "Several definitions at once",
            names.set,
            ids,
            description="Only `registry serve` has this address. "
            "Ids that are deleted or were never assigned are in `not_found`.",
        ),
        api_path(f"{addresses.api_list(name)}/{{id}}", forms): _get(
            name,
            f"get_{name}",
            "One definition, or the record of a deleted one",
            definition_or_tombstone,
            number,
            gone=names.tombstone,
        ),
        api_path(f"{addresses.api_list(name)}/{{id}}/history", forms): _get(
            name, f"history_{name}", _HISTORY[snapshot.settings.shows_revisions], "History", number
        ),
        api_path(addresses.api_by_name(name, "{name}"), forms): _get(
            name,
            f"by_name_{name}",
            "One definition, by its name",
            definition_or_tombstone,
            called,
            gone=names.tombstone,
        ),
    }
    if with_revisions:
        found[api_path(f"{addresses.api_list(name)}/{{id}}/revisions/{{number}}", forms)] = _get(
            name, f"revision_{name}", "Its content at one revision", "Revision", number, revision
        )
    return found


def _filters(snapshot: Snapshot) -> tuple[OpenApiSchema, ...]:
    fields = snapshot.kinds.fields.values()
    searched = ["title", "name", "tags", "description", *(one.name for one in fields if one.is_searched)]
    searched += ["owners", "adapter types", "executable"]
    most = {"type": "integer", "minimum": 0, "default": snapshot.settings.page_size}
    return (
        _query(
            "limit",
            most,
            f"Maximum number of definitions in the response; 0 and larger numbers mean {MAX_PAGE_SIZE}.",
        ),
        _query(
            "offset",
            {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
            "Number of definitions to skip.",
        ),
        *(_query(one.name, _TEXT, one.description) for one in fields),
        _query(
            "lifecycle",
            _TEXT,
            "Definitions with this lifecycle. The default of a definition is `production`.",
        ),
        _query("tag", _TEXT, "Definitions with this tag."),
        _query("name", _TEXT, "The definition with this name."),
        _query(
            "q",
            _TEXT,
            f"Definitions with all of these words in {', '.join(searched[:-1])} or {searched[-1]}, best "
            "first. A word also finds longer ones that start with it, else words with one typing error.",
        ),
        _query(
            "order_by",
            {"type": "string", "enum": ["name", "-name", "title", "-title"]},
            "Order by name or title; `-` reverses it. Without it: by id, or best match first.",
        ),
    )


def open_object(properties: OpenApiSchema, *optional: str) -> OpenApiSchema:
    """Return the schema of an object that allows additional keys."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": True}


_ARRAY_OF_BROKEN: OpenApiSchema = {
    "type": "array",
    "description": "Files with errors, on a server with writes: their last valid content is served",
    "items": open_object(
        {
            "path": _TEXT,
            "problems": {
                "type": "array",
                "items": open_object({"rule": _TEXT, "line": _INTEGER, "message": _TEXT}),
            },
        }
    ),
}


def _common_schemas(*, shows_revisions: bool, with_revisions: bool) -> dict[str, OpenApiSchema]:
    facts = {
        "number": _ID,
        "commit": _TEXT_OR_NULL | {"description": "null if it is not committed"},
        "author": _TEXT_OR_NULL,
        "date": _TEXT_OR_NULL | {"description": "The author's date, ISO 8601"},
        "message": _TEXT,
    }
    change = open_object(
        {"pointer": _TEXT | {"description": "JSON Pointer into the file"}, "old": {}, "new": {}}, "old", "new"
    )
    changes = {"type": "array", "items": reference("Change")} if shows_revisions else {"type": "null"}
    listed = facts | {"name": _TEXT, "deleted": _BOOLEAN, "changes": changes}
    content = {"document": _ANY_MAP | {"description": "null for a deletion and for an unreadable file"}}
    entry = "HistoryEntry" if shows_revisions else "ListedRevision"
    revisions = {"type": "array", "items": reference(entry)}
    revision = {"definition": _ANY_MAP, "id": _ID, **listed, **content, "history_complete": _BOOLEAN}
    return {
        "Error": open_object({"error": _TEXT}),
        "Index": {"type": "object", "additionalProperties": reference("IndexEntry")},
        "IndexEntry": open_object({"list_endpoint": _TEXT, "schema": _TEXT}),
        "JsonSchema": {"type": "object", "additionalProperties": True},
        "RevisionFacts": open_object(facts),
        "Change": change,
        "ListedRevision": open_object(listed),
        **({"HistoryEntry": open_object(listed | content)} if shows_revisions else {}),
        "History": open_object(
            {"id": _ID, "name": _TEXT, "history_complete": _BOOLEAN, "revisions": revisions}
        ),
        **({"Revision": open_object(revision)} if with_revisions else {}),
        "Snapshot": open_object(
            {
                "title": _TEXT,
                "registry_id": _TEXT_OR_NULL,
                "commit": _TEXT_OR_NULL,
                "commit_time": _TEXT_OR_NULL,
                "dirty": _BOOLEAN,
                "history_complete": _BOOLEAN,
                "kinds": {"type": "object", "additionalProperties": reference("Counts")},
                "revisions": _INTEGER,
                "ledger_lines": _INTEGER,
                "ledger_head": _TEXT_OR_NULL,
                "generator": _TEXT,
                "broken": _ARRAY_OF_BROKEN,
            },
            "broken",
        ),
        "Counts": open_object({"count": _INTEGER, "pending": _INTEGER, "deleted": _INTEGER, "next_id": _ID}),
        "LedgerEntry": open_object(
            {
                "kind": _TEXT,
                "id": _ID,
                "name": _TEXT,
                "state": _TEXT | {"x-extensible-enum": ["live", "moved", "gone"]},
                "commit": _TEXT_OR_NULL | {"description": "The commit that was indexed"},
                "prev": _TEXT
                | {"description": "SHA-256 of the previous line; in the first line, of the registry_id"},
            }
        ),
        "Meta": open_object(
            {
                "limit": _ID,
                "next": _TEXT_OR_NULL,
                "offset": _INTEGER,
                "previous": _TEXT_OR_NULL,
                "total_count": _INTEGER,
            }
        ),
    }


def _kind_schemas(components: Components, kind: Kind) -> _Names:
    """Add the schemas of one kind's answers to the components, and return their names."""
    names = _Names(components, kind)
    stem = pascal(kind.name)
    shapes = Shapes(components, stem, kind.schema)
    fields = kind.schema.get("properties")
    fields = fields if isinstance(fields, dict) else {}
    around = {
        key: shapes.of(part, stem + pascal(key))
        for key, part in fields.items()
        if key not in OURS and part is not False
    }
    newest = {
        "anyOf": [reference("RevisionFacts"), {"type": "null"}],
        "description": "The newest revision; null if none is known",
    }
    many = {"type": "array", "items": reference(names.one)}
    properties = {
        "definition": shapes.of(fields.get("definition", True), f"{stem}Definition"),
        "id": {"type": ["integer", "null"], "description": "null if no id is assigned yet"},
        "resource_uri": _TEXT_OR_NULL | {"description": "null if no id is assigned yet"},
        "kind": {"const": kind.name},
        "name": _TEXT,
        "by_name_uri": _TEXT,
        "history_uri": _TEXT | {"description": "Absent if no id is assigned yet"},
        "revision": newest,
    }
    components.schemas[names.one] = open_object(properties | around, "history_uri", *around) | {
        "description": kind.title
    }
    components.schemas[names.list] = open_object({"meta": reference("Meta"), "objects": many})
    components.schemas[names.all] = open_object({"objects": many})
    components.schemas[names.set] = open_object(
        {"objects": many, "not_found": {"type": "array", "items": _TEXT}}, "not_found"
    )
    tombstone = {
        "deleted": {"const": True, "description": "A deleted definition must not be run"},
        "last_definition": _ANY_MAP
        | {"description": "Its last content; null if no commit in the repository has it"},
        "id": _ID,
        "resource_uri": _TEXT,
        "kind": {"const": kind.name},
        "name": _TEXT | {"description": "Its last name"},
        "by_name_uri": _TEXT | {"description": "Absent if another definition has this name now"},
        "history_uri": _TEXT,
        "revision": newest,
        "history": {
            "type": "array",
            "items": reference("ListedRevision"),
            "description": "Its revisions, newest first",
        },
    }
    components.schemas[names.tombstone] = open_object(tombstone, "by_name_uri") | {
        "description": f"{kind.title}, deleted"
    }
    return names
