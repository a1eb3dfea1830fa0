"""Definitions and their summaries.

A summary has the fields that lists, reference checks and other pages need without loading the document.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from registry.model.pointer import steps_of
from registry.model.problem import Problem, Severity, Span
from registry.model.values import list_of, map_of, text_of


@dataclass(frozen=True, slots=True)
class Reference:
    """A field (JSON Pointer) whose value is the name of a definition of `kind`."""

    pointer: str
    kind: str


@dataclass(frozen=True, slots=True)
class SummaryField:
    """A text field of a kind that lists show or filter by.

    `name` is the name of the filter, `pointer` a JSON Pointer.
    """

    name: str
    pointer: str
    default: str = ""
    description: str = ""
    is_badge: bool = False
    is_column: bool = False
    is_searched: bool = False


class Summary(NamedTuple):
    """Selected values of one document; "" or () for missing values and values of the wrong type.

    `fields` are the values of the kind's list fields, in order. `references` are the names in the kind's
    reference fields, in order; None for an empty field. `replaced_by` is the replacement of a deprecated
    definition. `samples` are the paths of files that examples name. `is_excepting`: the file contains rule
    exceptions. `adapters` are the distinct types of its input and output adapter.
    """

    title: str = ""
    description: str = ""
    lifecycle: str = "production"
    tags: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    references: tuple[str | None, ...] = ()
    replaced_by: str = ""
    samples: tuple[str, ...] = ()
    is_excepting: bool = False
    owners: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()

    @classmethod
    def from_row(cls, row: list[Any]) -> "Summary":
        """Return the summary from JSON, in which tuples are lists."""
        for place in _TUPLES:
            row[place] = tuple(row[place])
        return cls._make(row)


# Indexes of the tuples among the fields of a summary.
_TUPLES = tuple(place for place, value in enumerate(Summary()) if value == ())


def summary_of(
    data: dict[str, Any], references: Iterable[Reference], fields: Iterable[SummaryField]
) -> Summary:
    """Return the summary of a document of a kind with these reference fields and list fields."""
    return Summary(
        title=text_of(data.get("title")),
        description=text_of(data.get("description")),
        lifecycle=text_of(data.get("lifecycle", "production")),
        tags=tuple(tag for tag in list_of(data.get("tags")) if isinstance(tag, str)),
        fields=tuple(text_at(data, *steps_of(one.pointer)) or "" for one in fields),
        references=tuple(text_at(data, *steps_of(one.pointer)) for one in references),
        replaced_by=text_at(data, "deprecation", "replaced_by") or "",
        samples=tuple(path for _, _, path in sample_files(data)) if "examples" in data else (),
        is_excepting=bool(data.get("ignore")),
        owners=tuple(owner for owner in list_of(data.get("owners")) if isinstance(owner, str)),
        adapters=_adapter_types(data),
    )


def _adapter_types(data: dict[str, Any]) -> tuple[str, ...]:
    types = (text_at(data, "definition", f"{side}_adapter", f"{side}_type") for side in ("input", "output"))
    return tuple(dict.fromkeys(one for one in types if one))


def sample_files(data: dict[str, Any]) -> Iterable[tuple[int, str, str]]:
    """Yield the number of the example, key and path of each file that the examples in a document name."""
    for number, example in enumerate(list_of(data.get("examples"))):
        for key in ("input_file", "output_file"):
            path = example.get(key) if isinstance(example, dict) else None
            # The schema reports paths outside the folder.
            if isinstance(path, str) and ".." not in path.split("/"):
                yield number, key, path


def text_at(data: Any, *steps: str) -> str | None:
    """Return the text at `steps`, or None if there is none; the schema reports values of another type."""
    for step in steps:
        if not isinstance(data, dict):
            return None
        data = data.get(step)
    return data if isinstance(data, str) else None


DEFINITIONS_FOLDER = "definitions"


SAMPLES_FOLDER = "samples"


LEDGER_PATH = f"{DEFINITIONS_FOLDER}/ledger.jsonl"
"""The open segment of the ledger: the file that new lines are appended to."""


LEDGER_FOLDER = f"{DEFINITIONS_FOLDER}/ledger"
"""The folder of the sealed segments: older lines of the ledger, in files that never change."""


SUFFIX = ".yaml"


class Document(Protocol):
    """One YAML file as read: plain data, the bytes of the file, and the location of every value."""

    @property
    def path(self) -> str:
        """Path of the file, relative to the root of the registry."""

    @property
    def data(self) -> Any:
        """The document as plain data."""

    @property
    def raw(self) -> bytes:
        """The bytes of the file."""

    def span(self, pointer: tuple[str | int, ...], *, key: bool = False) -> Span:
        """Return the span of the value (or with `key` its key) at `pointer`."""

    @property
    def place(self) -> Any:
        """Line and column of the document's first token."""


class Definition(NamedTuple):
    """One YAML file of a kind. `id` is None until one is assigned; `document.data` is always a map.

    `blob` is git's id of the bytes; "" if it was not computed. Values needed from many definitions are in the
    summary: documents may be stored elsewhere and are read on demand.
    """

    kind: str
    name: str
    id: int | None
    document: Document
    summary: Summary
    blob: str = ""

    @property
    def path(self) -> str:
        """Path of the file, relative to the registry's root."""
        return self.document.path

    @property
    def raw(self) -> bytes:
        """The bytes of the file."""
        return self.document.raw

    @property
    def data(self) -> dict[str, Any]:
        """The whole document as plain data."""
        return self.document.data  # type: ignore[no-any-return]

    @property
    def inside(self) -> dict[str, Any]:
        """The content of `definition`: exactly what programs receive. Empty if it is missing or not a map."""
        return map_of(self.data.get("definition"))

    def problem(
        self,
        rule: str,
        severity: Severity,
        pointer: tuple[str | int, ...],
        message: str,
        hint: str = "",
        *,
        key: bool = False,
    ) -> Problem:
        """Return a finding about the value (or with `key` the key) at `pointer`, given as steps."""
        from registry.model.pointer import pointer_of

        return Problem(
            rule, severity, self.document.span(pointer, key=key), message, hint, pointer_of(pointer)
        )


def definition_path(kind: str, name: str) -> str:
    """Return the path of a definition's file, relative to the registry's root."""
    return f"{DEFINITIONS_FOLDER}/{kind}/{name}{SUFFIX}"


# Cached, because a history names each path repeatedly.
@lru_cache(maxsize=65_536)
def kind_and_name(path: str) -> tuple[str, str] | None:
    """Return kind and name for a path, or None if it is not a definition's path."""
    folder, _, rest = path.partition("/")
    kind, _, name = rest.partition("/")
    if folder != DEFINITIONS_FOLDER or not name or not name.endswith(SUFFIX) or name == SUFFIX:
        return None
    return kind, name.removesuffix(SUFFIX)


def is_ledger_path(path: str) -> bool:
    """True for the open segment of the ledger, the folder of the sealed ones, and every path in it."""
    return path in (LEDGER_PATH, LEDGER_FOLDER) or path.startswith(f"{LEDGER_FOLDER}/")


def id_of(data: dict[str, Any]) -> int | None:
    """Return the id in a file, or None if it has no valid one."""
    number = data.get("id")
    return number if type(number) is int and number > 0 else None
