"""Renders a snapshot to the files of its site. Pure: no I/O.

To add an output format, add a module with a function `render` here and its name to `RENDERERS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from registry.render.target import Target, Targets

if TYPE_CHECKING:
    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

# Imported when a site is rendered: `registry show` needs the JSON API alone, without templates.
RENDERERS = ("html", "json_files", "openapi", "schemas", "host_files")


def render(snapshot: Snapshot) -> Targets:
    """Return all targets of the site. Each can be rendered without the others."""
    modules = [import_module(f"{__name__}.{name}") for name in RENDERERS]
    parts = (part for module in modules for part in module.render(snapshot))
    return Targets(parts, snapshot.contents.prefetch)


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target with one file of the site, without listing all targets.

    Returns None for a file that does not exist, and for the answers that `registry.render.json_answer` makes.
    """
    modules = (import_module(f"{__name__}.{name}") for name in RENDERERS)
    return next((found for one in modules if (found := one.target_at(snapshot, path)) is not None), None)


def render_one(snapshot: Snapshot, definition: Definition) -> list[Target]:
    """Return the targets of one definition: its pages and API answers. Lists and counts are not included."""
    from registry.render import html, json_files

    return [html.render_one(snapshot, definition), json_files.render_one(snapshot, definition)]
