"""Shows a definition in other formats, with what each format loses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.model import addresses
from registry.render.exports import WRAPPER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry.render.exports import SiteExport
    from registry.render.html.filled_template import Texts
    from registry.render.html.pages import Templates

# HTML allows none of these, so a copy of the page's text would be another text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def export_list(exports: Sequence[SiteExport], templates: Templates, root: str) -> bytes:
    """Return an element for each format, closed until it is opened; b"" without exports.

    `root` is the relative path to the root of the site.
    """
    return templates.fill_each("export", (_texts(one, templates) for one in exports), root=root)


def _texts(one: SiteExport, templates: Templates) -> Texts:
    path = one.file.path if one.file is not None else ""
    text = one.file.whole().decode() if one.file is not None else ""
    refused = one.refused
    return {
        "name": one.exporter.name,
        "title": one.exporter.title,
        "about": _about(one),
        "text": text,
        "file": path.rpartition("/")[2],
        "href": addresses.in_address(path),
        "wrapper_href": WRAPPER if one.needs_wrapper else "",
        "can_copy": "" if _CONTROL.search(text) else "yes",
        "losses": templates.fill_each("loss", _losses(one, templates)),
        "field": refused.field if refused is not None else "",
        "why": refused.why if refused is not None else "",
    }


def _losses(one: SiteExport, templates: Templates) -> Iterator[Texts]:
    """Yield the texts of each reason, with all fields that are lost for it."""
    fields: dict[str, list[str]] = {}
    for loss in one.losses:
        fields.setdefault(loss.why, []).append(loss.field)
    for why, some in fields.items():
        yield {"fields": templates.words("variable", some), "why": why}


def _about(one: SiteExport) -> str:
    if one.file is None:
        return "refused"
    count = len(one.losses)
    return "complete" if not count else f"{count} value{'s' if count > 1 else ''} lost"
