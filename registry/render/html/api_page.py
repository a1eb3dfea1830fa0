"""The page about the API: every address of the OpenAPI document, with an example from the registry."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.model import addresses
from registry.model.values import list_of, map_of
from registry.render.html.json_excerpt import json_excerpt
from registry.render.html.marks import sign_invisible
from registry.render.html.text import markdown
from registry.render.json_api import (
    detail_body,
    history_body,
    index_body,
    page_meta,
    published,
    revision_body,
    revision_with_content,
)
from registry.render.openapi import LIVE_ONLY, openapi_body
from registry.render.target import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition
    from registry.render.components import OpenApiSchema
    from registry.snapshot import Snapshot

# The reader replaces it by the address of the site, which only an absolute `base_url` states.
_SITE = "$SITE"
_COMPONENTS = "#/components/schemas/"


class TypePart(NamedTuple):
    """A piece of the description of a type: words, or the name of a schema on the page."""

    text: str
    schema: str = ""


def api_page_fingerprint(snapshot: Snapshot) -> str:
    """Return a digest of all inputs of the page: the schemas, and the definitions that are examples."""
    examples = [one for kind in snapshot.kinds if (one := _first(snapshot, kind)) is not None]
    counts = [len(published(snapshot, kind.name)) for kind in snapshot.kinds]
    first_entry = snapshot.ledger.text.partition("\n")[0]
    return digest_of(snapshot.common_fingerprint, snapshot.fingerprints_of(examples), counts, first_entry)


def api_page_context(snapshot: Snapshot) -> dict[str, Any]:
    """Return the variables of the template `api.html`."""
    document = openapi_body(snapshot)
    host = _host(snapshot)
    examples: dict[str, Any] = {"index": index_body(snapshot)}
    values: dict[str, dict[str, str]] = {}
    for kind in snapshot.kinds:
        first = _first(snapshot, kind)
        if first is not None:
            examples |= _examples(snapshot, kind, first)
        values[kind.name] = _path_values(snapshot, first)
    groups: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        operation = methods["get"]
        (tag,) = operation["tags"]
        shown = _operation(host, path, operation, values.get(tag, {}))
        shown["example"] = _example(snapshot, operation["operationId"], examples)
        groups[tag].append(shown)
    titles = {kind.name: kind.plural for kind in snapshot.kinds}
    return {
        "needs_site": host == _SITE,
        "about": markdown(document["info"].get("description", "")),
        "groups": [
            {
                "id": f"group-{tag['name']}".lower(),
                "title": sign_invisible(titles.get(tag["name"], tag["name"])),
                "description": markdown(tag["description"]),
                "operations": groups[tag["name"]],
            }
            for tag in document["tags"]
        ],
        "schemas": [*map(_schema, *zip(*document["components"]["schemas"].items(), strict=True))],
    }


def _host(snapshot: Snapshot) -> str:
    """Return the address of the site without a slash at the end; `$SITE` if the settings do not have it."""
    base_url = snapshot.settings.base_url.rstrip("/")
    return base_url if "://" in base_url else f"{_SITE}{base_url}"


def _first(snapshot: Snapshot, kind: Kind) -> Definition | None:
    """Return the definition with the lowest id, which is the example of its kind."""
    return next(iter(published(snapshot, kind.name)), None)


def _path_values(snapshot: Snapshot, first: Definition | None) -> dict[str, str]:
    """Return a value for each parameter in the path."""
    if first is None:
        return {"id": "1", "ids": "1", "name": "NAME", "number": "1", "page": "2"}
    newest = snapshot.revisions_of(first).newest
    return {
        "id": str(first.id),
        "ids": ";".join(str(one.id) for one in published(snapshot, first.kind)[:2]),
        "name": addresses.in_address(first.name),
        "number": str(newest.number if newest is not None else 1),
        "page": "2",
    }


def _operation(host: str, path: str, operation: OpenApiSchema, values: Mapping[str, str]) -> dict[str, Any]:
    parameters = [one for one in operation.get("parameters", ()) if one["in"] in ("path", "query")]
    place = path
    for name, value in values.items():
        place = place.replace(f"{{{name}}}", value)
    return {
        "id": operation["operationId"],
        "path": path,
        "summary": sign_invisible(operation["summary"]),
        "description": markdown(operation.get("description", "")),
        "curl": _curl(f"{host}{place}"),
        "has_live_only": any(one["description"].endswith(LIVE_ONLY) for one in parameters),
        "parameters": [
            {
                "name": one["name"],
                "place": one["in"],
                "type": [*_type(one["schema"])],
                "description": markdown(one["description"].removesuffix(LIVE_ONLY)),
            }
            for one in parameters
        ],
        "answers": [*_answers(operation)],
    }


def _curl(url: str) -> str:
    if not url.startswith(_SITE):
        return shlex.join(["curl", url])
    # Double quotes: the shell must expand the variable. What follows is a URL, which has none of `"\$`.
    return f'curl "{url}"'


def _answers(operation: OpenApiSchema) -> Iterator[dict[str, Any]]:
    for status, answer in operation["responses"].items():
        content = map_of(answer.get("content"))
        media_type: str = next(iter(content), "")
        body = map_of(content.get(media_type))
        yield {
            "status": status,
            "description": answer.get("description", "There is no such definition, page or revision"),
            "media_type": media_type,
            "type": [*_type(body["schema"])] if body else [],
        }


def _examples(snapshot: Snapshot, kind: Kind, first: Definition) -> dict[str, Any]:
    """Return answers by the id of the operation; lists have one definition only."""
    name, detail = kind.name, detail_body(snapshot, first)
    revisions = snapshot.revisions_of(first)
    found = {
        f"list_{name}": {
            "meta": page_meta(snapshot, name, 1, len(published(snapshot, name))),
            "objects": [detail],
        },
        f"get_{name}": detail,
    }
    newest = revisions.newest
    if newest is not None:
        newest_body = revision_with_content(snapshot, newest)
        found[f"history_{name}"] = history_body(snapshot, first.id, first.name, [newest_body])
        if snapshot.settings.shows_revisions:
            found[f"revision_{name}"] = revision_body(snapshot, first.id, newest_body)
    return found


def _example(snapshot: Snapshot, operation: str, examples: Mapping[str, Any]) -> str:
    """Return an excerpt of an answer; "" where another operation shows the same, or the answer is long."""
    if operation == "ledger":
        # One line is one answer: it is shown as it is.
        return snapshot.ledger.text.partition("\n")[0]
    return sign_invisible(json_excerpt(examples[operation])) if operation in examples else ""


def _schema(name: str, schema: OpenApiSchema) -> dict[str, Any]:
    required = list_of(schema.get("required"))
    fields = [
        {
            "name": sign_invisible(key),
            "type": [*_type(one)],
            "is_optional": key not in required,
            "description": markdown(map_of(one).get("description", "")),
            "known": ", ".join(str(value) for value in list_of(map_of(one).get("x-extensible-enum"))),
        }
        for key, one in map_of(schema.get("properties")).items()
    ]
    return {
        "name": name,
        "description": markdown(schema.get("description", "")),
        "fields": fields,
        "type": [] if fields else [*_type(schema)],
    }


def _type(schema: Any) -> Iterator[TypePart]:
    """Describe the type of a value, for example `list of` and the name of a schema."""
    schema = map_of(schema)
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix(_COMPONENTS)
        yield TypePart(name, name)
    elif "anyOf" in schema:
        yield from _joined([[*_type(one)] for one in schema["anyOf"]])
    elif "const" in schema:
        yield TypePart(json_excerpt(schema["const"]))
    elif schema.get("type") == "array":
        yield TypePart("list of ")
        yield from _type(schema.get("items"))
    elif schema.get("type") == "object" and map_of(schema.get("additionalProperties")):
        yield TypePart("map of ")
        yield from _type(schema["additionalProperties"])
    else:
        types = schema.get("type", "any")
        yield TypePart(types if isinstance(types, str) else " or ".join(types))


def _joined(choices: Sequence[Sequence[TypePart]]) -> Iterator[TypePart]:
    for number, choice in enumerate(choices):
        if number:
            yield TypePart(" or ")
        yield from choice
