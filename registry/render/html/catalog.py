"""The pages of one snapshot."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

from jinja2 import TemplateError

from registry.check.placeholders import template_variables
from registry.errors import UsageError
from registry.history import Revision
from registry.kinds import Kind
from registry.loader import Definition, definition_path
from registry.render.file import File, Unit, key_of, name_in_address, unit_of
from registry.render.html.pages import Pages
from registry.render.html.revisions import ShownRevision, shown_revisions
from registry.render.html.text import as_list, command, field, field_html, href, markdown, properties
from registry.snapshot import Snapshot, Tombstone
from registry.yaml_writer import to_yaml

LIST_PAGE_SIZE = 200
_INDEX_ROWS = 300
# So many on a definition's own page; all of them on the page of its history.
_NEWEST = 5
_CSP = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
# What stands in the facts beside, or is shown in another way; everything else around `definition` is listed.
_SHOWN_ELSEWHERE = frozenset({"id", "title", "description", "owners", "tags", "lifecycle", "deprecation", "links", "definition"})


def render(snapshot: Snapshot) -> Iterator[Unit]:
    """Every page, and the assets that they load."""
    assets = _assets(snapshot)
    for name, path in assets.items():
        yield unit_of(path, File(path, snapshot.templates[f"assets/{name}"]))
    for unit in _Catalog(snapshot, assets).units():
        yield unit._replace(make=partial(_explained, unit.make))


def render_one(snapshot: Snapshot, definition: Definition) -> Unit:
    """The pages of one definition alone."""
    catalog = _Catalog(snapshot, _assets(snapshot))
    kind = snapshot.kinds.by_name[definition.kind]
    unit = catalog.unit(kind, catalog.kind(kind), definition)
    return unit._replace(make=partial(_explained, unit.make))


def _assets(snapshot: Snapshot) -> dict[str, str]:
    """Paths of the assets by their names; the digest in a path lets a host keep the file for ever."""
    found = {}
    for name, data in sorted(snapshot.templates.items()):
        if name.startswith("assets/"):
            stem, _, ending = name.rpartition(".")
            found[name.removeprefix("assets/")] = f"{stem}.{hashlib.sha256(data).hexdigest()[:10]}.{ending}"
    return found


def _explained(make: Callable[[], Iterable[File]]) -> Iterator[File]:
    """The files, with what is wrong in a template said to the person who wrote it: ours are tested."""
    try:
        yield from make()
    except TemplateError as error:
        place = f"site_templates/{getattr(error, 'name', None) or '…'}"
        line = getattr(error, "lineno", None)
        raise UsageError(f"{place}{f':{line}' if line else ''}: {error.message or error}", "mend the template, or remove it to use ours") from error


# One for all snapshots with the same templates: compiling them costs more than most pages.
@lru_cache(maxsize=4)
def _pages(templates: tuple[tuple[str, bytes], ...], is_own: bool) -> Pages:
    texts = {name: data.decode("utf-8", "replace") for name, data in templates if name.endswith(".html")}
    return Pages(texts, {"field": field_html}, is_own=is_own)


class _Catalog:
    """The pages of one snapshot."""

    def __init__(self, snapshot: Snapshot, assets: Mapping[str, str]) -> None:
        self.snapshot = snapshot
        self.pages = _pages(tuple(sorted(snapshot.templates.items())), snapshot.has_own_templates)
        self.kinds = [self.kind(kind) for kind in snapshot.kinds]
        self.everywhere = {"csp": _CSP, "assets": dict(assets), "site": self.site()}

    def site(self) -> dict[str, Any]:
        """What every page may say about the whole."""
        snapshot = self.snapshot
        note = "nothing was committed yet." if snapshot.commit is None else "this is a shallow clone, older commits are elsewhere."
        return {
            "title": snapshot.settings.title,
            "description": markdown(snapshot.settings.description),
            "commit": snapshot.commit,
            "commit_time": snapshot.commit_time,
            "is_dirty": snapshot.is_dirty,
            "history_complete": snapshot.history_complete,
            "history_note": note,
            "revision_count": snapshot.revision_count,
            "shows_revisions": snapshot.settings.shows_revisions,
            "kinds": self.kinds,
            "preview": snapshot.preview,
        }

    def kind(self, kind: Kind) -> dict[str, Any]:
        definitions = self.snapshot.by_kind[kind.name]
        return {
            "name": kind.name,
            "title": kind.title,
            "plural": kind.plural,
            "description": kind.description,
            "count": len(definitions),
            "has_application": any(reference.pointer == "/definition/application" for reference in kind.references),
        }

    def units(self) -> Iterator[Unit]:
        """All pages."""
        snapshot = self.snapshot
        facts = [snapshot.commit, snapshot.commit_time, snapshot.is_dirty, snapshot.revision_count]
        counts = [len(found) for found in snapshot.by_kind.values()]
        shown = [[snapshot.key_of(one) for one in found[:_INDEX_ROWS]] for found in snapshot.by_kind.values()]
        yield Unit("index.html", key_of(snapshot.common_key, facts, counts, shown), ("index.html",), self.index)
        yield Unit("404.html", snapshot.common_key, ("404.html",), self.not_found)
        if snapshot.preview is not None:
            yield unit_of("changes", File("changes/index.html", snapshot.preview.page))
        for kind, facts_of_kind in zip(snapshot.kinds, self.kinds, strict=True):
            yield from self.lists(facts_of_kind, snapshot.by_kind[kind.name])
            for definition in snapshot.by_kind[kind.name]:
                yield self.unit(kind, facts_of_kind, definition)
            for tombstone in snapshot.tombstones:
                if tombstone.kind == kind.name and (kind.name, tombstone.name) not in snapshot.by_name:
                    place = f"{kind.name}/{tombstone.name}"
                    key = snapshot.key_of(tombstone)
                    yield Unit(f"{kind.name}#{tombstone.id}", key, (place,), partial(self.tombstone_pages, kind, facts_of_kind, tombstone))

    def unit(self, kind: Kind, facts: dict[str, Any], definition: Definition) -> Unit:
        """The pages of one definition."""
        place = f"{kind.name}/{definition.name}"
        return Unit(place, self.snapshot.key_of(definition), (place,), partial(self.definition_pages, kind, facts, definition))

    def index(self) -> Iterator[File]:
        rows = {kind.name: [self.row(one) for one in self.snapshot.by_kind[kind.name][:_INDEX_ROWS]] for kind in self.snapshot.kinds}
        yield self.page("index.html", "index.html", 0, rows=rows)

    def not_found(self) -> Iterator[File]:
        # Served for any unknown address at any depth, so its links start at the top.
        yield File("404.html", self.pages.render("404.html", self.snapshot.settings.base_path, self.everywhere, {}))

    def lists(self, facts: dict[str, Any], definitions: Sequence[Definition]) -> Iterator[Unit]:
        count = max(1, -(-len(definitions) // LIST_PAGE_SIZE))
        for number in range(1, count + 1):
            shown = definitions[(number - 1) * LIST_PAGE_SIZE : number * LIST_PAGE_SIZE]
            key = key_of(self.snapshot.common_key, count, len(definitions), [self.snapshot.key_of(one) for one in shown])
            place = f"list/{facts['name']}/{number}"
            yield Unit(place, key, (place,), partial(self.list_page, facts, shown, number, count))

    def list_page(self, facts: dict[str, Any], definitions: Sequence[Definition], number: int, count: int) -> Iterator[File]:
        rows = [self.row(one) for one in definitions]
        yield self.page(f"list/{facts['name']}/{number}/index.html", "list.html", 3, kind=facts, rows=rows, page=number, pages=count)

    def definition_pages(self, kind: Kind, facts: dict[str, Any], definition: Definition) -> Iterator[File]:
        revisions = self.snapshot.revisions_of(definition)
        shown = self.shown_revisions(kind, definition.name, revisions)
        yield self.definition_page(kind, facts, definition.name, self.definition(definition, kind, shown))
        yield from self.history_pages(kind, facts, definition, revisions, shown)

    def tombstone_pages(self, kind: Kind, facts: dict[str, Any], tombstone: Tombstone) -> Iterator[File]:
        shown = self.shown_revisions(kind, tombstone.name, tombstone.revisions)
        yield self.definition_page(kind, facts, tombstone.name, self.tombstone(tombstone, kind, shown))
        yield from self.history_pages(kind, facts, tombstone, tombstone.revisions, shown)

    def shown_revisions(self, kind: Kind, name: str, revisions: Sequence[Revision]) -> tuple[ShownRevision, ...]:
        return shown_revisions(self.snapshot, href(kind.name, name), name, revisions, self.pages.macros("changes.html"))

    def page(self, path: str, template: str, depth: int, **context: Any) -> File:
        return File(path, self.pages.render(template, "../" * depth or "./", self.everywhere, context))

    def definition_page(self, kind: Kind, facts: dict[str, Any], name: str, page: dict[str, Any]) -> File:
        shown = SimpleNamespace(**page)
        return self.page(f"{kind.name}/{name}/index.html", "definition.html", name.count("/") + 2, kind=facts, page=shown)

    def history_pages(
        self, kind: Kind, facts: dict[str, Any], of: Definition | Tombstone, revisions: Sequence[Revision], shown: Sequence[ShownRevision]
    ) -> Iterator[File]:
        """The page of all revisions, and one for each with its content at that time."""
        if not shown:
            return
        folder, depth = f"{kind.name}/{of.name}", of.name.count("/") + 3
        about = {
            "name": of.name,
            "href": href(kind.name, of.name),
            "api": f"api/{kind.name}/{of.id}/" if of.id is not None else "",
            "count": len(shown),
        }
        yield self.page(f"{folder}/history/index.html", "history.html", depth, kind=facts, about=about, revisions=shown)
        if not self.snapshot.settings.shows_revisions:
            return
        for place, revision in enumerate(revisions):
            document = self.snapshot.document_of(revision)
            text = to_yaml(document) if document is not None else ""
            path = f"{folder}/revisions/{revision.number}/index.html"
            yield self.page(path, "revision.html", depth + 1, kind=facts, about=about, revision=shown[len(shown) - 1 - place], content=text)

    def row(self, definition: Definition) -> dict[str, Any]:
        """One line of a list."""
        revisions = self.snapshot.revisions_of(definition)
        application = definition.inside.get("application")
        dates = [revision.date for revision in revisions[-1:] if revision.date]
        return {
            "id": definition.id,
            "href": href(definition.kind, definition.name),
            "title": definition.data.get("title") or definition.name,
            "name": definition.name,
            "badges": self.badges(definition, revisions),
            "application": application,
            "application_href": name_in_address(application) if application else "",
            "tags": definition.data.get("tags", ()),
            "date": dates[0] if dates else "",
        }

    def badges(self, definition: Definition, revisions: tuple[Revision, ...]) -> list[str]:
        process_type, lifecycle = definition.inside.get("process_type"), definition.data.get("lifecycle")
        found = [process_type] if isinstance(process_type, str) else []
        if lifecycle in ("experimental", "deprecated"):
            found.append(lifecycle)
        preview = self.snapshot.preview
        if preview is not None and (definition.kind, definition.name) in preview.marks:
            found.append(preview.marks[definition.kind, definition.name])
        if revisions and revisions[-1].commit is None:
            found.append("uncommitted")
        return found

    def definition(self, definition: Definition, kind: Kind, revisions: Sequence[ShownRevision]) -> dict[str, Any]:
        """Everything a definition's page shows."""
        snapshot = self.snapshot
        used_by = snapshot.referring.get((definition.kind, definition.name), ())
        others = [{"href": href(other.kind, other.name), "title": other.data.get("title") or other.name, "name": other.name} for other in used_by]
        source = definition.raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
        page = self.content(definition.data, kind, definition.kind, definition.name, definition.id)
        return page | {
            "is_deleted": False,
            "badges": self.badges(definition, snapshot.revisions_of(definition)),
            "used_by": others,
            "path": definition.path,
            "source": source,
            **_newest(revisions),
        }

    def tombstone(self, tombstone: Tombstone, kind: Kind, revisions: Sequence[ShownRevision]) -> dict[str, Any]:
        """The page of a deleted definition: its last content."""
        last = next((one for one in reversed(tombstone.revisions) if one.blob is not None), None)
        data = (self.snapshot.document_of(last) if last else None) or {}
        page = self.content(data, kind, tombstone.kind, tombstone.name, tombstone.id)
        return page | {
            "is_deleted": True,
            "badges": ["deleted"],
            "used_by": [],
            "path": definition_path(tombstone.kind, tombstone.name),
            "source": "",
            **_newest(revisions),
        }

    def content(self, data: Mapping[str, Any], kind: Kind, kind_name: str, name: str, number: int | None) -> dict[str, Any]:
        """What a document says, in the form the template shows."""
        inside = data.get("definition")
        inside = inside if isinstance(inside, dict) else {}
        application = inside.get("application")
        known = ("application", application) in self.snapshot.by_name
        adapters = [self.adapter(side, inside[f"{side}_adapter"]) for side in ("input", "output") if isinstance(inside.get(f"{side}_adapter"), dict)]
        plain = {key: value for key, value in inside.items() if key not in ("input_adapter", "output_adapter")}
        around = {key: value for key, value in data.items() if key not in _SHOWN_ELSEWHERE}
        links = [{"href": link["href"], "title": link.get("title") or link["href"]} for link in as_list(data.get("links"))
                 if isinstance(link, dict) and str(link.get("href")).startswith("https://")]  # fmt: skip
        base = self.snapshot.settings.base_url.rstrip("/")
        place = f"api/{kind_name}/{number}/"
        return {
            "title": data.get("title") or name,
            "name": name,
            "id": number,
            "description": markdown(str(data.get("description", ""))),
            "command": command(inside),
            "inside": field("", plain, properties(kind, "definition")),
            "adapters": adapters,
            "variables": template_variables(inside.get("contextualization")),
            "around": field("", around, properties(kind)),
            "application": application,
            "application_href": href("application", str(application)) if known else "",
            "owners": data.get("owners", ()),
            "tags": data.get("tags", ()),
            "lifecycle": data.get("lifecycle", "production"),
            "deprecation": self.deprecation(data, kind_name),
            "links": links,
            "address": f"{base}/{place}" if number is not None else "",
            "address_href": place,
        }

    def deprecation(self, data: Mapping[str, Any], kind: str) -> dict[str, str] | None:
        if data.get("lifecycle") != "deprecated":
            return None
        found = data.get("deprecation")
        facts = {key: str(found.get(key, "")) if isinstance(found, dict) else "" for key in ("since", "sunset", "replaced_by", "reason")}
        return facts | {"reason": facts["reason"].rstrip("."), "href": href(kind, facts["replaced_by"])}

    def adapter(self, side: str, adapter: Mapping[str, Any]) -> dict[str, Any]:
        """One adapter as a card, with what its type means."""
        name = str(adapter.get(f"{side}_type", ""))
        known = self.snapshot.kinds.adapters.get(name)
        rest = {key: value for key, value in adapter.items() if key != f"{side}_type"}
        params = rest.pop(f"{side}_params", None) or rest.pop(f"{side}_parameters", None) or {}
        titles = known.sides.get(side, {}).get("properties", {}) if known else {}
        words = known.sides.get(side, {}).get("description", "") if known else "A type of the team's own."
        merged = {**params, **rest} if isinstance(params, dict) else rest
        return {"side": side.capitalize(), "type": name, "text": words, "params": field("", merged, titles) if merged else None}


def _newest(revisions: Sequence[ShownRevision]) -> dict[str, Any]:
    return {"revisions": revisions[:_NEWEST], "revision_count": len(revisions)}
