"""Renders a snapshot to the files of its site. Pure: no I/O.

To add an output format, add a module with a function `render` here and its name to `RENDERERS`.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from registry.model.addresses import AddressForm, address_form
from registry.render.index_files import with_index_files
from registry.render.target import File, Target, Targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

# Imported when a site is rendered: `registry show` needs the JSON API alone, without templates.
RENDERERS = ("html", "search", "json_files", "openapi", "schemas", "mcp", "host_files", "exports", "tables")


def render(snapshot: Snapshot, *, live: bool = False) -> Targets:
    """Return all targets of the site. Each can be rendered without the others.

    A site has the addresses that the settings `layout` and `addresses` select; a `live` server has all.
    """
    modules = [import_module(f"{__name__}.{name}") for name in RENDERERS]
    parts = (part for module in modules for part in module.render(snapshot, live=live))
    forms = snapshot.settings.addresses
    if not live and forms != "both":
        parts = (part.only(partial(_files_with, AddressForm(forms))) for part in parts)
    if snapshot.preview is not None:
        # A preview is often an archive that people unpack and open: their browser shows a folder as a list
        # of files. Hosts serve `x/index.html`, too.
        parts = (part.only(with_index_files) for part in parts)
    return Targets(parts, snapshot.contents.prefetch)


def _files_with(form: AddressForm, files: Iterable[File]) -> Iterator[File]:
    """Yield the files at addresses of this form, and those that have no other."""
    for file in files:
        paths = [path for path in (file.path, *file.twins) if address_form(path) in (form, None)]
        yield File(paths[0], file.body, tuple(paths[1:]))


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
