"""The formats by name. Each is a module here with EXPORTER, IMPORTER, or both.

To add a format, write its module and add its name to `EXCHANGE_FORMATS`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.exchange.exporter import Exporter
    from registry.exchange.importer import Importer

# By the name of the module, with what it has.
EXCHANGE_FORMATS: dict[str, tuple[str, ...]] = {
    "systemd": ("EXPORTER",),
    "supervisord": ("EXPORTER",),
    "procfile": ("EXPORTER",),
    "cwl": ("EXPORTER",),
    "compose": ("EXPORTER",),
    "kubernetes": ("EXPORTER",),
    "slurm": ("EXPORTER",),
    "mcp_json": ("EXPORTER",),
    "vscode_mcp": ("EXPORTER",),
    "json_2013": ("IMPORTER",),
    "systemd_import": ("IMPORTER",),
    "supervisord_import": ("IMPORTER",),
    "procfile_import": ("IMPORTER",),
    "cwl_import": ("IMPORTER",),
    "compose_import": ("IMPORTER",),
}


def exporters() -> "Iterator[Exporter]":
    """Yield the formats that definitions can be exported to."""
    for module, parts in EXCHANGE_FORMATS.items():
        if "EXPORTER" in parts:
            yield import_module(f"registry.exchange.{module}").EXPORTER


def importers() -> "Iterator[Importer]":
    """Yield the formats that definitions can be imported from."""
    for module, parts in EXCHANGE_FORMATS.items():
        if "IMPORTER" in parts:
            yield import_module(f"registry.exchange.{module}").IMPORTER
