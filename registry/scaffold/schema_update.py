"""Update a registry's copies of the program's schemas after an upgrade of the program."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry.files.atomic_write import replace_in
from registry.load.defaults import KIND_PROTOCOLS, SCHEMA_FOLDER, SETTINGS_SCHEMA, program_schemas
from registry.load.kinds import ADAPTERS_INDEX, MAX_SCHEMA_BYTES
from registry.load.schema_copies import changed_copies, older_copies
from registry.load.source import WorkTree


@dataclass(frozen=True, slots=True)
class SchemaUpdate:
    """Paths below the registry's root.

    `kept` differ from the program's files because the registry changed them.
    """

    replaced: tuple[str, ...]
    kept: tuple[str, ...]


def update_schemas(source: WorkTree) -> SchemaUpdate:
    """Replace older copies of the program's schemas with the current ones. Other files stay unchanged.

    Raises RefusedError if a file or the folder is a link, and UsageError if a file cannot be written.
    """
    program = _program_schemas()
    own: dict[str, bytes] = {}
    for path, text in source.read_many(
        [f"{SCHEMA_FOLDER}/{name}" for name in program], at_most=MAX_SCHEMA_BYTES
    ):
        if isinstance(text, bytes):
            own[path.removeprefix(f"{SCHEMA_FOLDER}/")] = text
    replaced = tuple(older_copies(own, program))
    for name in replaced:
        replace_in(source.root, f"{SCHEMA_FOLDER}/{name}", program[name])
    kept = tuple(changed_copies(own, program))
    return SchemaUpdate(
        tuple(f"{SCHEMA_FOLDER}/{name}" for name in replaced),
        tuple(f"{SCHEMA_FOLDER}/{name}" for name in kept),
    )


def _program_schemas() -> Mapping[str, bytes]:
    """Return the program's schema files by path below `schema/`, without those that `--write` generates."""
    return {
        name: file.read_bytes()
        for name, file in program_schemas(KIND_PROTOCOLS.values()).items()
        if name not in (ADAPTERS_INDEX, SETTINGS_SCHEMA)
    }
