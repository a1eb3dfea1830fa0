"""The types that all import formats share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Imported:
    """One definition from another format: a suggested name, the document to write, and notes for the user."""

    name: str
    document: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import: make the known repairs, update deprecated spellings, replace secrets.

    `new_ids` leaves out ids that the definitions bring along.
    """

    repair: bool = False
    modern: bool = False
    secrets_from_env: bool = False
    new_ids: bool = False


@dataclass(frozen=True, slots=True)
class Importer:
    """One format. `read(file_name, text, options)` raises UsageError for input that it does not support."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Callable[[str, str, ImportOptions], list[Imported]]
