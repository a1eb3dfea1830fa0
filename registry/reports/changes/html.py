"""A comparison as one self-contained HTML page in the style of the catalog."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from registry.changes.table import Level
from registry.load.defaults import defaults_folder
from registry.model.characters import visible
from registry.model.diff import MISSING
from registry.reports.changes.words import affected, between, comparison_summary, title, value, who

if TYPE_CHECKING:
    from registry.changes.compare import Comparison

_FOLDER = "site_templates"


def report(comparison: Comparison, *, width: int = 0, color: bool = False, home: str = "") -> str:
    """Return the page. It has no scripts, and its content security policy allows only its own style.

    `home` is the URL of the catalog that contains the page, if any.
    """
    style = (defaults_folder(_FOLDER) / "assets/style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    definitions = [
        {
            "title": visible(title(changed)),
            "level": changed.level.value,
            "owners": [visible(one) for one in changed.owners],
            "path": visible(changed.path),
            "affected": visible(affected(changed, 50)),
            "changes": [
                {
                    "one": one,
                    "old": _shown(one.old),
                    "new": _shown(one.new),
                    "who": who(one),
                    "is_safe": one.level is Level.SAFE,
                }
                for one in changed.meanings
            ],
        }
        for changed in comparison.changed
    ]
    # The style is inline, because the page is sent as one file. Its hash allows it and no other style.
    csp = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return _template().render(
        csp=csp,
        home=home,
        style=style,
        summary=comparison_summary(comparison),
        between=between(comparison),
        note=comparison.note,
        definitions=definitions,
    )


def _shown(found: object) -> str | None:
    return None if found is MISSING else visible(value(found))


@lru_cache(maxsize=1)
def _template() -> Template:
    loader = FileSystemLoader(defaults_folder(_FOLDER))
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("diff.html")
