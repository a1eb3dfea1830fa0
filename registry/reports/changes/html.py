"""A comparison as HTML: one self-contained page in the style of the catalog, or parts for its pages."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from registry.changes.compare import GUARDS, Changed, What
from registry.changes.table import Party
from registry.load.defaults import defaults_folder
from registry.model.addresses import definition_page, href
from registry.model.characters import visible, visible_lines
from registry.model.diff import MISSING
from registry.model.word_diff import Part, word_diff
from registry.reports.changes.words import affected, between, comparison_summary, value, who

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.changes.compare import Comparison
    from registry.changes.meaning import Meaning
    from registry.load.lookups import QualifiedName

_FOLDER = "site_templates"
# Longer maps and lists have a line for each item.
_ONE_LINE = 60
# Longer values are cut, and of longer unchanged parts only the start and the end are shown.
_LONGEST = 4_000
_CONTEXT = 160


class ComparisonParts(NamedTuple):
    """A comparison as parts of pages: `body` is all of it; `by_definition` is what changed in each one."""

    body: str
    by_definition: dict[QualifiedName, str]


def report(comparison: Comparison, *, width: int = 0, color: bool = False) -> str:
    """Return the page. It has no scripts, and its content security policy allows only its own style.

    Links lead to the published catalog, if the settings have its URL.
    """
    style = (defaults_folder(_FOLDER) / "assets/style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # The style is inline, because the page is sent as one file. Its hash allows it and no other style.
    csp = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    base_url = comparison.settings.base_url
    hrefs = {
        _place(one): f"{base_url.rstrip('/')}/{href(definition_page(one.kind, one.old_name or one.name))}"
        for one in comparison.changed
        if "://" in base_url and one.what is not What.ADDED
    }
    return _template("diff.html").render(
        csp=csp, style=style, summary=comparison_summary(comparison), body=Markup(_body(comparison, hrefs))
    )


def parts_for_site(comparison: Comparison, root: str) -> ComparisonParts:
    """Return the parts for the site of the new state; `root` is the path from the page of `body` to its top.

    A definition that was removed has no link: without an id it has no page.
    """
    hrefs = {
        _place(one): root + href(definition_page(one.kind, one.name))
        for one in comparison.changed
        if one.what is not What.REMOVED
    }
    macro = _macro("meanings")
    by_definition = {
        _place(one): str(macro(_context(one, ""))) for one in comparison.changed if one.kind != GUARDS
    }
    return ComparisonParts(_body(comparison, hrefs), by_definition)


def _place(changed: Changed) -> QualifiedName:
    return changed.kind, changed.name


def _body(comparison: Comparison, hrefs: dict[QualifiedName, str]) -> str:
    used = {party for one in comparison.changed for each in one.meanings for party in each.parties}
    return str(
        _macro("comparison")(
            summary=comparison_summary(comparison),
            between=between(comparison),
            note=comparison.note,
            definitions=[_context(one, hrefs.get(_place(one), "")) for one in comparison.changed],
            parties=[(party.value, party.people) for party in Party if party in used],
        )
    )


def _context(changed: Changed, link: str) -> dict[str, Any]:
    is_guard = changed.kind == GUARDS
    return {
        "href": "" if is_guard else link,
        "kind": "" if changed.is_kind_implied else changed.kind,
        "name": visible(changed.name),
        "id": changed.id,
        "what": changed.what.value,
        "old_name": visible(changed.old_name),
        "level": changed.level.value,
        "owners": [visible(one) for one in changed.owners],
        "path": visible(changed.path),
        "affected": visible(affected(changed, 50)),
        "meanings": [{"one": one, "who": who(one), **_sides(one)} for one in changed.meanings],
    }


def _sides(one: Meaning) -> dict[str, Markup | None]:
    """Return the values before and after with their differences marked; None for a value that is absent."""
    old, new = (None if found is MISSING else _text(found) for found in (one.old, one.new))
    found = word_diff(old, new) if old is not None and new is not None else None
    if found is not None:
        return {"old": _marked(found.old, "del"), "new": _marked(found.new, "ins")}
    return {
        "old": _marked([Part(old, True)], "del") if old is not None else None,
        "new": _marked([Part(new, True)], "ins") if new is not None else None,
    }


def _text(found: Any) -> str:
    text = value(found)
    is_long = not isinstance(found, str) and len(text) > _ONE_LINE
    return json.dumps(found, ensure_ascii=False, indent=2) if is_long else text


def _marked(parts: Iterable[Part], tag: str) -> Markup:
    shown, room = Markup(), _LONGEST
    for part in parts:
        text = part.text
        if not part.is_changed and len(text) > 2 * _CONTEXT:
            text = f"{text[:_CONTEXT]} … {text[-_CONTEXT:]}"
        if len(text) > room:
            text = f"{text[:room]}…"
        room -= len(text)
        # Escaped by the format of `Markup`.
        escaped = escape(visible_lines(text))
        shown += Markup(f"<{tag}>%s</{tag}>") % escaped if part.is_changed else escaped
        if room <= 0:
            break
    return shown


def _macro(name: str) -> Any:
    return getattr(_template("comparison.html").module, name)


@lru_cache(maxsize=2)
def _template(name: str) -> Template:
    loader = FileSystemLoader(defaults_folder(_FOLDER))
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(name)
