"""A snapshot to the files of its site; pure. Add an output: write its file here, and its `render` to `RENDERERS`."""

from collections.abc import Callable, Iterator

from registry.loader import Definition
from registry.render import html, json_api, openapi, schemas
from registry.render.file import Unit
from registry.snapshot import Snapshot

RENDERERS: tuple[Callable[[Snapshot], Iterator[Unit]], ...] = (html.render, json_api.render, openapi.render, schemas.render)


def render(snapshot: Snapshot) -> list[Unit]:
    """Every file of the site, in units of which each can be made without the others.

    Those with the same inputs stand together: what was read for one is at hand for the next.
    """
    by_key: dict[str, list[Unit]] = {}
    for renderer in RENDERERS:
        for unit in renderer(snapshot):
            by_key.setdefault(unit.key, []).append(unit)
    return [unit for units in by_key.values() for unit in units]


def render_one(snapshot: Snapshot, definition: Definition) -> list[Unit]:
    """The pages and answers of one definition alone; lists and counts show it only when all is rendered."""
    return [html.render_one(snapshot, definition), json_api.render_one(snapshot, definition)]
