"""Write the schema files that only editors read."""

import json
from collections.abc import Mapping
from pathlib import Path

from registry.files.atomic_write import create_files, replace_in
from registry.load.defaults import SCHEMA_FOLDER, SETTINGS_SCHEMA, defaults_folder
from registry.load.kinds import ADAPTERS_INDEX, AdapterType, adapters_index
from registry.load.settings import settings_schema


def write_generated_schemas(root: Path, adapters: Mapping[str, AdapterType]) -> tuple[str, ...]:
    """Write the schema files that only editors read, for adapter types and settings.

    Returns their paths below `root`.
    """
    defaults = defaults_folder(SCHEMA_FOLDER)
    # The index of adapter types refers to files in the same folder, so the program's own are needed there
    # too.
    needed = {
        f"{SCHEMA_FOLDER}/{file.relative_to(defaults).as_posix()}": file
        for file in sorted(defaults.rglob("*.schema.json"))
    }
    create_files(
        root, {name: file.read_bytes() for name, file in needed.items() if not (root / name).exists()}
    )
    written = {ADAPTERS_INDEX: adapters_index_text(adapters).encode(), SETTINGS_SCHEMA: settings_schema()}
    for name, data in written.items():
        replace_in(root, f"{SCHEMA_FOLDER}/{name}", data)
    return tuple(f"{SCHEMA_FOLDER}/{name}" for name in written)


def adapters_index_text(adapters: Mapping[str, AdapterType]) -> str:
    """Return the text of the index of adapter types."""
    return json.dumps(adapters_index(adapters), indent=2, ensure_ascii=False) + "\n"
