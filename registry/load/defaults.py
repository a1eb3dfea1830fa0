"""Files that ship with the program: schemas and templates that a registry may replace with its own."""

from pathlib import Path

SCHEMA_FOLDER = "schema"
TEMPLATES_FOLDER = "site_templates"
SETTINGS_SCHEMA = "registry.schema.json"
"""The schema of `registry.yaml`, below `schema/`. Only the program's own is used; copies are for editors."""


def defaults_folder(name: str) -> Path:
    """Return the program's own folder `schema` or `site_templates`, in the wheel or in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "_defaults" / name
    return inside if inside.is_dir() else package.parent / name
