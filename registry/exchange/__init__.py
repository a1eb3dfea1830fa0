"""Other formats to definitions (later: and back). Add one: write its file here, and its name to `IMPORTERS`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.edit import create_files
from registry.errors import UsageError
from registry.exchange import json_2013
from registry.exchange.importer import Imported, Options
from registry.kinds import modeline
from registry.loader import definition_path
from registry.yaml_writer import to_yaml

IMPORTERS = (json_2013.IMPORTER,)
_KIND = "process_definition"
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """One definition that was imported: from which file, to which path, and what the person should know."""

    file: str
    path: str
    notes: tuple[str, ...]


def import_files(root: Path, files: Sequence[Path], folder: str, options: Options) -> list[Written]:
    """Read every file, then write every definition below `folder`. Raises UsageError, with nothing written."""
    planned: dict[str, tuple[Path, Imported]] = {}
    for file in files:
        for imported in _read(file, options):
            name = f"{folder}/{imported.name}" if folder else imported.name
            path = definition_path(_KIND, name)
            if path in planned:
                raise UsageError(f"{file} and {planned[path][0]} would both become {path}", "import them with different --folder")
            if (root / path).exists():
                raise UsageError(f"{path} is there already", "nothing is overwritten: choose another --folder, or remove it first")
            planned[path] = (file, imported)
    create_files(root, {path: f"{modeline(path, _KIND)}\n{to_yaml(one.document)}".encode() for path, (_, one) in planned.items()})
    return [Written(str(file), path, imported.notes) for path, (file, imported) in planned.items()]


def _read(file: Path, options: Options) -> list[Imported]:
    importer = next((one for one in IMPORTERS if file.suffix in one.suffixes), None)
    if importer is None:
        known = ", ".join(suffix for one in IMPORTERS for suffix in one.suffixes)
        raise UsageError(f"{file} is in no format that can be imported", f"files end in {known}")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{file} has {len(data):,} bytes; at most {_MAX_BYTES:,} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    return importer.read(str(file), text, options)
