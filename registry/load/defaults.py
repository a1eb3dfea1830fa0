"""Files that ship with the program: schemas and templates that a registry may replace with its own."""

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

SCHEMA_FOLDER = "schema"
TEMPLATES_FOLDER = "site_templates"
SETTINGS_SCHEMA = "registry.schema.json"
"""The schema of `registry.yaml`, below `schema/`. Only the program's own is used; copies are for editors."""
KIND_PROTOCOLS: Mapping[str, str] = MappingProxyType({"mcp_server": "mcp"})
"""Kinds of the program that exist only where the setting `protocols` has the protocol, by name."""


def defaults_folder(name: str) -> Path:
    """Return the program's own folder `schema` or `site_templates`, in the wheel or in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "_defaults" / name
    return inside if inside.is_dir() else package.parent / name


def program_schemas(protocols: Collection[str]) -> dict[str, Path]:
    """Return the program's schema files by path below `schema/`, in byte order.

    A kind that belongs to a protocol is left out unless `protocols` has it.
    """
    folder = defaults_folder(SCHEMA_FOLDER)
    absent = {f"{kind}.schema.json" for kind, protocol in KIND_PROTOCOLS.items() if protocol not in protocols}
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*.schema.json")}
    return {path: found[path] for path in sorted(found.keys() - absent)}
