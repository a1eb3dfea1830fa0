"""The parts of a definition that an exchange format carries, or loses.

Each format has a table with one row per part: `Carried`, `Lost` or `Refused`. An exporter reports the parts
that are present in a definition and lost, and docs/exchange.md is generated from the same tables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.model.adapter import adapter_parameters
from registry.model.host_variable import host_variable
from registry.model.pointer import pointer_of
from registry.model.values import map_of, text_of


@dataclass(frozen=True, slots=True)
class DefinitionPart:
    """A part of a definition. `pointers(document)` yields where it is present, as JSON Pointers."""

    title: str
    pointers: Callable[[Mapping[str, Any]], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Carried:
    """The format has the part. `how` says where, in Markdown. With `by_wrapper`, registry-run does it."""

    how: str
    by_wrapper: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The format cannot say the part, for the reason `why`."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The format cannot say the part, which the process needs: such a definition is not exported."""

    why: str


FieldTable = Mapping[str, Carried | Lost | Refused]


@dataclass(frozen=True, slots=True)
class Loss:
    """A value that an exported or imported file does not carry. `field` is a JSON Pointer, or the key of a
    foreign format; `why` says why. `line` is the line of the imported text, or 0 if it is unknown."""

    field: str
    why: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


def loss_lines(some: Iterable[Loss]) -> list[str]:
    """Return a line for each reason, with the fields that are lost for it."""
    fields: dict[str, list[str]] = {}
    for one in some:
        fields.setdefault(one.why, []).append(one.field)
    return [f"{', '.join(dict.fromkeys(lost))}: {why}" for why, lost in fields.items()]


def losses(table: FieldTable, document: Mapping[str, Any]) -> list[Loss]:
    """Return what a document contains and a format with this table loses, in order of `DEFINITION_PARTS`."""
    return list(_present(table, document, Lost))


def refusals(table: FieldTable, document: Mapping[str, Any]) -> list[Loss]:
    """Return the parts because of which a format with this table refuses a document."""
    return list(_present(table, document, Refused))


def _present(
    table: FieldTable, document: Mapping[str, Any], kind: type[Lost] | type[Refused]
) -> Iterator[Loss]:
    for name, part in DEFINITION_PARTS.items():
        row = table[name]
        if isinstance(row, kind):
            yield from (Loss(pointer, row.why) for pointer in part.pointers(document))


def _top(*keys: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    return lambda document: (f"/{key}" for key in keys if document.get(key) not in (None, "", [], {}))


def _inside(*keys: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def pointers(document: Mapping[str, Any]) -> Iterator[str]:
        inside = map_of(document.get("definition"))
        return (f"/definition/{key}" for key in keys if inside.get(key) not in (None, "", [], {}))

    return pointers


def _of_type(process_type: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def pointers(document: Mapping[str, Any]) -> Iterator[str]:
        inside = map_of(document.get("definition"))
        if inside.get("process_type", "single") == process_type:
            yield "/definition/process_type"

    return pointers


def _timeout_of(process_type: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def pointers(document: Mapping[str, Any]) -> Iterator[str]:
        inside = map_of(document.get("definition"))
        if "timeout" in inside and inside.get("process_type", "single") == process_type:
            yield "/definition/timeout"

    return pointers


def _secrets(document: Mapping[str, Any]) -> Iterator[str]:
    for name, value in map_of(map_of(document.get("definition")).get("environment")).items():
        if is_reference(value):
            yield pointer_of(("definition", "environment", name))


def is_reference(value: object) -> bool:
    """True for the value of a variable that the host of the process supplies: `${NAME}` and nothing else."""
    return host_variable(value) is not None


def adapter(document: Mapping[str, Any], side: str) -> tuple[str, dict[str, Any]]:
    """Return type and parameters of the `input` or `output` adapter; ("", {}) if there is none."""
    found = map_of(map_of(document.get("definition")).get(f"{side}_adapter"))
    return text_of(found.get(f"{side}_type")), adapter_parameters(side, found)


def _adapter_that(
    is_one: Callable[[str, Mapping[str, Any]], bool],
) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def pointers(document: Mapping[str, Any]) -> Iterator[str]:
        for side in ("input", "output"):
            if is_one(*adapter(document, side)):
                yield f"/definition/{side}_adapter"

    return pointers


def _extensions(document: Mapping[str, Any]) -> Iterator[str]:
    inside = map_of(document.get("definition"))
    return (f"/definition/{key}" for key in inside if key.startswith("x-"))


def _message_details(document: Mapping[str, Any]) -> Iterator[str]:
    for side in ("input", "output"):
        for key in adapter(document, side)[1]:
            if key in ("content_type", "framing", "chunk_size", "max_message_size"):
                yield f"/definition/{side}_adapter/{side}_params/{key}"


_KNOWN = ("", "none", "file", "stream", "append", "pipe", "port", "http")

DEFINITION_PARTS: Mapping[str, DefinitionPart] = {
    "title": DefinitionPart("title", _top("title")),
    "description": DefinitionPart("description", _top("description")),
    "owners": DefinitionPart("owners", _top("owners")),
    "tags": DefinitionPart("tags", _top("tags")),
    "lifecycle": DefinitionPart("lifecycle, deprecation", _top("lifecycle", "deprecation")),
    "links": DefinitionPart("links", _top("links")),
    "interface": DefinitionPart("interface", _top("interface")),
    "examples": DefinitionPart("examples", _top("examples")),
    "exec": DefinitionPart("exec", _inside("exec")),
    "argv": DefinitionPart("argv", _inside("argv")),
    "environment": DefinitionPart("environment", _inside("environment")),
    "references": DefinitionPart("environment, values `${NAME}`", _secrets),
    "cwd": DefinitionPart("cwd", _inside("cwd")),
    "single": DefinitionPart("process_type: single", _of_type("single")),
    "service": DefinitionPart("process_type: service", _of_type("service")),
    "timeout": DefinitionPart("timeout of one run", _timeout_of("single")),
    "application": DefinitionPart("application", _inside("application")),
    "standard_streams": DefinitionPart(
        "file adapters on standard streams",
        _adapter_that(lambda type_, params: type_ == "file" and params.get("file_type") == "stream"),
    ),
    "files": DefinitionPart(
        "file adapters with a path",
        _adapter_that(lambda type_, params: type_ == "file" and ("file_path" in params or "file" in params)),
    ),
    "stream": DefinitionPart("adapters `stream`", _adapter_that(lambda type_, _: type_ == "stream")),
    "append": DefinitionPart("adapters `append`", _adapter_that(lambda type_, _: type_ == "append")),
    "pipe": DefinitionPart("adapters `pipe`", _adapter_that(lambda type_, _: type_ == "pipe")),
    "network": DefinitionPart(
        "adapters `port` and `http`", _adapter_that(lambda type_, _: type_ in ("port", "http"))
    ),
    "other_adapters": DefinitionPart(
        "adapters of other types", _adapter_that(lambda type_, _: type_ not in _KNOWN)
    ),
    "message_details": DefinitionPart("framing, sizes and content types of adapters", _message_details),
    "extensions": DefinitionPart("keys `x-…`", _extensions),
}
"""All parts by the names that the tables of the formats use. Each format says something about each."""

_METADATA = ("description", "owners", "tags", "lifecycle", "links", "interface", "examples", "extensions")


def lost_metadata(why: str) -> FieldTable:
    """Return the rows of a format that has no place for what is for people, except a title."""
    return dict.fromkeys(_METADATA, Lost(why))
