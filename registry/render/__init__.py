"""A snapshot to the files of its site; pure. Add an output: write its file here, and its `render` to `RENDERERS`."""

from collections.abc import Callable, Iterator

from registry.render import html, json_api, openapi, schemas
from registry.render.file import File
from registry.snapshot import Snapshot

RENDERERS: tuple[Callable[[Snapshot], Iterator[Iterator[File]]], ...] = (html.render, json_api.render, openapi.render, schemas.render)


def render(snapshot: Snapshot) -> list[Iterator[File]]:
    """Every file of the site, in groups of which each can be made and written by another process."""
    return [group for renderer in RENDERERS for group in renderer(snapshot)]
