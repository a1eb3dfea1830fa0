"""The types that all import formats share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from registry.exchange.fields import Loss
from registry.model.addresses import has_address, taken_part

_LONGEST_PART = 100


@dataclass(frozen=True, slots=True)
class Imported:
    """One definition from another format.

    `name` is a suggestion, `document` the content of the file to write, `notes` are for the user, `losses`
    what the text says and the document does not. With `is_shared`, several files can bring the same one, as
    an application that many processes run in.
    """

    name: str
    document: dict[str, Any]
    notes: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    kind: str = "process_definition"
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class ImportedText:
    """What one text contains: its definitions, and losses that belong to none of them."""

    definitions: tuple[Imported, ...]
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import: make the known repairs, update deprecated spellings, replace secrets.

    `new_ids` leaves out ids that the definitions bring along. `values` are fixed values for the parameters of
    a tool, by their names.
    """

    repair: bool = False
    modern: bool = False
    secrets_from_env: bool = False
    new_ids: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Importer:
    """One format to import from.

    `read(file_name, text, options)` raises UsageError for input that it does not support. `patterns` match
    names of files (of fnmatch, in lower case), and `recognizes` decides by the text. The format of a file is
    the only one that both accept, or that the text has, or that the name matches. With `has_parameters`, it
    uses the `values` of the options. `gives` and `refuses` are lines of Markdown: what a definition gets from
    a text, and what `read` refuses.
    """

    name: str
    title: str
    patterns: tuple[str, ...]
    read: Callable[[str, str, ImportOptions], ImportedText]
    recognizes: Callable[[str], bool] | None = None
    has_parameters: bool = False
    gives: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()


def suggested_name(text: str) -> str:
    """Return a text as one part of a name: letters, digits and `. _ + -`, at most 100 characters."""
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:_LONGEST_PART].strip("-._+") or "process"
    if taken_part(name) is None:
        return name
    return f"{name.replace('.', '-')}-process"


def name_or_none(text: str) -> str | None:
    """Return a text if it can be the name of a definition, as exports write it; otherwise None."""
    is_name = has_address(text) and all(
        part[:1].isalnum() and all(char.isalnum() or char in "._-+" for char in part)
        for part in text.split("/")
    )
    return text if is_name else None
