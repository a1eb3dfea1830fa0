"""A snapshot to the files of its site; pure. Add an output: write its file here, and its `render` to `RENDERERS`."""

from collections.abc import Callable, Iterator

from registry.render import html, json_api, openapi, schemas
from registry.render.file import File
from registry.snapshot import Snapshot

# Two groups of about the same work, with no folder in common: each can be written by a process of its own.
RENDERERS: tuple[tuple[Callable[[Snapshot], Iterator[File]], ...], ...] = (
    (json_api.render, openapi.render, schemas.render),
    (html.render,),
)


def render(snapshot: Snapshot) -> list[Iterator[File]]:
    """Every file of the site, in groups that have no folder in common."""
    return [_all_of(group, snapshot) for group in RENDERERS]


def _all_of(group: tuple[Callable[[Snapshot], Iterator[File]], ...], snapshot: Snapshot) -> Iterator[File]:
    for renderer in group:
        yield from renderer(snapshot)
