"""Templates and assets of the catalog: those of the program, and a registry's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.errors import UsageError
from registry.load.defaults import TEMPLATES_FOLDER, defaults_folder
from registry.load.source import EntryType

if TYPE_CHECKING:
    from registry.load.source import Source

MAX_TEMPLATE_BYTES = 8 * 1024 * 1024
"""A larger template or asset of a registry's own is not read."""
_MAX_ALL_TEMPLATES = 8 * MAX_TEMPLATE_BYTES


def default_templates() -> dict[str, bytes]:
    """Return the templates and assets of the program by path."""
    folder = defaults_folder(TEMPLATES_FOLDER)
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def own_templates(source: Source) -> dict[str, bytes]:
    """Return the registry's own templates and assets, which win over those of the program, file by file.

    Raises UsageError when they are too large.
    """
    found = {}
    room = _MAX_ALL_TEMPLATES
    for path in [entry.path for entry in source.entries(TEMPLATES_FOLDER) if entry.type is EntryType.FILE]:
        data = source.read(path, at_most=MAX_TEMPLATE_BYTES)
        if data is not None:
            room -= len(data)
            if room < 0:
                raise UsageError(
                    f"files below {TEMPLATES_FOLDER}/ have more than {_MAX_ALL_TEMPLATES:,} bytes in total",
                    "remove some of them",
                )
            found[path.removeprefix(f"{TEMPLATES_FOLDER}/")] = data
    return found
