"""Exports definitions of a snapshot: each to a file of its own, or all to one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.exchange.exporter import Exportable, NotExportableError, require_unique, with_losses
from registry.exchange.wrapped_command import WRAPPER_FILE
from registry.model.pointer import pointer_of
from registry.model.redaction import hidden_pointers, redacted
from registry.model.values import list_of, map_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.exchange.exporter import Exporter
    from registry.exchange.fields import Loss
    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

_APPLICATION = "application"
_UNPASSABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RefusedExport:
    """A definition that a format cannot express, with the JSON Pointer of the value and the reason."""

    name: str
    field: str
    why: str


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Files by path below the folder of the export, and what happened to each definition, by name.

    `needs_wrapper`: some files start their program through `registry-run`, which belongs beside them.
    """

    files: dict[str, str]
    losses: dict[str, tuple[Loss, ...]]
    refused: tuple[RefusedExport, ...]
    needs_wrapper: bool


def wrapper() -> bytes:
    """Return the script `registry-run`."""
    return (Path(__file__).parent / WRAPPER_FILE).read_bytes()


def exportable(snapshot: Snapshot, definition: Definition) -> Exportable:
    """Return what exporters read of a definition."""
    kinds = snapshot.kinds
    name = text_of(definition.inside.get(_APPLICATION))
    application = snapshot.by_name.get((_APPLICATION, name)) if name else None
    document = redacted(definition.data, kinds.secret_fields)
    hides = document is not definition.data
    committed = [one for one in snapshot.revisions_of(definition) if one.commit is not None]
    return Exportable(
        definition.kind,
        definition.name,
        definition.id,
        document,
        redacted(application.data, kinds.secret_fields) if application is not None else None,
        committed[-1].number if committed else 0,
        (committed[-1].commit or "") if committed else "",
        hidden_pointers(definition.data, kinds.secret_fields) if hides else (),
    )


def export_definitions(exporter: Exporter, some: Iterable[Exportable]) -> ExportResult:
    """Export definitions. Those that the format refuses are in `refused`; the others are exported.

    Raises UsageError when two definitions would be written to one file.
    """
    written: list[tuple[Exportable, str]] = []
    losses: dict[str, tuple[Loss, ...]] = {}
    refused = []
    needs_wrapper = False
    for one in some:
        try:
            _check(one)
            exported = exporter.export(one)
        except NotExportableError as error:
            refused.append(RefusedExport(one.name, error.field, error.why))
            continue
        written.append((one, with_losses(exporter, exported)))
        losses[one.name] = exported.losses
        needs_wrapper = needs_wrapper or exported.needs_wrapper
    if exporter.join is not None:
        files = {exporter.joined_file: exporter.join(written)} if written else {}
    else:
        require_unique(written, exporter.file_name)
        files = {exporter.file_name(one.name): text for one, text in written}
    return ExportResult(files, losses, tuple(refused), needs_wrapper)


def _check(one: Exportable) -> None:
    """Raise NotExportableError for what no format can write, or must not."""
    for field in one.hidden:
        if field.startswith("/definition/"):
            raise NotExportableError(
                field, "exports contain no credentials: refer to a variable, as in `${TOKEN}`"
            )
    inside = one.inside
    texts = [
        (("exec",), inside.get("exec")),
        *((("argv", number), text) for number, text in enumerate(list_of(inside.get("argv")))),
        *((("environment", name), text) for name, text in map_of(inside.get("environment")).items()),
    ]
    for steps, text in texts:
        if _UNPASSABLE.search(text_of(text)):
            raise NotExportableError(
                pointer_of(("definition", *steps)), "no program can get NUL, or a half of a surrogate pair"
            )
