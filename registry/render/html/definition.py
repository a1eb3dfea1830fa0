"""Texts on the page of one definition, current or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.check.placeholders import template_variables
from registry.load.x_registry import DEPRECATION
from registry.model import addresses
from registry.model.adapter import adapter_parameters
from registry.model.definition import Definition, definition_path
from registry.model.pointer import value_at
from registry.model.values import list_of, map_of
from registry.render.html.client_lines import client_lines
from registry.render.html.fields import FieldLists
from registry.render.html.message_flow import flow_texts, no_flow
from registry.render.html.revisions import ShownRevision, history_list
from registry.render.html.shell_command import command_html, shell_command
from registry.render.html.text import markdown, properties, title_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from registry.load.kinds import Kind
    from registry.render.html.filled_template import Texts
    from registry.render.html.pages import Templates
    from registry.snapshot import Snapshot, Tombstone

# Number of revisions on the page of a definition; the history page shows all.
_NEWEST = 5
MOST_USERS = 20
"""A definition that more others use has pages that list them; its own page shows the first ones."""
# Keys that the page shows in a dedicated place. All other keys next to `definition` are listed.
_SHOWN_ELSEWHERE = frozenset(
    {
        "id",
        "title",
        "description",
        "owners",
        "tags",
        "lifecycle",
        "deprecation",
        "links",
        "definition",
        "interface",
        "examples",
    }
)


def definition_texts(
    snapshot: Snapshot,
    templates: Templates,
    kind: Kind,
    definition: Definition,
    shown: Sequence[ShownRevision],
    root: str,
) -> Texts:
    """Return the texts of a current definition.

    `shown` are its revisions, `root` is the relative path to the root of the site.
    """
    used_by, replaces = referring_to(snapshot, definition)
    has_more = len(used_by) > MOST_USERS
    return {
        **_content(snapshot, templates, kind, definition.name, definition.id, definition.data),
        "page.references": templates.fill_each(
            "reference", _references(snapshot, kind, definition.data), root=root
        ),
        **_newest(snapshot, shown, root),
        "page.proposed": _proposed(snapshot, definition.kind, definition.name),
        "page.is_deleted": "",
        "page.has_content": "yes",
        "page.badges": templates.words("badge", badges(snapshot, definition)),
        "page.used_by": templates.fill_each("user", map(_user, used_by[:MOST_USERS]), root=root),
        "page.users_href": addresses.href(addresses.users_page(kind.name, definition.name))
        if has_more
        else "",
        "page.users_count": str(len(used_by)),
        "page.replaces": templates.fill_each("user", map(_user, replaces), root=root),
        "page.path": definition.path,
        **_source_links(snapshot, definition.path),
        "page.source": definition.raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"),
    }


def tombstone_texts(
    snapshot: Snapshot,
    templates: Templates,
    kind: Kind,
    tombstone: Tombstone,
    shown: Sequence[ShownRevision],
    root: str,
) -> Texts:
    """Return the texts of a deleted definition, with its last content."""
    data = snapshot.last_document(tombstone) or {}
    return {
        **_content(snapshot, templates, kind, tombstone.name, tombstone.id, data),
        "page.references": templates.fill_each("reference", _references(snapshot, kind, data), root=root),
        **_newest(snapshot, shown, root),
        "page.proposed": _proposed(snapshot, tombstone.kind, tombstone.name),
        "page.is_deleted": "yes",
        "page.has_content": "yes" if data else "",
        "page.badges": templates.words("badge", ["deleted"]),
        "page.used_by": b"",
        "page.users_href": "",
        "page.users_count": "",
        "page.folders": b"",
        "page.exports": b"",
        "page.replaces": b"",
        "page.path": definition_path(tombstone.kind, tombstone.name),
        **_source_links(snapshot, None),
        "page.source": "",
    }


def _proposed(snapshot: Snapshot, kind: str, name: str) -> bytes:
    """Return what the change that a preview shows does to a definition."""
    preview = snapshot.preview
    return preview.by_definition.get((kind, name), "").encode() if preview is not None else b""


def badges(snapshot: Snapshot, definition: Definition) -> list[str]:
    """Return the badges next to the title of a definition."""
    summary, fields = definition.summary, snapshot.kinds.by_name[definition.kind].traits.fields
    found = [value for one, value in zip(fields, summary.fields, strict=True) if one.is_badge and value]
    lifecycle = summary.lifecycle
    if lifecycle in ("experimental", "deprecated"):
        found.append(lifecycle)
    preview = snapshot.preview
    if preview is not None and (definition.kind, definition.name) in preview.marks:
        found.append(preview.marks[definition.kind, definition.name])
    newest = snapshot.revisions_of(definition).newest
    if newest is not None and newest.commit is None:
        found.append("uncommitted")
    return found


def _content(
    snapshot: Snapshot,
    templates: Templates,
    kind: Kind,
    name: str,
    number: int | None,
    data: Mapping[str, Any],
) -> Texts:
    """Return the texts of a document.

    The last content of a deleted definition may be invalid; it is only known to be a map.
    """
    around = {key: value for key, value in data.items() if key not in _SHOWN_ELSEWHERE}
    lists, known = FieldLists(kind.schema), properties(kind)
    variables = template_variables(value_at(data, kind.traits.variables))
    return {
        "page.title": _text(data.get("title")) or name,
        "page.name": name,
        "page.id": "" if number is None else str(number),
        "page.description": markdown(_text(data.get("description"))).encode(),
        "page.command": command_html(shell_command(kind, data)),
        **_definition_fields(snapshot, templates, kind, data.get("definition"), lists),
        "page.interface": _field(lists, known, data.get("interface"), "interface"),
        "page.examples": _field(lists, known, data.get("examples"), "examples"),
        "page.variables": templates.words("variable", variables),
        "page.around": lists.html(around, known) if around else b"",
        "page.owners": ", ".join(map(_text, list_of(data.get("owners")))),
        "page.tags": templates.words("tag", map(_text, list_of(data.get("tags")))),
        "page.lifecycle": _text(data.get("lifecycle", "production")),
        "page.links": templates.fill_each("link", _links(data)),
        **_addresses(snapshot, kind.name, name, number),
        **_deprecation(data, kind.name),
        **client_lines(snapshot.settings, kind.name, number),
    }


def referring_to(snapshot: Snapshot, definition: Definition) -> tuple[list[Definition], list[Definition]]:
    """Return the definitions that use this one, and those that it replaces."""
    used_by: list[Definition] = []
    replaces: list[Definition] = []
    for other, field in snapshot.referring.get((definition.kind, definition.name), ()):
        reference = snapshot.kinds.by_name[other.kind].references[field]
        (replaces if reference.pointer == DEPRECATION else used_by).append(other)
    return used_by, replaces


def _user(other: Definition) -> Texts:
    return {
        "href": addresses.href(addresses.definition_page(other.kind, other.name)),
        "title": other.summary.title or other.name,
        "name": other.name,
    }


def _field(lists: FieldLists, known: Mapping[str, Any], value: Any, key: str) -> bytes:
    """Return a list of the content of one key next to `definition`."""
    if not value:
        return b""
    about = map_of(known.get(key))
    return lists.html(value, map_of(about.get("properties")), about.get("items"))


def _definition_fields(
    snapshot: Snapshot, templates: Templates, kind: Kind, found: Any, lists: FieldLists
) -> Texts:
    """Return the texts of the key `definition`: the flow of messages, and the other fields as a list."""
    inside = map_of(found)
    is_process = kind.uses("process")
    sides = {f"{side}_adapter": side for side in ("input", "output")} if is_process else {}
    adapters = (
        _adapter(snapshot, side, inside[key], lists)
        for key, side in sides.items()
        if isinstance(inside.get(key), dict)
    )
    plain = {key: value for key, value in inside.items() if key not in sides}
    return {
        **(flow_texts(inside) if is_process and inside else no_flow()),
        "page.adapters": templates.fill_each("adapter", adapters),
        "page.inside": lists.html(plain, properties(kind, "definition")),
    }


def _links(data: Mapping[str, Any]) -> Iterator[Texts]:
    """Yield the links to show. Only https: other schemes, such as `javascript:`, can run code."""
    for link in list_of(data.get("links")):
        if isinstance(link, dict) and str(link.get("href")).startswith("https://"):
            yield {"href": link["href"], "title": _text(link.get("title")) or link["href"]}


def _addresses(snapshot: Snapshot, kind: str, name: str, number: int | None) -> Texts:
    """Return the addresses of other pages and of API answers; a definition without an id has no answers."""
    history = addresses.href(addresses.history_page(kind, name))
    if number is None:
        return {
            "page.address": "",
            "page.address_href": "",
            "page.api_history_href": "",
            "page.history_href": history,
        }
    forms = snapshot.settings.addresses
    place = addresses.answer_file(addresses.api_detail(kind, number), forms)
    return {
        "page.address": f"{snapshot.settings.base_url.rstrip('/')}/{place}",
        "page.address_href": place,
        "page.api_history_href": addresses.answer_file(addresses.api_history(kind, number), forms),
        "page.history_href": history,
    }


def _source_links(snapshot: Snapshot, path: str | None) -> Texts:
    """Return the addresses of a file on the forge; a deleted one (None) has no addresses."""
    found = snapshot.settings.repository_links.of_file(path) if path is not None else None
    file, edit, blame = found or ("", "", "")
    return {"page.file_href": file, "page.edit_href": edit, "page.blame_href": blame}


def _references(snapshot: Snapshot, kind: Kind, data: Mapping[str, Any]) -> Iterator[Texts]:
    """Yield the definitions that a document refers to, each with the title of the field."""
    for one in kind.traits.shown_references:
        name = value_at(data, one.pointer)
        if not isinstance(name, str) or not name:
            continue
        is_there = (one.kind, name) in snapshot.by_name
        place = addresses.definition_page(one.kind, name)
        yield {
            "title": title_at(kind, one.pointer),
            "name": name,
            "href": addresses.href(place) if is_there else "",
        }


def _deprecation(data: Mapping[str, Any], kind: str) -> Texts:
    is_deprecated = data.get("lifecycle") == "deprecated"
    deprecation = map_of(data.get("deprecation")) if is_deprecated else {}
    replaced_by = _text(deprecation.get("replaced_by"))
    return {
        "page.is_deprecated": "yes" if is_deprecated else "",
        "deprecation.since": _text(deprecation.get("since")),
        "deprecation.sunset": _text(deprecation.get("sunset")),
        "deprecation.replaced_by": replaced_by,
        "deprecation.href": addresses.href(addresses.definition_page(kind, replaced_by)),
        "deprecation.reason": _text(deprecation.get("reason")).rstrip("."),
    }


def _adapter(snapshot: Snapshot, side: str, adapter: Mapping[str, Any], lists: FieldLists) -> Texts:
    """Return the texts of the card of one adapter, with a description of its type."""
    name = _text(adapter.get(f"{side}_type"))
    known = snapshot.kinds.adapters.get(name)
    titles = known.sides.get(side, {}).get("properties", {}) if known else {}
    words = known.sides.get(side, {}).get("description", "") if known else "A custom type."
    params = adapter_parameters(side, adapter)
    return {
        "side": side.capitalize(),
        "type": name,
        "text": words,
        "params": lists.html(params, titles) if params else b"",
    }


def _newest(snapshot: Snapshot, shown: Sequence[ShownRevision], root: str) -> Texts:
    count = len(shown)
    # Ids are assigned by commits of their own, which are no news. The history lists them.
    news = [one for one in shown if not one.only_assigns_id] or shown
    more = (
        f"All {count} revisions"
        if count > _NEWEST
        else "Compare two revisions"
        if snapshot.settings.shows_revisions
        else "History"
    )
    return {
        "page.revisions": history_list(news[:_NEWEST], root),
        "page.revision_count": str(count) if count else "",
        "page.more_revisions": more if count > 1 else "",
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
