"""Imports definitions from files of other formats: all of them, or none."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from registry.errors import RegistryError, UsageError
from registry.exchange.formats import importers
from registry.exchange.imported_ids import with_imported_ids
from registry.exchange.importer import Imported, ImportOptions
from registry.files.atomic_write import create_files, put_in
from registry.load.kinds import modeline
from registry.load.ledger_files import MAX_LEDGER_BYTES
from registry.load.source import WorkTree
from registry.load.yaml.writer import to_yaml
from registry.model.definition import definition_path

_KIND = "process_definition"
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One imported definition: its source file, its path, notes for the user, and the id that it kept."""

    file: str
    path: str
    notes: tuple[str, ...]
    id: int | None = None


def import_files(
    root: Path, files: Sequence[Path], folder: str, options: ImportOptions
) -> list[ImportedFile]:
    """Read all files, then write all definitions below `folder`, and add their ids to the ledger.

    Raises UsageError for unreadable input and existing files, and RefusedError for ids that are taken.
    Nothing is written then.
    """
    planned: dict[str, tuple[Path, Imported]] = {}
    for file in files:
        for imported in _read(file, options):
            name = f"{folder}/{imported.name}" if folder else imported.name
            path = definition_path(_KIND, name)
            if path in planned:
                raise UsageError(
                    f"{file} and {planned[path][0]} would both be written to {path}",
                    "import them with different values of --folder",
                )
            if (root / path).exists():
                raise UsageError(
                    f"{path} already exists",
                    "files are not overwritten: choose another --folder, or remove the file first",
                )
            planned[path] = (file, imported)
    if options.new_ids:
        for _, one in planned.values():
            one.document.pop("id", None)
    ids = {path: one.document["id"] for path, (_, one) in planned.items() if "id" in one.document}
    ledger_writes = with_imported_ids(root, ids) if ids else []
    contents = {
        path: f"{modeline(path, _KIND)}\n{to_yaml(one.document)}".encode()
        for path, (_, one) in planned.items()
    }
    create_files(root, contents)
    _write_or_undo(root, ledger_writes, contents)
    return [
        ImportedFile(str(file), path, imported.notes, ids.get(path))
        for path, (file, imported) in planned.items()
    ]


def _write_or_undo(root: Path, writes: Sequence[tuple[str, bytes | None]], created: Iterable[str]) -> None:
    """Write the ledger. If that fails, restore it and remove the created files."""
    source = WorkTree(root)
    before = {path: source.read(path, at_most=MAX_LEDGER_BYTES) for path, _ in writes}
    try:
        for path, data in writes:
            put_in(root, path, data)
    except BaseException:
        for path, old in reversed(before.items()):  # the open segment last, as it has all lines until then
            with suppress(RegistryError, OSError):  # the first error is the one to report
                put_in(root, path, old)
        for path in created:
            (root / path).unlink(missing_ok=True)
        raise


def _read(file: Path, options: ImportOptions) -> list[Imported]:
    importer = next((one for one in importers() if file.suffix in one.suffixes), None)
    if importer is None:
        known = ", ".join(suffix for one in importers() for suffix in one.suffixes)
        raise UsageError(f"the format of {file} cannot be imported", f"supported extensions: {known}")
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
            size = os.fstat(opened.fileno()).st_size
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{file} has {max(size, len(data)):,} bytes; the maximum is {_MAX_BYTES:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    return importer.read(str(file), text, options)
