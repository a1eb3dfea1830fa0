"""Pages to browse the catalog without scripts.

They list definitions by folder, owner, tag, adapter type and lifecycle, deleted and recently changed ones,
and what refers to a definition. The page of an old name leads to the present one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, cast

from markupsafe import Markup

from registry.model import addresses
from registry.model.addresses import Group
from registry.render.html.definition import MOST_USERS, badges, referring_to
from registry.render.target import File, Target, TargetGroup, digest_of
from registry.snapshot import Tombstone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from registry.load.lookups import QualifiedName
    from registry.model.definition import Definition
    from registry.render.html.filled_template import Texts
    from registry.render.html.pages import PageTemplates
    from registry.snapshot import Snapshot

LIST_PAGE_SIZE = 200
# Newest changes, and values of each group, on the index of the site.
_INDEX_CHANGES = 10
_INDEX_VALUES = 12
# Templates of a registry can replace `parts.html`, so the macros of these pages are in a file of their own.
_PARTS = "browse_parts"
# Stands for the relative path to the root in entries that are kept. No escaped text contains it.
_ROOT = "<\0>"
# Most entries that are kept: one definition is on about twelve pages.
_MOST_ENTRIES = 20_000
# All pages have the same variables of a kind: none.
_NO_KIND: Mapping[str, str] = {"name": ""}


class _Words(NamedTuple):
    """The words for one value of a group, and for several."""

    one: str
    several: str


_WORDS = {
    Group.FOLDERS: _Words("Folder", "Folders"),
    Group.OWNERS: _Words("Owner", "Owners"),
    Group.TAGS: _Words("Tag", "Tags"),
    Group.ADAPTERS: _Words("Adapter type", "Adapter types"),
    Group.LIFECYCLES: _Words("Lifecycle", "Lifecycles"),
}


class _Link(NamedTuple):
    """A link to another page of the catalog; `definitions` is the number of those on it."""

    label: str
    address: str
    definitions: int = 0


@dataclass(frozen=True, slots=True)
class _Listing:
    """Values and definitions on pages of LIST_PAGE_SIZE, the first one at `base`.

    `about` is a line of text below the title, `parents` are the pages above.
    """

    base: str
    title: str
    about: str
    parents: tuple[_Link, ...] = ()
    values: Sequence[_Link] = ()
    entries: Sequence[Definition] | Sequence[Tombstone] = ()

    @property
    def pages(self) -> int:
        """Number of pages; an empty list has one."""
        return list_page_count(len(self.values) + len(self.entries))

    def on_page(self, number: int) -> tuple[Sequence[_Link], Sequence[Definition | Tombstone]]:
        """Return the values and entries of one page: all values come first."""
        start, first = (number - 1) * LIST_PAGE_SIZE, len(self.values)
        end = start + LIST_PAGE_SIZE
        return self.values[start:end], self.entries[max(0, start - first) : max(0, end - first)]


class BrowsePages:
    """Renders the pages of one snapshot."""

    def __init__(self, snapshot: Snapshot, pages: PageTemplates) -> None:
        """Take the snapshot, and the templates filled with what all pages show."""
        self._snapshot = snapshot
        self._pages = pages
        self._templates = pages.templates
        self._kinds = {kind.name: kind for kind in snapshot.kinds}
        self._entries: dict[tuple[str, str, int | None], bytes] = {}

    def targets(self) -> Iterator[Target]:
        """Yield the targets of all pages."""
        counts = self._snapshot.groups.counts
        yield from self._all_pages(self._recent())
        yield from self._all_pages(self._deleted())
        for group in Group:
            if group is not Group.FOLDERS:
                yield from self._all_pages(self._values(group))
            for value in counts[group]:
                yield from self._all_pages(self._with_value(group, value))
        for kind, name in self._snapshot.referring:
            users = self._users(kind, name)
            if users is not None:
                yield from self._all_pages(users)

    def target_at(self, path: str) -> Target | None:
        """Return the target with the page in a file, or None. Pages of old names are not included."""
        place = path.removesuffix(f"/{addresses.INDEX_PAGE}")
        base, number = addresses.parse_numbered(place)
        listing = self._listing_at(base) if place != path else None
        return self._page(listing, number) if listing is not None and number <= listing.pages else None

    def _listing_at(self, base: str) -> _Listing | None:
        first, _, rest = base.partition("/")
        if base == addresses.RECENT_PAGE:
            return self._recent()
        if base == addresses.DELETED_PAGE:
            return self._deleted()
        if first in tuple(Group):
            return self._group_at(Group(first), base)
        name, _, last = rest.rpartition("/")
        is_users = bool(name) and base == addresses.users_page(first, name)
        return self._users(first, name) if is_users and last else None

    def _group_at(self, group: Group, base: str) -> _Listing | None:
        if base == group and group is not Group.FOLDERS:
            return self._values(group)
        counts = self._snapshot.groups.counts[group]
        plain = base.removeprefix(group).removeprefix("/")
        # Most values are in their address as they are.
        candidates = (plain,) if plain in counts else counts
        value = next((one for one in candidates if addresses.group_page(group, one) == base), None)
        is_top = base == Group.FOLDERS
        return self._with_value(group, value or "") if value is not None or is_top else None

    def overview(self, root: str) -> list[dict[str, object]]:
        """Return the title, address, count and most common values of each group for the index of the site."""
        return [
            {
                "title": _WORDS[group].several,
                "href": addresses.href(group),
                "count": count,
                "links": Markup(self._links(values, root).decode()),
            }
            for group, count, values in self._most_common()
        ]

    def overview_facts(self) -> list[object]:
        """Return what `overview` and `newest` depend on, besides the definitions of `newest`."""
        return [self._most_common(), self._snapshot.fingerprints_of(self._newest())]

    def newest(self, root: str) -> Markup:
        """Return rows of the newest changes for the index of the site."""
        return Markup(self._rows(self._newest(), root).decode())

    def _newest(self) -> Sequence[Definition]:
        return self._snapshot.recent[:_INDEX_CHANGES]

    def _most_common(self) -> list[tuple[Group, int, list[_Link]]]:
        found = []
        for group, counts in self._snapshot.groups.counts.items():
            if group is Group.FOLDERS:
                shown = {path: counts[path] for path in self._snapshot.groups.subfolders.get("", ())}
                total = sum(1 for path in counts if path)
            else:
                shown, total = dict(counts), len(counts)
            most = sorted(shown, key=lambda value: (-shown[value], value))[:_INDEX_VALUES]
            found.append((group, total, [self._link(group, value) for value in sorted(most)]))
        return found

    def _link(self, group: Group, value: str) -> _Link:
        """Return the link to the page of a value. The label of a folder is its last part."""
        label = value.rpartition("/")[2] if group is Group.FOLDERS else value
        count = self._snapshot.groups.counts[group].get(value, 0)
        return _Link(label, addresses.group_page(group, value), count)

    def around(self, definition: Definition, root: str) -> Texts:
        """Return the links on the page of a definition: its folders, owners, tags and lifecycle."""
        summary = definition.summary
        return {
            "page.folders": self._crumbs(folders_of(definition.name.rpartition("/")[0]), root),
            "page.owners": b", ".join(self._chips("value_link", Group.OWNERS, summary.owners, root)),
            "page.tags": b"".join(self._chips("tag", Group.TAGS, summary.tags, root)),
            "page.lifecycle": b"".join(
                self._chips("value_link", Group.LIFECYCLES, (summary.lifecycle,), root)
            ),
        }

    def _chips(self, macro: str, group: Group, values: Iterable[str], root: str) -> list[bytes]:
        texts = ({"href": addresses.href(addresses.group_page(group, one)), "label": one} for one in values)
        return self._templates.fill_macros(f"{_PARTS}:{macro}", texts, root=root)

    # The lists

    def _recent(self) -> _Listing:
        recent = self._snapshot.recent
        about = f"The {len(recent)} definitions that changed last, newest first." if len(recent) > 1 else ""
        return _Listing(addresses.RECENT_PAGE, "Last changed", about, entries=recent)

    def _deleted(self) -> _Listing:
        gone = sorted(self._snapshot.tombstones, key=lambda one: (one.name, one.kind, one.id))
        about = f"{_count(len(gone), 'definition')}. Their ids and histories are kept."
        about = about if gone else "No definition was deleted."
        return _Listing(addresses.DELETED_PAGE, "Deleted definitions", about, entries=gone)

    def _values(self, group: Group) -> _Listing:
        links = [self._link(group, value) for value in self._snapshot.groups.counts[group]]
        words = _WORDS[group]
        return _Listing(group, words.several, "" if links else "None yet.", values=links)

    def _with_value(self, group: Group, value: str) -> _Listing:
        groups = self._snapshot.groups
        about = _count(groups.counts[group].get(value, 0), "definition")
        entries, words, base = groups.of(group, value), _WORDS[group], addresses.group_page(group, value)
        if group is not Group.FOLDERS:
            parents: tuple[_Link, ...] = (_Link(words.several, group),)
            return _Listing(base, value, f"{words.one} · {about}", parents, entries=entries)
        subfolders = [self._link(group, path) for path in groups.subfolders.get(value, ())]
        if not value:
            return _Listing(base, words.several, about, (), subfolders, entries)
        parents = (_Link(words.several, group), *folders_of(value)[:-1])
        return _Listing(base, value, f"{words.one} · {about}", parents, subfolders, entries)

    def _users(self, kind: str, name: str) -> _Listing | None:
        """Return the list of what refers to a definition; None where its own page lists all of that."""
        there = self._snapshot.by_name.get((kind, name))
        users = referring_to(self._snapshot, there)[0] if there is not None else []
        if there is None or len(users) <= MOST_USERS:
            return None
        title = there.summary.title or name
        parents = (
            _Link(self._kinds[kind].plural, addresses.list_page(kind)),
            _Link(title, addresses.definition_page(kind, name)),
        )
        about = f"{_count(len(users), 'definition')} use it."
        return _Listing(addresses.users_page(kind, name), f"Users of {title}", about, parents, entries=users)

    # Their pages

    def _all_pages(self, listing: _Listing) -> Iterator[Target]:
        return (self._page(listing, number) for number in range(1, listing.pages + 1))

    def _page(self, listing: _Listing, number: int) -> Target:
        values, entries = listing.on_page(number)
        file = addresses.page_file(addresses.numbered(listing.base, number))
        facts = [listing.title, listing.about, listing.parents, listing.pages, values]
        fingerprint = digest_of(self._snapshot.common_fingerprint, facts, self._facts(entries))
        return Target(file, fingerprint, (file,), partial(self._make, listing, number, file))

    def _facts(self, entries: Sequence[Definition | Tombstone]) -> list[object]:
        if entries and isinstance(entries[0], Tombstone):
            return [self._deleted_texts(one) for one in entries if isinstance(one, Tombstone)]
        # A list has no entries of both kinds.
        return [*self._snapshot.fingerprints_of(cast("Sequence[Definition]", entries))]

    def _make(self, listing: _Listing, number: int, file: str) -> Iterator[File]:
        root = addresses.top_from(file)
        values, entries = listing.on_page(number)
        texts: Texts = {
            "listing.title": listing.title,
            "listing.about": listing.about,
            "listing.crumbs": self._crumbs(listing.parents, root),
            "listing.values": self._links(values, root),
            "listing.rows": self._rows(entries, root),
            "listing.pages": self.page_links(
                partial(addresses.numbered, listing.base), number, listing.pages, root
            ),
        }
        yield File(file, self._pages.fill("browse.html", root, _NO_KIND, texts))

    def moved(self, renamed: Mapping[QualifiedName, Definition]) -> TargetGroup:
        """Return the targets of pages at old names, which lead to definitions."""
        names, definitions = [*renamed], [*renamed.values()]
        pages = [addresses.definition_page(kind, name) for kind, name in names]
        fingerprints = self._snapshot.fingerprints_of(definitions)

        def target(number: int) -> Target:
            page = pages[number]
            make = partial(self._moved, page, names[number][1], definitions[number])
            return Target(page, fingerprints[number], (page,), make)

        return TargetGroup(pages, fingerprints, target, lambda: dict(zip(pages, count())))

    def _moved(self, page: str, name: str, definition: Definition) -> Iterator[File]:
        file = addresses.page_file(page)
        texts: Texts = {
            "old_name": name,
            "page.name": definition.name,
            "page.title": definition.summary.title or definition.name,
            "page.href": addresses.href(addresses.definition_page(definition.kind, definition.name)),
        }
        yield File(file, self._pages.fill("moved.html", addresses.top_from(file), _NO_KIND, texts))

    # Their parts

    def page_links(self, address: Callable[[int], str], current: int, count: int, root: str) -> bytes:
        """Return links to pages of a list by number; b"" if there is one only."""
        if count < 2:
            return b""
        links: list[Texts] = []
        last = 0
        for number in _linked_pages(current, count):
            links.append(
                {
                    "href": addresses.href(address(number)) if number != current else "",
                    "number": str(number),
                    "gap": "yes" if number > last + 1 else "",
                    "rel": {current - 1: "prev", current + 1: "next"}.get(number, ""),
                }
            )
            last = number
        return self._templates.fill_each(f"{_PARTS}:page_link", links, root=root)

    def _crumbs(self, links: Iterable[_Link], root: str) -> bytes:
        texts = ({"href": addresses.href(one.address), "label": one.label} for one in links)
        return self._templates.fill_each(f"{_PARTS}:crumb", texts, root=root)

    def _links(self, links: Iterable[_Link], root: str) -> bytes:
        texts = (
            {"href": addresses.href(one.address), "label": one.label, "count": str(one.definitions)}
            for one in links
        )
        return self._templates.fill_each(f"{_PARTS}:value", texts, root=root)

    def _rows(self, entries: Sequence[Definition | Tombstone], root: str) -> bytes:
        keys = [(one.kind, one.name, one.id) for one in entries]
        known = self._entries
        missing = [(key, one) for key, one in zip(keys, entries, strict=True) if key not in known]
        if missing:
            if len(known) + len(missing) > _MOST_ENTRIES:
                missing = list(zip(keys, entries, strict=True))
                known = self._entries = {}
            made = self._templates.fill_macros(
                f"{_PARTS}:entry", [self._texts(one) for _, one in missing], root=Markup(_ROOT)
            )
            known.update(zip((key for key, _ in missing), made, strict=True))
        return b"".join([known[key] for key in keys]).replace(_ROOT.encode(), root.encode())

    def _texts(self, one: Definition | Tombstone) -> Texts:
        return self._deleted_texts(one) if isinstance(one, Tombstone) else self._entry(one)

    def _entry(self, one: Definition) -> Texts:
        newest = self._snapshot.revisions_of(one).newest_change
        date = newest.date if newest is not None else ""
        return {
            "id": "" if one.id is None else str(one.id),
            "href": addresses.href(addresses.definition_page(one.kind, one.name)),
            "title": one.summary.title or one.name,
            "name": one.name,
            "kind": self._kinds[one.kind].title,
            "badges": self._templates.words("badge", badges(self._snapshot, one)),
            "tags": self._templates.words("tag", one.summary.tags),
            "date": date,
            "day": date[:10],
        }

    def _deleted_texts(self, one: Tombstone) -> Texts:
        newest = one.revisions.newest
        date = newest.date if newest is not None else ""
        # A newer definition can have the name: then only the answer of the API is about this one.
        has_page = self._snapshot.answers_by_name(one)
        answer = addresses.answer_file(
            addresses.api_detail(one.kind, one.id), self._snapshot.settings.addresses
        )
        return {
            "id": str(one.id),
            "href": addresses.href(addresses.definition_page(one.kind, one.name)) if has_page else answer,
            "title": one.name,
            "name": "",
            "kind": self._kinds[one.kind].title if one.kind in self._kinds else one.kind,
            "badges": b"",
            "tags": b"",
            "date": date,
            "day": date[:10],
        }


def folders_of(path: str) -> tuple[_Link, ...]:
    """Return links to the folder at a path below the top, and to all folders that it is in, the top first."""
    parts = path.split("/") if path else []
    paths = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    return tuple(
        _Link(part, addresses.group_page(Group.FOLDERS, one)) for part, one in zip(parts, paths, strict=True)
    )


def list_page_count(items: int) -> int:
    """Return the number of pages of a list; an empty list has one."""
    return max(1, -(-items // LIST_PAGE_SIZE))


def _linked_pages(current: int, count: int) -> list[int]:
    """Return the pages to link: the first, the last, the neighbors, and round numbers in between."""
    step = 10 ** (len(str(count)) - 1)
    near = range(current - 2, current + 3)
    return sorted({1, count, *range(step, count, step), *(one for one in near if 1 <= one <= count)})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
