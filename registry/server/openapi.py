"""The OpenAPI document of a server with writes: that of the site, and the operations that write.

Reads are described as the live server answers them, with its headers and its errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.model import addresses
from registry.model.addresses import MAX_NAME_BYTES
from registry.render.components import OpenApiSchema, pascal, reference
from registry.render.file_schemas import FileSchemas
from registry.render.openapi import api_path, describe, open_object, parameter, response
from registry.writes.requests import ADDED_KEYS, JSON, MAX_BODY_BYTES, MERGE_PATCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.load.kinds import Kind
    from registry.snapshot import Snapshot

_TEXT = {"type": "string"}
_ID = parameter("id", {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}, "The id of the definition.")
_SECURITY: Sequence[Mapping[str, Sequence[str]]] = ({"basic": []}, {"bearer": []})
# Keys of a file's schema that hold for a part of a file, too.
_OF_PARTS = ("type", "properties", "patternProperties", "additionalProperties")
_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "User name and password; or any user name, and a token as the password.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that `registry token add` has printed.",
    },
}
_HEADERS: dict[str, OpenApiSchema] = {
    "ETag": {
        "description": "State of the definition: revision number, and digest of the answer, for If-Match.",
        "schema": _TEXT,
    },
    "Location": {"description": "Address of the new definition.", "schema": _TEXT},
    "Request-Id": {"description": "Id of the request, also in the commit that it made.", "schema": _TEXT},
    "Registry-Commit": {
        "description": "Commit of the state that was answered from. Send it as Registry-At-Least to another "
        "server to read at least this state.",
        "schema": _TEXT,
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "Allow": {"description": "The methods of the address.", "schema": _TEXT},
    "WWW-Authenticate": {"description": "The login that the server accepts.", "schema": _TEXT},
}
_PARAMETERS = {
    "RequestId": parameter(
        "Request-Id",
        _TEXT,
        "At most 64 letters, digits, - and _: the id of the request. The server makes one for other values.",
        "header",
    ),
    "RegistryAtLeast": parameter(
        "Registry-At-Least",
        {"type": "string", "pattern": "^(?:[0-9a-f]{40}|[0-9a-f]{64})$"},
        "Wait up to 2 s until the server has this commit.",
        "header",
    ),
    "IfMatch": parameter(
        "If-Match",
        {"type": "string", "pattern": r'^(?:\*|(?:W/)?"[!#-~]*"(?:, ?(?:W/)?"[!#-~]*")*)$'},
        "ETags that the definition may have, or *. Edits of fields that have not changed since are merged.",
        "header",
    ),
    "IdempotencyKey": parameter(
        "Idempotency-Key",
        {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "The same request with the same key within 24 hours has the same answer, and no effect.",
        "header",
    ),
    "AllowBreaking": parameter(
        "Allow-Breaking",
        _TEXT,
        "`true` makes a change that the registry refuses as breaking; needs the right `break`.",
        "header",
    ),
}


class _Failure:
    """A response for a request that has no effect: status, component and description."""

    def __init__(self, status: int, name: str, description: str, *headers: str) -> None:
        self.status, self.name = str(status), name
        self.body = response(description, reference("Error")) | _with_headers(*headers)

    @property
    def reference(self) -> OpenApiSchema:
        return {self.status: {"$ref": f"#/components/responses/{self.name}"}}


def _with_headers(*names: str) -> OpenApiSchema:
    every = (*names, "Request-Id", "Registry-Commit")
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in every}}


_BAD = _Failure(400, "BadRequest", "A header, a parameter or the body is malformed")
_LOGIN = _Failure(401, "Unauthorized", "The request needs a login, or the login failed", "WWW-Authenticate")
_FORBIDDEN = _Failure(403, "Forbidden", "The user may not do this, or a page of another site has sent it")
_MISSING = _Failure(404, "NotFound", "Not found")
_GONE = _Failure(410, "Gone", "The definition was deleted")
_CONFLICT = _Failure(
    409,
    "Conflict",
    "The name is taken, the body has another id, the definition is referenced, or the change is breaking",
)
_CHANGED = _Failure(412, "PreconditionFailed", "If-Match does not match", "ETag")
_LARGE = _Failure(413, "ContentTooLarge", f"The body has more than {MAX_BODY_BYTES // 1024} KiB")
_TYPE = _Failure(415, "UnsupportedMediaType", "The body has another Content-Type, or a Content-Encoding")
_INVALID = _Failure(422, "UnprocessableContent", "The definition has errors, or the Idempotency-Key is used")
_UNCONDITIONAL = _Failure(428, "PreconditionRequired", "This registry requires If-Match")
_SLOWED = _Failure(429, "TooManyRequests", "Too many failed logins", "Retry-After")
_UNAVAILABLE = _Failure(503, "ServiceUnavailable", "The request cannot be carried out now", "Retry-After")
_LOGINS = (_LOGIN, _FORBIDDEN, _SLOWED)
_OF_ALL_WRITES = (_BAD, *_LOGINS, _CONFLICT, _LARGE, _INVALID, _UNAVAILABLE)
_OF_EXISTING = (_MISSING, _GONE, _CHANGED, _UNCONDITIONAL)
_EVERY = (*_OF_ALL_WRITES, *_OF_EXISTING, _TYPE)


def writable_openapi(snapshot: Snapshot, *, login_to_read: bool) -> OpenApiSchema:
    """Return the OpenAPI document of a server with writes. `login_to_read`: reading needs a login, too."""
    document, components, details = describe(snapshot, live=True)
    document["info"] |= {"summary": "Definitions as JSON; writes become commits"}
    shared = document["components"]
    shared["securitySchemes"] = dict(_SCHEMES)
    shared["headers"] = dict(_HEADERS)
    shared["parameters"] = dict(_PARAMETERS)
    shared["responses"] = {one.name: one.body for one in _EVERY}
    components.schemas["Error"] = _error_schema()
    for item in document["paths"].values():
        item["get"] = _live(item["get"], login_to_read=login_to_read)
        item["options"] = _options(f"methods_{item['get']['operationId']}", item["get"])
    for kind in snapshot.kinds:
        schemas = FileSchemas(components, f"{pascal(kind.name)}File", kind.schema)
        bodies = _Bodies(kind, schemas)
        names = [components.add(pascal(kind.name) + suffix, body) for suffix, body in bodies.by_suffix]
        for path, item in _writes(kind, names, reference(details[kind.name])).items():
            document["paths"].setdefault(path, {}).update(item)
    return document


def _error_schema() -> OpenApiSchema:
    finding = {"rule": _TEXT, "pointer": _TEXT, "message": _TEXT, "hint": _TEXT}
    conflict = {"pointer": _TEXT, "current": {}, "requested": {}}
    change = {**finding, "level": _TEXT}
    lists: dict[str, tuple[OpenApiSchema, str]] = {
        "problems": (open_object(finding), "Errors that the checker finds"),
        "changes": (open_object(change), "What a breaking change does"),
        "conflicts": (
            open_object(conflict, "current", "requested"),
            "Fields that another client has changed",
        ),
        "references": (_TEXT, "Definitions that refer to this one"),
    }
    arrays = {
        key: {"type": "array", "items": items, "description": text} for key, (items, text) in lists.items()
    }
    return open_object({"error": _TEXT | {"description": "One sentence"}, **arrays}, *arrays)


def _live(operation: OpenApiSchema, *, login_to_read: bool) -> OpenApiSchema:
    """Return an operation that reads, with the headers and errors of the live server."""
    failures = (_BAD, _UNAVAILABLE, *(_LOGINS if login_to_read else ()))
    answers = {
        status: one if "$ref" in one else one | _with_headers(*(("ETag",) if status == "200" else ()))
        for status, one in operation["responses"].items()
    }
    for one in failures:
        answers |= one.reference
    return {
        **operation,
        "parameters": [*operation.get("parameters", ()), *_parameters("RequestId", "RegistryAtLeast")],
        "responses": dict(sorted(answers.items())),
        **({"security": list(_SECURITY)} if login_to_read else {}),
    }


def _parameters(*names: str) -> list[OpenApiSchema]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _options(operation: str, beside: OpenApiSchema) -> OpenApiSchema:
    """Return the operation that names the methods of an address."""
    answer = response("The methods of the address", _TEXT, "text/plain; charset=utf-8")
    own = [one for one in beside.get("parameters", ()) if one.get("in") == "path"]
    return {
        "tags": beside["tags"],
        "operationId": operation,
        "summary": "The methods of the address",
        "parameters": [*own, *_parameters("RequestId")],
        "responses": {"200": answer | _with_headers("Allow")},
    }


class _Bodies:
    """Schemas of the bodies of one kind's requests."""

    def __init__(self, kind: Kind, schemas: FileSchemas) -> None:
        file = schemas.file
        known = file.get("properties", {})
        self._title = kind.title
        self._file = file
        self._properties = {
            **{key: {"description": "Ignored"} for key in sorted(ADDED_KEYS)},
            "name": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_NAME_BYTES,
                "description": "Its name: letters, digits and . _ - + in parts separated by slashes",
            },
            **{key: value for key, value in known.items() if key not in ADDED_KEYS | {"id", "name"}},
        }

    @property
    def by_suffix(self) -> list[tuple[str, OpenApiSchema]]:
        """Schemas of the bodies of POST, PUT, PATCH and of a merge patch, by suffix of the component."""
        required = [key for key in self._file.get("required", ()) if key not in ("id", "name", "definition")]
        own_id = {"id": {"type": "integer", "description": "The id in the address, if any"}}
        part = {key: value for key, value in self._file.items() if key in _OF_PARTS}
        part |= {"properties": {**own_id, **self._properties}}
        new = {**self._file, "properties": self._properties, "required": ["definition", *required]}
        text = "The keys to replace; `definition` is replaced as a whole"
        return [
            ("New", new | {"description": f"{self._title}, new. Without a name, the registry makes one"}),
            (
                "Replacement",
                part | {"required": ["definition"], "description": "`definition`, and other keys to replace"},
            ),
            ("Edit", part | {"description": text}),
            (
                "MergePatch",
                {
                    "type": "object",
                    "additionalProperties": True,
                    "description": "JSON Merge Patch (RFC 7396)",
                },
            ),
        ]


def _writes(kind: Kind, bodies: Sequence[OpenApiSchema], detail: OpenApiSchema) -> dict[str, OpenApiSchema]:
    """Return the operations of a kind that write, by path and method."""
    new, replacement, edit, merge_patch = bodies
    name, title = kind.name, kind.title.lower()
    place = f"/{addresses.api_list(name)}/{{id}}/"
    stored = {"headers": _with_headers("ETag")["headers"]}
    no_content = {"content": {"text/html; charset=utf-8": {"schema": {"const": ""}}}}
    conditional = ("IfMatch", "AllowBreaking")

    def write(
        operation: str, summary: str, done: OpenApiSchema, *headers: str, body: Any = None
    ) -> OpenApiSchema:
        is_new = operation == "add"
        failures = [*_OF_ALL_WRITES, *(() if is_new else (_MISSING,)), *((_TYPE,) if body else ())]
        if "IfMatch" in headers:
            failures += _OF_EXISTING
        answers = dict(done)
        for one in failures:
            answers |= one.reference
        own = [] if is_new else [_ID]
        content = {"requestBody": {"required": True, "content": body}} if body else {}
        return {
            "tags": [name],
            "operationId": f"{operation}_{name}",
            "summary": summary,
            "security": list(_SECURITY),
            "parameters": [*own, *_parameters("RequestId", "IdempotencyKey", *headers)],
            **content,
            "responses": dict(sorted(answers.items())),
        }

    def json(schema: OpenApiSchema) -> OpenApiSchema:
        return {JSON: {"schema": schema}}

    added = {"201": {"description": "Added", **no_content, **_with_headers("Location", "ETag")}}
    changed = {"202": {"description": "Changed", **no_content, **stored}}
    restored = {"200": response("Restored", detail) | stored}
    restore = write("restore", f"Bring a deleted {title} back", restored)
    return {
        api_path(addresses.api_list(name)): {"post": write("add", f"Add a {title}", added, body=json(new))},
        place: {
            "put": write(
                "replace",
                f"Replace the content of a {title}",
                {"204": {"description": "Replaced", **stored}},
                *conditional,
                body=json(replacement),
            ),
            "patch": write(
                "change",
                f"Change a {title}",
                changed,
                *conditional,
                body=json(edit) | {MERGE_PATCH: {"schema": merge_patch}},
            ),
            "delete": write(
                "delete",
                f"Delete a {title}",
                {"204": {"description": "Deleted", **_with_headers()}},
                *conditional,
            ),
        },
        f"{place}restore/": {"post": restore, "options": _options(f"methods_restore_{name}", restore)},
    }
