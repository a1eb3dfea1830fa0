"""Renders a snapshot to the files of its site. Pure: no I/O.

To add an output format, add a module here and its `render` function to `RENDERERS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.render import html, json_api, openapi, schemas
from registry.render.target import Target, TargetGroup, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

RENDERERS: tuple[Callable[[Snapshot], Iterator[Target | TargetGroup]], ...] = (
    html.render,
    json_api.render,
    openapi.render,
    schemas.render,
)


def render(snapshot: Snapshot) -> Targets:
    """Return all targets of the site. Each can be rendered without the others."""
    parts = (part for renderer in RENDERERS for part in renderer(snapshot))
    return Targets(parts, snapshot.contents.prefetch)


def render_one(snapshot: Snapshot, definition: Definition) -> list[Target]:
    """Return the targets of one definition: its pages and API answers. Lists and counts are not included."""
    return [html.render_one(snapshot, definition), json_api.render_one(snapshot, definition)]
