"""Renders definitions in the formats that the setting `exports` names. Pure: no I/O.

The files of a definition are in the target of its pages, which show them. This module adds `registry-run`,
which some of them use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from registry.exchange.exporting import export_definitions, exportable, wrapper
from registry.exchange.fields import Carried
from registry.exchange.formats import exporters
from registry.exchange.wrapped_command import WRAPPER_FILE
from registry.model import addresses
from registry.render.target import File, Target, rendered_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry.exchange.exporter import Exporter
    from registry.exchange.exporting import RefusedExport
    from registry.exchange.fields import Loss
    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

WRAPPER = addresses.shared_export_file(WRAPPER_FILE)
"""Address of the script that starts the program of some exports."""


class SiteExport(NamedTuple):
    """One definition in one format: its file, or why the format refuses the definition."""

    exporter: Exporter
    file: File | None
    losses: tuple[Loss, ...] = ()
    refused: RefusedExport | None = None
    needs_wrapper: bool = False


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target]:
    """Yield `registry-run` if one of the formats can need it. `live` changes nothing."""
    if any(map(_can_need_wrapper, selected_exporters(snapshot))):
        yield rendered_target(WRAPPER, File(WRAPPER, wrapper()))


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target of `registry-run`, or None for every other file."""
    return next(render(snapshot), None) if path == WRAPPER else None


def selected_exporters(snapshot: Snapshot) -> Sequence[Exporter]:
    """Return the formats of the setting, in its order."""
    names = snapshot.settings.exports
    if not names:
        return ()
    found: Sequence[Exporter] | None = snapshot.derived.get(__name__)
    if found is None:
        known = {one.name: one for one in exporters()}
        found = snapshot.derived[__name__] = [known[name] for name in names]
    return found


def exports_of(snapshot: Snapshot, definition: Definition) -> list[SiteExport]:
    """Return a definition in each format of the setting, in the order of the setting.

    A definition without a command has none.
    """
    kind = snapshot.kinds.by_name[definition.kind]
    some = [one for one in selected_exporters(snapshot) if any(map(kind.uses, one.kinds))]
    if not some:
        return []
    read = exportable(snapshot, definition)
    found = []
    for exporter in some:
        export = export_definitions(exporter, [read])
        if export.refused:
            found.append(SiteExport(exporter, None, refused=export.refused[0]))
            continue
        ((name, text),) = export.files.items()
        path = addresses.export_file(definition.kind, definition.name, exporter.name, name)
        losses = export.losses[definition.name]
        found.append(
            SiteExport(exporter, File(path, text.encode()), losses, needs_wrapper=export.needs_wrapper)
        )
    return found


def _can_need_wrapper(exporter: Exporter) -> bool:
    return any(isinstance(row, Carried) and row.by_wrapper for row in exporter.table.values())
