"""A snapshot to the files of its site; pure. Add an output: write its file here, and its `render` to `RENDERERS`."""

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
    """Every file of the site, in units of which each can be made without the others."""
    parts = (part for renderer in RENDERERS for part in renderer(snapshot))
    return Targets(parts, snapshot.contents.prefetch)


def render_one(snapshot: Snapshot, definition: Definition) -> list[Target]:
    """The pages and answers of one definition alone; lists and counts show it only when all is rendered."""
    return [html.render_one(snapshot, definition), json_api.render_one(snapshot, definition)]
