"""The HTML catalog: an index, lists, and a page for each definition; from the templates in `site_templates/`."""

import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
from jinja2 import DictLoader, Environment, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from registry.check.placeholders import template_variables
from registry.diff import MISSING
from registry.errors import UsageError
from registry.history import Revision
from registry.kinds import Kind
from registry.loader import Definition, definition_path
from registry.render.file import File, in_groups, name_in_address
from registry.snapshot import Snapshot, Tombstone

LIST_PAGE_SIZE = 200
_INDEX_ROWS = 300
_SHOWN_CHANGES = 40
_SHOWN_CHARACTERS = 400
_CSP = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
# What stands in the facts beside, or is shown in another way; everything else around `definition` is listed.
_SHOWN_ELSEWHERE = frozenset({"id", "title", "description", "owners", "tags", "lifecycle", "deprecation", "links", "definition"})
_MARKDOWN = re.compile(r"[*_`#\[\]<>!|\\&~]|^[ \t]*(?:[-+=]|[0-9]+[.)])|^(?: {4}|\t)| {2}$", re.MULTILINE)


def render(snapshot: Snapshot) -> Iterator[Iterator[File]]:
    """Every page, and the assets that they load, in groups."""
    assets = {}
    files = []
    for name, data in sorted(snapshot.templates.items()):
        if name.startswith("assets/"):
            # The digest in the name lets a host keep the file for ever.
            stem, _, ending = name.rpartition(".")
            path = f"{stem}.{hashlib.sha256(data).hexdigest()[:10]}.{ending}"
            assets[name.removeprefix("assets/")] = path
            files.append(File(path, data))
    yield iter(files)
    for group in _Catalog(snapshot, assets).groups():
        yield _explained(group)


def _explained(group: Iterator[File]) -> Iterator[File]:
    """The files, with what is wrong in a template said to the person who wrote it: ours are tested."""
    try:
        yield from group
    except TemplateError as error:
        place = f"site_templates/{getattr(error, 'name', None) or '…'}"
        line = getattr(error, "lineno", None)
        raise UsageError(f"{place}{f':{line}' if line else ''}: {error.message or error}", "mend the template, or remove it to use ours") from error


class _Catalog:
    """The pages of one snapshot."""

    def __init__(self, snapshot: Snapshot, assets: Mapping[str, str]) -> None:
        self.snapshot = snapshot
        # A registry's own templates come with pull requests: they must not reach out of the page they make.
        environment_class = ImmutableSandboxedEnvironment if snapshot.has_own_templates else Environment
        texts = {name: data.decode("utf-8", "replace") for name, data in snapshot.templates.items() if name.endswith(".html")}
        environment: Environment = environment_class(
            loader=DictLoader(texts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
        )
        self.kinds = [self.kind(kind) for kind in snapshot.kinds]
        environment.globals |= {"csp": _CSP, "assets": dict(assets), "site": self.site()}
        self.environment = environment

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
            "kinds": self.kinds,
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

    def groups(self) -> Iterator[Iterator[File]]:
        """All pages, in parts that can be made one without the other."""
        yield self.fixed_pages()
        for kind, facts in zip(self.snapshot.kinds, self.kinds, strict=True):
            definitions = self.snapshot.by_kind[kind.name]
            yield self.lists(facts, definitions)
            for group in in_groups(definitions):
                yield self.definitions(kind, facts, group)
            yield self.tombstones(kind, facts)

    def fixed_pages(self) -> Iterator[File]:
        rows = {kind.name: [self.row(one) for one in self.snapshot.by_kind[kind.name][:_INDEX_ROWS]] for kind in self.snapshot.kinds}
        yield self.page("index.html", "index.html", 0, rows=rows)
        # Served for any unknown address at any depth, so its links start at the top.
        yield File("404.html", self.template("404.html").render(root=self.snapshot.settings.base_path).encode())

    def lists(self, facts: dict[str, Any], definitions: Sequence[Definition]) -> Iterator[File]:
        count = max(1, -(-len(definitions) // LIST_PAGE_SIZE))
        for number in range(1, count + 1):
            rows = [self.row(one) for one in definitions[(number - 1) * LIST_PAGE_SIZE : number * LIST_PAGE_SIZE]]
            path = f"list/{facts['name']}/{number}/index.html"
            yield self.page(path, "list.html", 3, kind=facts, rows=rows, page=number, pages=count)

    def definitions(self, kind: Kind, facts: dict[str, Any], definitions: Sequence[Definition]) -> Iterator[File]:
        for definition in definitions:
            yield self.definition_page(kind, facts, definition.name, self.definition(definition, kind))

    def tombstones(self, kind: Kind, facts: dict[str, Any]) -> Iterator[File]:
        for tombstone in self.snapshot.tombstones:
            if tombstone.kind == kind.name and (kind.name, tombstone.name) not in self.snapshot.by_name:
                yield self.definition_page(kind, facts, tombstone.name, self.tombstone(tombstone, kind))

    def template(self, name: str) -> Template:
        return self.environment.get_template(name)

    def page(self, path: str, template: str, depth: int, **context: Any) -> File:
        return File(path, self.template(template).render(root="../" * depth or "./", **context).encode())

    def definition_page(self, kind: Kind, facts: dict[str, Any], name: str, page: dict[str, Any]) -> File:
        shown = SimpleNamespace(**page)
        return self.page(f"{kind.name}/{name}/index.html", "definition.html", name.count("/") + 2, kind=facts, page=shown)

    def row(self, definition: Definition) -> dict[str, Any]:
        """One line of a list."""
        revisions = self.snapshot.revisions_of(definition)
        application = definition.inside.get("application")
        dates = [revision.date for revision in revisions[-1:] if revision.date]
        return {
            "id": definition.id,
            "href": _href(definition.kind, definition.name),
            "title": definition.data.get("title") or definition.name,
            "name": definition.name,
            "badges": self.badges(definition.data, revisions),
            "application": application,
            "application_href": name_in_address(application) if application else "",
            "tags": definition.data.get("tags", ()),
            "date": dates[0] if dates else "",
        }

    def badges(self, data: Mapping[str, Any], revisions: tuple[Revision, ...]) -> list[str]:
        inside = data.get("definition")
        found = [inside["process_type"]] if isinstance(inside, dict) and isinstance(inside.get("process_type"), str) else []
        if data.get("lifecycle") in ("experimental", "deprecated"):
            found.append(data["lifecycle"])
        if revisions and revisions[-1].commit is None:
            found.append("uncommitted")
        return found

    def definition(self, definition: Definition, kind: Kind) -> dict[str, Any]:
        """Everything a definition's page shows."""
        snapshot = self.snapshot
        used_by = snapshot.referring.get((definition.kind, definition.name), ())
        others = [{"href": _href(other.kind, other.name), "title": other.data.get("title") or other.name, "name": other.name} for other in used_by]
        source = definition.raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
        page = self.content(definition.data, kind, definition.kind, definition.name, definition.id)
        return page | {
            "is_deleted": False,
            "badges": self.badges(definition.data, snapshot.revisions_of(definition)),
            "used_by": others,
            "path": definition.path,
            "source": source,
            **self.history(definition.kind, definition.id, snapshot.revisions_of(definition)),
        }

    def tombstone(self, tombstone: Tombstone, kind: Kind) -> dict[str, Any]:
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
            **self.history(tombstone.kind, tombstone.id, tombstone.revisions),
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
        links = [{"href": link["href"], "title": link.get("title") or link["href"]} for link in _list(data.get("links"))
                 if isinstance(link, dict) and str(link.get("href")).startswith("https://")]  # fmt: skip
        base = self.snapshot.settings.base_url.rstrip("/")
        place = f"api/{kind_name}/{number}/"
        return {
            "title": data.get("title") or name,
            "name": name,
            "id": number,
            "description": markdown(str(data.get("description", ""))),
            "command": _command(inside),
            "inside": field("", plain, _properties(kind, "definition")),
            "adapters": adapters,
            "variables": template_variables(inside.get("contextualization")),
            "around": field("", around, _properties(kind)),
            "application": application,
            "application_href": _href("application", str(application)) if known else "",
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
        return facts | {"reason": facts["reason"].rstrip("."), "href": _href(kind, facts["replaced_by"])}

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

    def history(self, kind: str, number: int | None, revisions: tuple[Revision, ...]) -> dict[str, Any]:
        """Revisions, newest first, with their changed fields in words."""
        return {
            "revisions": [self.revision(kind, number, revision) for revision in reversed(revisions)],
            "revision_count": len(revisions),
            "history_href": f"api/{kind}/{number}/history/" if number is not None else "",
        }

    def revision(self, kind: str, number: int | None, revision: Revision) -> "ShownRevision":
        changes = self.snapshot.changes_of(revision)
        shown = tuple(ShownChange(change.pointer or "/", _value(change.old), _value(change.new)) for change in changes[:_SHOWN_CHANGES])
        note = ""
        if revision.blob is None:
            note = "Deleted."
        elif self.snapshot.documents.get(revision.blob) is None:
            note = "The file could not be read at this commit."
        elif not changes:
            note = "No field changed: comments, order, or the place of the file."
            if revision.old_blob is None:
                note = "First version." if revision.number == 1 else "Brought back."
        return ShownRevision(
            number=revision.number,
            commit=revision.commit,
            author=revision.author,
            date=revision.date,
            subject=revision.message.split("\n", 1)[0] or "(no message)",
            name=revision.name,
            changes=shown,
            more=max(0, len(changes) - _SHOWN_CHANGES),
            note=note,
            href=f"api/{kind}/{number}/revisions/{revision.number}/" if number is not None else "",
        )


# Named tuples, not dictionaries, for what stands on a page many times: Jinja2 looks for an attribute first, and a
# dictionary answers with an exception (a third of the time of a page).


class ShownChange(NamedTuple):
    """One changed field; None where there was no value."""

    pointer: str
    old: str | None
    new: str | None


class ShownRevision(NamedTuple):
    """One revision as a page shows it; `note` says what there is instead of changed fields."""

    number: int
    commit: str | None
    author: str
    date: str
    subject: str
    name: str
    changes: tuple[ShownChange, ...]
    more: int
    note: str
    href: str


class Field(NamedTuple):
    """A value as the template `fields.html` shows it: `fields` for a map, `elements` for a list, else `text`."""

    title: str
    help: str
    fields: "tuple[Field, ...] | None"
    elements: "tuple[Field, ...] | None"
    text: str


def field(title: str, value: Any, schema: Mapping[str, Any], help_text: str = "") -> Field:
    """Any value with the titles and descriptions that the properties of a schema give to its keys."""
    if isinstance(value, dict):
        inner = []
        for key, item in value.items():
            about = schema.get(key)
            about = about if isinstance(about, dict) else {}
            inner.append(field(key, item, about.get("properties", {}), about.get("description", "")))
        return Field(title, help_text, tuple(inner), None, "")
    if isinstance(value, list):
        return Field(title, help_text, None, tuple(field("", item, {}) for item in value), "")
    return Field(title, help_text, None, None, value if isinstance(value, str) else orjson.dumps(value).decode())


def _properties(kind: Kind, inside: str = "") -> Mapping[str, Any]:
    """The schema's properties of a file, or of what stands inside one key, references followed."""
    schema: Any = kind.schema
    if inside:
        schema = schema.get("properties", {}).get(inside, {})
        reference = schema.get("$ref", "")
        for step in reference.removeprefix("#").split("/")[1:]:
            schema = kind.schema if step == "$defs" else schema["$defs"][step]
    properties = schema.get("properties", {})
    return properties if isinstance(properties, dict) else {}


def _command(inside: Mapping[str, Any]) -> str:
    """The command as a shell would take it, for reading and trying; the registry itself never uses a shell."""
    program, argv = inside.get("exec"), inside.get("argv", [])
    if not isinstance(program, str) or not isinstance(argv, list) or not all(isinstance(item, str) for item in argv):
        return ""
    return shlex.join([program, *argv])


def _value(value: Any) -> str | None:
    """A changed field's value in a line; None where there was none."""
    if value is MISSING:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _href(kind: str, name: str) -> str:
    return f"{kind}/{name_in_address(name)}/"


@lru_cache(maxsize=4096)
def markdown(text: str) -> Markup:
    """Markdown to HTML; HTML in it is shown as text, images are left as links would be: nothing loads from elsewhere."""
    if not text.strip():
        return Markup("")
    if not _MARKDOWN.search(text):
        # Most descriptions are plain paragraphs: a tenth of the time.
        return Markup("").join(Markup("<p>{}</p>\n").format(part.strip()) for part in re.split(r"\n[ \t]*\n", text) if part.strip())
    return Markup(_markdown_parser().render(text))


@lru_cache(maxsize=1)
def _markdown_parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).disable("image")
