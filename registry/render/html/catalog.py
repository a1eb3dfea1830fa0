"""Pages of one snapshot."""

from __future__ import annotations

import hashlib
from functools import lru_cache, partial, wraps
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

from jinja2 import TemplateError
from markupsafe import Markup

from registry.errors import UsageError
from registry.load.yaml.writer import to_yaml
from registry.model import addresses
from registry.render.exports import exports_of
from registry.render.html.api_page import api_page_context, api_page_fingerprint
from registry.render.html.browse import LIST_PAGE_SIZE, BrowsePages, list_page_count
from registry.render.html.changes_page import FEED_FILE, NewestChanges
from registry.render.html.definition import badges, definition_texts, tombstone_texts
from registry.render.html.export_list import export_list
from registry.render.html.pages import PageTemplates, Templates
from registry.render.html.revisions import (
    ShownRevision,
    at_root,
    choices,
    history_with_files,
    shown_revisions,
)
from registry.render.html.text import markdown, title_at
from registry.render.search import search_settings
from registry.render.target import File, Target, TargetGroup, digest_of, rendered_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition, Reference
    from registry.model.revision import Revision
    from registry.render.html.filled_template import Texts
    from registry.snapshot import Snapshot, Tombstone

P = ParamSpec("P")
_TOP = "./"
# Up to this number, all definitions are on the index. A table of some of them would be of little use.
_INDEX_ROWS = 50
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'"
)


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target | TargetGroup]:
    """Yield all pages and their assets. `live`: each revision has a page of its own in every layout."""
    assets = _assets_of(snapshot)
    for name, path in assets.items():
        yield _asset(snapshot, name, path)
    yield from _Catalog(snapshot, assets, live=live).targets()


def render_one(snapshot: Snapshot, definition: Definition) -> Target:
    """Return the target with the pages of one definition, and those of its revisions in every layout."""
    return _Catalog(snapshot, _assets_of(snapshot), live=True).one(definition)


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target with the page or asset in a file, or None if it is not one of these.

    Each revision has a page of its own in every layout.
    """
    assets = _assets_of(snapshot)
    if path.startswith(f"{addresses.ASSETS}/"):
        name = next((name for name, asset in assets.items() if asset == path), None)
        return _asset(snapshot, name, path) if name is not None else None
    return _Catalog(snapshot, assets, live=True).target_at(path)


def _asset(snapshot: Snapshot, name: str, path: str) -> Target:
    return rendered_target(path, File(path, snapshot.templates[f"assets/{name}"]))


def _assets_of(snapshot: Snapshot) -> Mapping[str, str]:
    return _assets(tuple(sorted(snapshot.templates.items())))


# A server asks for every page.
@lru_cache(maxsize=4)
def _assets(templates: tuple[tuple[str, bytes], ...]) -> Mapping[str, str]:
    """Return the paths of the assets by name.

    The digest in a path lets a host cache the file forever.
    """
    found = {}
    for name, data in templates:
        if name.startswith("assets/"):
            short = name.removeprefix("assets/")
            found[short] = addresses.asset(short, hashlib.sha256(data).hexdigest()[:10])
    return found


def _explained(make: Callable[P, Iterable[File]]) -> Callable[P, Iterator[File]]:
    """Decorate a function that renders files, to report template errors with file and line.

    Raises UsageError, because only the registry's own templates can be wrong: built-in ones are tested.
    """

    @wraps(make)
    def made(*given: P.args, **named: P.kwargs) -> Iterator[File]:
        try:
            yield from make(*given, **named)
        except TemplateError as error:
            place = f"site_templates/{getattr(error, 'name', None) or '…'}"
            line = getattr(error, "lineno", None)
            message = f"{place}{f':{line}' if line else ''}: {error.message or error}"
            raise UsageError(message, "fix the template, or remove it to use the program's own") from error

    return made


def _explained_target(target: Target) -> Target:
    return target._replace(make=_explained(target.make))


# Shared by all snapshots with the same templates: compiling them takes longer than most pages.
@lru_cache(maxsize=4)
def _compiled(templates: tuple[tuple[str, bytes], ...], is_own: bool) -> Templates:
    texts = {name: data.decode("utf-8", "replace") for name, data in templates if name.endswith(".html")}
    return Templates(texts, is_own=is_own)


def _column(kind: Kind) -> tuple[int, Reference] | None:
    """Return the reference that is a column of the kind's lists with its index, or None if there is none."""
    pointers = {one.pointer for one in kind.traits.fields if one.is_column}
    return next((one for one in enumerate(kind.references) if one[1].pointer in pointers), None)


def _about(snapshot: Snapshot, kind: str, of: Definition | Tombstone, count: int) -> dict[str, str | bytes]:
    """Return what all pages about the history of one definition show. A new definition has no id yet."""
    forms = snapshot.settings.addresses
    answer = "" if of.id is None else addresses.api_history(kind, of.id)
    return {
        "about.name": of.name,
        "about.href": addresses.href(addresses.definition_page(kind, of.name)),
        "about.history_href": addresses.href(addresses.history_page(kind, of.name)),
        "about.api_history_href": addresses.answer_file(answer, forms) if answer else "",
        "about.count": str(count),
    }


def _compared(number: int, count: int) -> str:
    """Return the revisions to compare: this one with the one before, the first one with the last one."""
    return f"{number - 1}..{number}" if number > 1 else f"1..{count}"


def _neighbors(kind: str, name: str, number: int, count: int) -> dict[str, str | bytes]:
    """Return the links to the revisions before and after."""
    encoded = addresses.in_address(name)
    older = f"{addresses.revision_page(kind, encoded, number - 1)}/" if number > 1 else ""
    newer = f"{addresses.revision_page(kind, encoded, number + 1)}/" if number < count else ""
    return {"older_href": older, "newer_href": newer}


def _older_pages(older: int) -> list[tuple[int, int]]:
    """Return the first and the last revision on each page of older ones, the newest page first."""
    size = addresses.HISTORY_PAGE_SIZE
    return [(first, first + size - 1) for first in range(older - size + 1, 0, -size)]


def _history_page(kind: str, name: str, first: int, older: int) -> str:
    """Return the address of the page of a history that starts with the revision `first`."""
    if first > older:
        return addresses.history_page(kind, name)
    return addresses.older_history_page(kind, name, first)


def _no_jekyll() -> Target:
    return rendered_target(addresses.NO_JEKYLL, File(addresses.NO_JEKYLL, b""))


class _Order(NamedTuple):
    """An order of the list of a kind; `address` returns the page with a number."""

    title: str
    address: Callable[[str, int], str]


_BY_NAME = _Order("name", addresses.list_page)
_BY_ID = _Order("id", addresses.list_page_by_id)


def _on_page(number: int) -> slice:
    return slice((number - 1) * LIST_PAGE_SIZE, number * LIST_PAGE_SIZE)


class _Catalog:
    """Renders the pages of one snapshot."""

    def __init__(self, snapshot: Snapshot, assets: Mapping[str, str], *, live: bool) -> None:
        self.snapshot = snapshot
        settings = snapshot.settings
        self.with_revisions = settings.shows_revisions if live else settings.has_revision_addresses
        self.templates = _compiled(tuple(sorted(snapshot.templates.items())), snapshot.has_own_templates)
        self.columns = {kind.name: _column(kind) for kind in snapshot.kinds}
        self.kinds = [self.kind(kind) for kind in snapshot.kinds]
        self.pages = PageTemplates(self.templates, {"csp": _CSP, "assets": dict(assets), "site": self.site()})
        self.browse = BrowsePages(snapshot, self.pages)

    def site(self) -> dict[str, Any]:
        """Return the variables about the site that every page can show."""
        snapshot = self.snapshot
        note = (
            "there are no commits yet."
            if snapshot.commit is None
            else "this is a shallow clone, without the older commits."
        )
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
            "search_href": addresses.href(addresses.SEARCH),
            "preview": snapshot.preview,
            "changes_href": addresses.href(addresses.CHANGES),
            "feed_href": FEED_FILE,
            "api_href": addresses.answer_file(addresses.API, snapshot.settings.addresses),
            "api_page_href": addresses.href(addresses.API_PAGE),
            "openapi_href": addresses.API_OPENAPI,
            "snapshot_href": addresses.API_SNAPSHOT,
        }

    def kind(self, kind: Kind) -> dict[str, Any]:
        definitions = self.snapshot.by_kind[kind.name]
        return {
            "name": kind.name,
            "title": kind.title,
            "plural": kind.plural,
            "description": markdown(kind.description),
            "href": addresses.href(addresses.list_page(kind.name)),
            "by_id_href": addresses.href(addresses.list_page_by_id(kind.name)),
            "count": len(definitions),
            "column": title_at(kind, column[1].pointer) if (column := _column(kind)) else "",
        }

    def targets(self) -> Iterator[Target | TargetGroup]:
        """Yield the targets of all pages."""
        snapshot = self.snapshot
        yield self.home([found[:_INDEX_ROWS] for found in snapshot.fingerprints_by_kind.values()])
        yield self.missing()
        yield self.search()
        yield _no_jekyll()
        for target in self.browse.targets():
            yield _explained_target(target)
        moved = self.browse.moved(snapshot.renamed)
        yield moved._replace(target=lambda number: _explained_target(moved.target(number)))
        yield self.api()
        yield self.changes()
        for kind, facts_of_kind in zip(snapshot.kinds, self.kinds, strict=True):
            definitions = snapshot.by_kind[kind.name]
            fingerprints = snapshot.fingerprints_by_kind[kind.name]
            yield from self.lists(facts_of_kind, definitions, fingerprints)
            yield self.definitions(kind, facts_of_kind, definitions, fingerprints)
            gone = [one for one in snapshot.tombstones.of_kind(kind.name) if snapshot.answers_by_name(one)]
            for tombstone in gone:
                fingerprint = snapshot.fingerprint_of_tombstone(tombstone)
                yield self.tombstone(kind, facts_of_kind, tombstone, fingerprint)

    def target_at(self, path: str) -> Target | None:
        """Return the target with the page in a file, or None, without those of other pages."""
        single = {
            addresses.INDEX_PAGE: self._home,
            addresses.NOT_FOUND_PAGE: self.missing,
            addresses.NO_JEKYLL: _no_jekyll,
            addresses.page_file(addresses.SEARCH): self.search,
            addresses.page_file(addresses.API_PAGE): self.api,
            addresses.page_file(addresses.CHANGES): self.changes,
            FEED_FILE: self.changes,
        }
        if path in single:
            return single[path]()
        browsed = self.browse.target_at(path)
        return _explained_target(browsed) if browsed is not None else self._in_kind(path)

    def _home(self) -> Target:
        some = [found[:_INDEX_ROWS] for found in self.snapshot.by_kind.values()]
        return self.home([self.snapshot.fingerprints_of(one) for one in some])

    def _in_kind(self, path: str) -> Target | None:
        """Return the target with the page of a kind's list or of a definition in a file, or None.

        Exports of a definition are in the target of its pages.
        """
        export = addresses.parse_export_file(path)
        found = addresses.PageFile(*export, 1) if export is not None else addresses.parse_page_file(path)
        kind = self.snapshot.kinds.by_name.get(found.kind) if found is not None else None
        if found is None or kind is None:
            return None
        if found.name:
            return self.target_named(kind, found.name)
        return self.list_at(kind, _BY_ID if found.is_by_id else _BY_NAME, found.page)

    def target_named(self, kind: Kind, name: str) -> Target | None:
        """Return the target with the pages of a definition, current or deleted, or None."""
        snapshot = self.snapshot
        definition = snapshot.by_name.get((kind.name, name))
        if definition is not None:
            return self.one(definition)
        tombstone = snapshot.tombstone_named(kind.name, name)
        if tombstone is None:
            now = snapshot.renamed_to(kind.name, name)
            moved = self.browse.moved({(kind.name, name): now} if now is not None else {})
            return _explained_target(moved.target(0)) if now is not None else None
        # What its last content refers to is not known before it is read.
        fingerprint = digest_of(snapshot.common_fingerprint, snapshot.commit)
        return self.tombstone(kind, self.kind(kind), tombstone, fingerprint)

    def home(self, shown: Sequence[Sequence[str]]) -> Target:
        """Return the target of the index; `shown` are the fingerprints of its rows by kind."""
        snapshot = self.snapshot
        facts = [snapshot.commit, snapshot.commit_time, snapshot.is_dirty, snapshot.revision_count]
        counts = [len(found) for found in snapshot.by_kind.values()]
        gone = len(snapshot.tombstones)
        fingerprint = digest_of(
            snapshot.common_fingerprint, facts, counts, gone, shown, self.browse.overview_facts()
        )
        return Target(addresses.INDEX_PAGE, fingerprint, (addresses.INDEX_PAGE,), self.index)

    def missing(self) -> Target:
        """Return the target of the page for unknown addresses."""
        path = addresses.NOT_FOUND_PAGE
        return Target(path, self.snapshot.common_fingerprint, (path,), self.not_found)

    def api(self) -> Target:
        """Return the target of the page about the API."""
        path = addresses.page_file(addresses.API_PAGE)
        return Target(addresses.API_PAGE, api_page_fingerprint(self.snapshot), (path,), self.api_page)

    def changes(self) -> Target:
        """Return the target of the page of changes and of their feed."""
        path = addresses.CHANGES
        newest = NewestChanges(self.snapshot)
        return Target(path, newest.fingerprint, (path,), partial(self.changes_page, newest))

    def search(self) -> Target:
        """Return the target of the search page."""
        settings = search_settings(self.snapshot)
        path = addresses.page_file(addresses.SEARCH)
        fingerprint = digest_of(self.snapshot.common_fingerprint, settings)
        return Target(path, fingerprint, (path,), partial(self.search_page, settings))

    def one(self, definition: Definition) -> Target:
        """Return the target with the pages of one definition."""
        kind = self.snapshot.kinds.by_name[definition.kind]
        fingerprints = [self.snapshot.fingerprint_of(definition)]
        return self.definitions(kind, self.kind(kind), [definition], fingerprints).target(0)

    def tombstone(self, kind: Kind, facts: dict[str, Any], tombstone: Tombstone, fingerprint: str) -> Target:
        """Return the target with the pages of a deleted definition."""
        return Target(
            f"{kind.name}#{tombstone.id}",
            fingerprint,
            (addresses.definition_page(kind.name, tombstone.name),),
            partial(self.tombstone_pages, kind, facts, tombstone),
            needs=partial(self.snapshot.blobs_shown_of, tombstone),
        )

    def definitions(
        self,
        kind: Kind,
        facts: dict[str, Any],
        definitions: Sequence[Definition],
        fingerprints: Sequence[str],
    ) -> TargetGroup:
        """Return the targets with the pages of each definition."""
        pages = [addresses.definition_page(kind.name, one.name) for one in definitions]

        def target(number: int) -> Target:
            return Target(
                pages[number],
                fingerprints[number],
                (pages[number],),
                partial(self.definition_pages, kind, facts, definitions[number]),
                needs=lambda: self.snapshot.blobs_shown(self.snapshot.revisions_of(definitions[number])),
            )

        return TargetGroup(pages, fingerprints, target, lambda: dict(zip(pages, count())))

    @_explained
    def index(self) -> Iterator[File]:
        rows = {
            kind["name"]: self.rows(kind, self.snapshot.by_kind[kind["name"]][:_INDEX_ROWS], _TOP)
            for kind in self.kinds
        }
        yield self.page(
            addresses.INDEX_PAGE,
            "index.html",
            _TOP,
            rows=rows,
            most_rows=_INDEX_ROWS,
            is_small=len(self.snapshot.definitions) <= _INDEX_ROWS,
            groups=self.browse.overview(_TOP),
            newest=self.browse.newest(_TOP),
            deleted_count=len(self.snapshot.tombstones),
            deleted_href=addresses.href(addresses.DELETED_PAGE),
            recent_href=addresses.href(addresses.RECENT_PAGE),
        )

    @_explained
    def not_found(self) -> Iterator[File]:
        # Served for unknown addresses at any depth, so its links start at the root of the site.
        yield File(
            addresses.NOT_FOUND_PAGE, self.pages.render("404.html", self.snapshot.settings.base_path, {})
        )

    @_explained
    def api_page(self) -> Iterator[File]:
        path = addresses.page_file(addresses.API_PAGE)
        yield self.page(path, "api.html", addresses.top_from(path), **api_page_context(self.snapshot))

    @_explained
    def changes_page(self, newest: NewestChanges) -> Iterator[File]:
        path = addresses.page_file(addresses.CHANGES)
        preview = self.snapshot.preview
        yield self.page(
            path,
            "changes.html",
            addresses.top_from(path),
            proposed=Markup(preview.body) if preview is not None else "",
            entries=newest.entries(),
            parties=newest.parties(),
        )
        yield File(FEED_FILE, newest.feed())

    @_explained
    def search_page(self, settings: str) -> Iterator[File]:
        file = addresses.page_file(addresses.SEARCH)
        yield self.page(file, "search.html", addresses.top_from(file), search=settings)

    def lists(
        self, facts: dict[str, Any], definitions: Sequence[Definition], fingerprints: Sequence[str]
    ) -> Iterator[Target]:
        """Yield the pages of a kind's list, by name and by id."""
        for number in range(1, list_page_count(len(definitions)) + 1):
            yield self.list_target(facts, _BY_NAME, definitions, number, fingerprints[_on_page(number)])
        by_id = self.snapshot.published[facts["name"]]
        fingerprints = self.snapshot.fingerprints_of(by_id)
        for number in range(1, list_page_count(len(by_id)) + 1):
            yield self.list_target(facts, _BY_ID, by_id, number, fingerprints[_on_page(number)])

    def list_at(self, kind: Kind, order: _Order, number: int) -> Target | None:
        """Return the target of one page of a list, or None if there is no such page."""
        by_name, by_id = self.snapshot.by_kind[kind.name], self.snapshot.published[kind.name]
        definitions = by_id if order is _BY_ID else by_name
        if not 1 <= number <= list_page_count(len(definitions)):
            return None
        fingerprints = self.snapshot.fingerprints_of(definitions[_on_page(number)])
        return self.list_target(self.kind(kind), order, definitions, number, fingerprints)

    def list_target(
        self,
        facts: dict[str, Any],
        order: _Order,
        definitions: Sequence[Definition],
        number: int,
        shown: Sequence[str],
    ) -> Target:
        """Return the target of one page of a list; `shown` are the fingerprints of its rows."""
        pages = list_page_count(len(definitions))
        fingerprint = digest_of(self.snapshot.common_fingerprint, pages, facts["count"], shown)
        file = addresses.page_file(order.address(facts["name"], number))
        make = partial(self.list_page, facts, order, definitions[_on_page(number)], number, pages)
        return Target(file, fingerprint, (file,), make)

    @_explained
    def list_page(
        self,
        facts: dict[str, Any],
        order: _Order,
        definitions: Sequence[Definition],
        number: int,
        count: int,
    ) -> Iterator[File]:
        address = partial(order.address, facts["name"])
        file = addresses.page_file(address(number))
        root = addresses.top_from(file)

        def link(page: int) -> str:
            return addresses.href(address(page)) if 1 <= page <= count else ""

        other = _BY_ID if order is _BY_NAME else _BY_NAME
        yield self.page(
            file,
            "list.html",
            root,
            kind=facts,
            rows=self.rows(facts, definitions, root),
            order=order.title,
            other_order=other.title,
            other_href=addresses.href(other.address(facts["name"], 1)),
            page=number,
            pages=count,
            page_links=Markup(self.browse.page_links(address, number, count, root).decode()),
            previous_href=link(number - 1),
            next_href=link(number + 1),
        )

    @_explained
    def definition_pages(self, kind: Kind, facts: dict[str, Any], definition: Definition) -> Iterator[File]:
        revisions = self.snapshot.revisions_of(definition)
        shown = self.shown_revisions(kind, definition.name, revisions)
        file = addresses.page_file(addresses.definition_page(kind.name, definition.name))
        root = addresses.top_from(file)
        exports = exports_of(self.snapshot, definition)
        texts = {
            **definition_texts(self.snapshot, self.templates, kind, definition, shown, root),
            **self.browse.around(definition, root),
            "page.exports": export_list(exports, self.templates, root),
        }
        yield self.filled_page(file, "definition.html", root, facts, texts)
        yield from (one.file for one in exports if one.file is not None)
        yield from self.history_pages(kind, facts, definition, revisions, shown)

    @_explained
    def tombstone_pages(self, kind: Kind, facts: dict[str, Any], tombstone: Tombstone) -> Iterator[File]:
        shown = self.shown_revisions(kind, tombstone.name, tombstone.revisions)
        file = addresses.page_file(addresses.definition_page(kind.name, tombstone.name))
        root = addresses.top_from(file)
        texts = tombstone_texts(self.snapshot, self.templates, kind, tombstone, shown, root)
        yield self.filled_page(file, "definition.html", root, facts, texts)
        yield from self.history_pages(kind, facts, tombstone, tombstone.revisions, shown)

    def shown_revisions(
        self, kind: Kind, name: str, revisions: Sequence[Revision]
    ) -> tuple[ShownRevision, ...]:
        return shown_revisions(self.snapshot, kind.name, name, revisions, self.templates)

    def page(self, path: str, template: str, root: str, **context: Any) -> File:
        return File(path, self.pages.render(template, root, context))

    def history_pages(
        self,
        kind: Kind,
        facts: dict[str, Any],
        of: Definition | Tombstone,
        revisions: Sequence[Revision],
        shown: Sequence[ShownRevision],
    ) -> Iterator[File]:
        """Yield the pages with all revisions, newest first, and with the layout `full` one for each."""
        if not shown:
            return
        count = len(shown)
        about = _about(self.snapshot, kind.name, of, count)
        contents = [self.content_texts(revision) for revision in revisions]
        listed = history_with_files(shown, reversed(contents), self.templates)
        older = addresses.older_revisions(count)
        # Compares contents that it reads from the API, by id.
        can_compare = of.id is not None and count > 1 and self.snapshot.settings.shows_revisions
        for first, last in [(older + 1, count), *_older_pages(older)]:
            address = _history_page(kind.name, of.name, first, older)
            file = addresses.page_file(address)
            root = addresses.top_from(file)
            is_newest = last == count
            texts = {
                **about,
                "several": "s" if count > 1 else "",
                "shown": f"{first} to {last}" if older else "",
                "choices": choices(shown, self.templates) if can_compare and is_newest else b"",
                "revisions": at_root(listed[count - last : count - first + 1], root),
                "pages": self.history_links(kind.name, of.name, count, address, root),
            }
            yield self.filled_page(file, "history.html", root, facts, texts)
        if self.with_revisions:
            yield from self.revision_pages(kind, facts, of, contents, shown)

    def history_links(self, kind: str, name: str, count: int, current: str, root: str) -> bytes:
        """Return links to all pages of a long history; b"" if there is one page only."""
        older = addresses.older_revisions(count)
        if not older:
            return b""
        ranges = [(older + 1, count), *_older_pages(older)]
        pages = [(_history_page(kind, name, first, older), f"{first}-{last}") for first, last in ranges]
        links = (
            {"href": "" if page == current else addresses.href(page), "label": label} for page, label in pages
        )
        return self.templates.fill_each("range", links, root=root)

    def revision_pages(
        self,
        kind: Kind,
        facts: dict[str, Any],
        of: Definition | Tombstone,
        contents: Sequence[Texts],
        shown: Sequence[ShownRevision],
    ) -> Iterator[File]:
        """Yield one page for each revision; `contents` are the texts of their files, oldest first."""
        count = len(shown)
        about = _about(self.snapshot, kind.name, of, count)
        forms = self.snapshot.settings.addresses
        can_compare = of.id is not None and count > 1
        for content, one in zip(contents, reversed(shown), strict=True):
            number = one.number
            answer = addresses.api_revision(kind.name, of.id, number) if of.id is not None else ""
            texts = {
                **about,
                "about.api_revision_href": addresses.answer_file(answer, forms) if answer else "",
                "revision.number": str(number),
                "revision.subject": one.subject,
                "revision.facts": one.facts,
                "revision.changed": one.changed,
                "compare": _compared(number, count) if can_compare else "",
                **content,
                **_neighbors(kind.name, of.name, number, count),
            }
            file = addresses.page_file(addresses.revision_page(kind.name, of.name, number))
            yield self.filled_page(file, "revision.html", addresses.top_from(file), facts, texts)

    def content_texts(self, revision: Revision) -> Texts:
        """Return the text of the file at a revision, or its content without credentials as YAML."""
        written = self.snapshot.written_at(revision)
        document = self.snapshot.document_of(revision) if not written else None
        return {
            "content": written or (to_yaml(document) if document is not None else ""),
            "is_as_written": "yes" if written else "",
        }

    def filled_page(self, path: str, template: str, root: str, facts: dict[str, Any], texts: Texts) -> File:
        return File(path, self.pages.fill(template, root, facts, texts))

    def rows(self, kind: Mapping[str, Any], definitions: Sequence[Definition], root: str) -> Markup:
        """Return table rows of definitions of one kind.

        `root` is the relative path to the root of the site.
        """
        rows = self.templates.fill_each("row", map(self.row, definitions), root=root, column=kind["column"])
        return Markup(rows.decode())

    def row(self, definition: Definition) -> Texts:
        """Return the texts of one table row."""
        kind, name, number, _, summary, _ = definition
        newest = self.snapshot.revisions_of(definition).newest_change
        date = newest.date if newest is not None else ""
        column, target, target_kind = self.columns[kind], "", ""
        if column is not None:
            target, target_kind = summary.references[column[0]] or "", column[1].kind
        return {
            "id": "" if number is None else str(number),
            "href": addresses.href(addresses.definition_page(kind, name)),
            "title": summary.title or name,
            "name": name,
            "badges": self.templates.words("badge", badges(self.snapshot, definition)),
            "column": target,
            "column_href": addresses.href(addresses.definition_page(target_kind, target)),
            "tags": self.templates.words("tag", summary.tags),
            "date": date,
            "day": date[:10],
        }
