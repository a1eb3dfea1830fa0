"""Write the schema files that only editors read."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from registry.files.atomic_write import create_files, replace_in
from registry.load.defaults import SCHEMA_FOLDER, SETTINGS_SCHEMA, program_schemas
from registry.load.kinds import ADAPTERS_INDEX, AdapterType, adapters_index
from registry.load.settings import settings_schema


def write_generated_schemas(
    root: Path, adapters: Mapping[str, AdapterType], protocols: Collection[str]
) -> tuple[str, ...]:
    """Write the schema files that only editors read, for adapter types and settings.

    `protocols` are those of the registry's settings. Returns the paths of the files below `root`.
    """
    # The index of adapter types refers to files in the same folder, so the program's own are needed there
    # too.
    needed = {f"{SCHEMA_FOLDER}/{path}": file for path, file in program_schemas(protocols).items()}
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
