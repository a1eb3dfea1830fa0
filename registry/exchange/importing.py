"""Imports definitions from files of other formats: all of them, or none."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from registry.errors import RegistryError, UsageError
from registry.exchange.fields import Loss
from registry.exchange.formats import importers
from registry.exchange.imported_ids import with_imported_ids
from registry.exchange.importer import Imported, ImportedText, Importer, ImportOptions, name_or_none
from registry.files.atomic_write import create_files, put_in
from registry.load import yaml
from registry.load.kinds import modeline
from registry.load.ledger_files import MAX_LEDGER_BYTES
from registry.load.source import WorkTree
from registry.load.yaml.writer import to_yaml
from registry.model.characters import visible
from registry.model.definition import definition_path
from registry.model.values import map_of, text_of

_APPLICATION = "application"
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ForeignText:
    """A text to import: where it is from, as messages name it, and the name of its format if it is known."""

    origin: str
    text: str
    format: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """One imported definition: its origin and format, its path, notes, losses, and the id that it kept."""

    file: str
    format: str
    path: str
    notes: tuple[str, ...]
    losses: tuple[Loss, ...]
    id: int | None = None


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import writes below the root of a registry.

    `losses` are those of whole texts, by their origin: they belong to no definition.
    """

    root: Path
    files: tuple[ImportedFile, ...]
    losses: Mapping[str, tuple[Loss, ...]]
    contents: Mapping[str, bytes]
    ledger_writes: Sequence[tuple[str, bytes | None]]

    @property
    def lost(self) -> int:
        """The number of all losses."""
        return sum(len(one.losses) for one in self.files) + sum(map(len, self.losses.values()))


def read_file(path: Path, format_name: str | None) -> ForeignText:
    """Read a text to import. Raises UsageError for one that is unreadable, too large, or not UTF-8."""
    try:
        with path.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
            size = os.fstat(opened.fileno()).st_size
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{path} has {max(size, len(data)):,} bytes; the maximum is {_MAX_BYTES:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    return ForeignText(str(path), text, format_name)


def plan_import(
    root: Path, sources: Iterable[Callable[[], ForeignText]], folder: str, options: ImportOptions
) -> ImportPlan:
    """Return what to write for all sources: their definitions below `folder`, and their ids in the ledger.

    A source returns its text, and raises UsageError if it cannot be read.

    Raises UsageError for texts that cannot be imported and for existing files, and RefusedError for ids that
    are taken.
    """
    read = _read_all(sources, options)
    planned: dict[str, tuple[str, Importer, Imported]] = {}
    for (origin, importer, _), definitions in zip(read, _below(folder, read), strict=True):
        for one in definitions:
            path = definition_path(one.kind, one.name)
            if one.is_shared and _is_there(root, path, one, planned):
                continue
            if path in planned:
                raise _same_path(origin, planned[path][0], path)
            if (root / path).exists():
                raise UsageError(
                    f"{path} already exists",
                    "files are not overwritten: choose another --folder, or remove the file first",
                )
            planned[path] = (origin, importer, one)
    if options.new_ids:
        for _, _, one in planned.values():
            one.document.pop("id", None)
    ids = {path: one.document["id"] for path, (_, _, one) in planned.items() if "id" in one.document}
    return ImportPlan(
        root,
        tuple(
            ImportedFile(origin, importer.name, path, one.notes, one.losses, ids.get(path))
            for path, (origin, importer, one) in planned.items()
        ),
        {origin: found.losses for origin, _, found in read if found.losses},
        {
            path: f"{modeline(path, one.kind)}\n{to_yaml(one.document)}".encode()
            for path, (_, _, one) in planned.items()
        },
        with_imported_ids(root, ids) if ids else (),
    )


def _same_path(origin: str, other: str, path: str) -> UsageError:
    if origin == other:
        message = f"two definitions of {origin} would be written to {path}"
        return UsageError(message, "rename one of them there")
    hint = "import them with different values of --folder"
    return UsageError(f"{origin} and {other} would both be written to {path}", hint)


def write_import(plan: ImportPlan) -> None:
    """Write all files of the plan, or none. Raises UsageError and RefusedError if that is not possible."""
    create_files(plan.root, dict(plan.contents))
    _write_or_undo(plan.root, plan.ledger_writes, plan.contents)


def _read_all(
    sources: Iterable[Callable[[], ForeignText]], options: ImportOptions
) -> list[tuple[str, Importer, ImportedText]]:
    """Read all texts. Raises UsageError that names each text that cannot be imported."""
    read = []
    errors = []
    for source in sources:
        try:
            one = source()
            importer = _importer_of(one)
            if options.values and not importer.has_parameters:
                raise UsageError(f"{one.origin}: {importer.title} has no parameters", "omit --set")
            read.append((one.origin, importer, importer.read(one.origin, one.text, options)))
        except UsageError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        details = [line for error in errors for line in (error.message, f"  {error.hint}") if line.strip()]
        raise UsageError(
            f"{len(errors)} of {len(errors) + len(read)} files cannot be imported",
            "nothing was written: import the others without them",
            details,
        )
    return read


def _importer_of(one: ForeignText) -> Importer:
    known = list(importers())
    if one.format is not None:
        return next(importer for importer in known if importer.name == one.format)
    name = Path(one.origin).name.lower()
    named = [
        importer for importer in known if any(fnmatchcase(name, pattern) for pattern in importer.patterns)
    ]
    recognized = [
        importer for importer in known if importer.recognizes is not None and importer.recognizes(one.text)
    ]
    both = [importer for importer in recognized if importer in named]
    found = next((some for some in (both, recognized, named) if len(some) == 1), recognized or named)
    if len(found) != 1:
        choices = ", ".join(importer.name for importer in found or known)
        what = "could be of several formats" if found else "is of an unknown format"
        raise UsageError(f"{one.origin} {what}", f"name its format with --from: {choices}")
    return found[0]


def _below(folder: str, read: Sequence[tuple[str, Importer, ImportedText]]) -> list[list[Imported]]:
    """Return the definitions of each text with names below a folder, and with references to each other."""
    if not folder:
        return [list(found.definitions) for _, _, found in read]
    names = {(one.kind, one.name) for _, _, found in read for one in found.definitions}

    def moved(name: Any, kind: str) -> Any:
        return f"{folder}/{name}" if (kind, text_of(name)) in names else name

    def placed(one: Imported) -> Imported:
        document = dict(one.document)
        inside = map_of(document.get("definition"))
        if _APPLICATION in inside:
            document["definition"] = inside | {_APPLICATION: moved(inside[_APPLICATION], _APPLICATION)}
        deprecation = map_of(document.get("deprecation"))
        if "replaced_by" in deprecation:
            successor = moved(deprecation["replaced_by"], one.kind)
            document["deprecation"] = deprecation | {"replaced_by": successor}
        return replace(one, name=_name_below(folder, one.name), document=document)

    return [[placed(one) for one in found.definitions] for _, _, found in read]


def _name_below(folder: str, name: str) -> str:
    """Return a name in a folder. Raises UsageError if no definition can have it: it could lead elsewhere."""
    found = name_or_none(f"{folder}/{name}")
    if found is None:
        raise UsageError(
            f"no definition can have the name {visible(f'{folder}/{name}')}",
            "a folder has letters, digits, and `.`, `_`, `-`, `+` within, as in --folder weather",
        )
    return found


def _is_there(
    root: Path, path: str, one: Imported, planned: Mapping[str, tuple[str, Importer, Imported]]
) -> bool:
    """True if a shared definition is planned already, or was written by an earlier import."""
    if path in planned:
        return planned[path][2].document == one.document
    file = root / path
    if not file.is_file() or file.is_symlink():
        return False
    return bool(yaml.read_data(file.read_bytes()) == one.document)


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
