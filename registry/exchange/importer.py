"""The shape that all import formats share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Imported:
    """One definition from elsewhere: a name made from what is known, the document to write, and what to tell the person."""

    name: str
    document: dict[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to import: whether the known repairs may be made, old spellings be brought up to date, secrets be replaced.

    `new_ids` leaves out ids that the definitions bring along.
    """

    repair: bool = False
    modern: bool = False
    secrets_from_env: bool = False
    new_ids: bool = False


@dataclass(frozen=True, slots=True)
class Importer:
    """One format. `read` takes a file's name and text; it raises UsageError for what it cannot take."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Callable[[str, str, ImportOptions], list[Imported]]
