"""Update a registry's copies of the program's schemas after an upgrade of the program."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry.files.atomic_write import replace_in
from registry.load.defaults import SCHEMA_FOLDER, SETTINGS_SCHEMA, defaults_folder
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
    folder = defaults_folder(SCHEMA_FOLDER)
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*.schema.json"))}
    return {
        name: file.read_bytes()
        for name, file in files.items()
        if name not in (ADAPTERS_INDEX, SETTINGS_SCHEMA)
    }
