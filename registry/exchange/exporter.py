"""The types that all export formats share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.errors import UsageError
from registry.exchange.fields import FieldTable, Loss, loss_lines, refusals


@dataclass(frozen=True, slots=True)
class Exportable:
    """One definition to export. `document` is the whole file as data, with credentials hidden as on the site.

    `application` is the document of its application, or None. `revision` and `commit` are of its newest
    revision: 0 and "" if it is not committed. Exported files name the identity as a comment or label.
    `hidden` has the JSON Pointers of the values with hidden credentials.
    """

    kind: str
    name: str
    id: int | None
    document: Mapping[str, Any]
    application: Mapping[str, Any] | None = None
    revision: int = 0
    commit: str = ""
    hidden: tuple[str, ...] = ()

    @property
    def inside(self) -> Mapping[str, Any]:
        """The content of `definition`."""
        inside: Mapping[str, Any] = self.document["definition"]
        return inside


@dataclass(frozen=True, slots=True)
class ExportedText:
    """One definition in a format: its text (without a list of losses), what it lost, and whether it starts
    the program through `registry-run`."""

    text: str
    losses: tuple[Loss, ...] = ()
    needs_wrapper: bool = False


class NotExportableError(Exception):
    """A definition cannot be written in a format without changing what it does.

    `field` is the JSON Pointer of the value, `why` the reason, as a clause: "systemd cannot write …".
    """

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


@dataclass(frozen=True, slots=True)
class Exporter:
    """One format to export to.

    `export` raises NotExportableError. `file_name(name)` is the name of the file of a definition. With
    `joined_file`, all definitions can be in one file of this name; `join` makes it from the definitions, each
    with its text (and its losses as comments). `comment` starts a line of a comment. `kinds` are the sets of
    rules, or the names, of the kinds that it exports. `limits` are lines of Markdown: values that the format
    cannot write at all, which `export` refuses.
    """

    name: str
    title: str
    table: FieldTable
    export: Callable[[Exportable], ExportedText]
    file_name: Callable[[str], str]
    comment: str = "# "
    joined_file: str = ""
    join: Callable[[Sequence[tuple[Exportable, str]]], str] | None = None
    kinds: tuple[str, ...] = ("process",)
    limits: tuple[str, ...] = ()


def require_expressible(table: FieldTable, one: Exportable) -> None:
    """Raise NotExportableError if the definition has a part that the table refuses."""
    for refusal in refusals(table, one.document):
        raise NotExportableError(refusal.field, refusal.why)


def require_unique(written: Sequence[tuple[Exportable, str]], entry: Callable[[str], str]) -> None:
    """Raise UsageError if two definitions have one entry in a file, or one file. `entry` maps names to it."""
    owners: dict[str, str] = {}
    for one, _ in written:
        # Some file systems ignore case.
        other = owners.setdefault(entry(one.name).casefold(), one.name)
        if other != one.name:
            raise UsageError(
                f"{other} and {one.name} would both be written to {entry(one.name)}",
                "export them into different folders with --out",
            )


def joined_blocks(entry: Callable[[str], str], written: Sequence[tuple[Exportable, str]]) -> str:
    """Return the texts one after another, with blank lines between them. Raises as `require_unique`."""
    require_unique(written, entry)
    return "\n".join(text for _, text in written)


def identity(one: Exportable) -> str:
    """Return name, id and revision of a definition on one line, for a comment or a label."""
    parts = [one.name]
    if one.id is not None:
        parts.append(f"id {one.id}")
    if one.revision:
        parts.append(f"revision {one.revision}")
    if one.commit:
        parts.append(f"commit {one.commit}")
    return ", ".join(parts)


def with_losses(exporter: Exporter, exported: ExportedText) -> str:
    """Return the text of a definition after comments that list what it lost.

    The first line of a script, which names its interpreter, remains the first one.
    """
    if not exported.losses or not exporter.comment:
        return exported.text
    lines = [
        f"Not carried by {exporter.title}:",
        *(f"  {_one_line(one)}" for one in loss_lines(exported.losses)),
    ]
    comments = "".join(f"{exporter.comment}{line}\n" for line in lines)
    first, end, others = exported.text.partition("\n")
    is_script = first.startswith("#!")
    return f"{first}{end}{comments}{others}" if is_script else comments + exported.text


def _one_line(text: str) -> str:
    return " ".join(text.split())
