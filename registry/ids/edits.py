"""An id into the text of a file, by changing one line: comments, quoting, order and line ends stay byte for byte."""

import re

from registry.load import yaml
from registry.model.definition import Definition

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\n|\r")


def insert_id(definition: Definition, number: int) -> bytes:
    """The bytes of the definition's file with `id: N` put in front of its first key; all other bytes stay.

    Raises ValueError when reading the result does not give exactly the old data with the id: then the file is written
    in a way that needs a person.
    """
    bom, text = _parts(definition.raw)
    found = _LINE_END.search(text)
    end = found.group() if found else "\n"
    line, column, _, _ = definition.document.place
    offset = _offset(text, line, column)
    if text[offset : offset + 1] == "{":
        offset += 1
        inserted = f"id: {number}, " if definition.data else f"id: {number}"
    else:
        # In front of the first key, with its indentation: behind a `---`, a BOM and all leading comments.
        inserted = f"id: {number}{end}{' ' * (column - 1)}"
    return _read_again(
        definition,
        bom + (text[:offset] + inserted + text[offset:]).encode(),
        {"id": number, **definition.data},
    )


def replace_id(definition: Definition, number: int) -> bytes:
    """The bytes of the definition's file with the number after `id:` changed; all other bytes stay. Raises ValueError."""
    bom, text = _parts(definition.raw)
    span = definition.document.span(("id",))
    start, end = _offset(text, span.line, span.column), _offset(text, span.end_line, span.end_column)
    return _read_again(
        definition, bom + (text[:start] + str(number) + text[end:]).encode(), definition.data | {"id": number}
    )


def _parts(raw: bytes) -> tuple[bytes, str]:
    bom = _BOM if raw.startswith(_BOM) else b""
    return bom, raw[len(bom) :].decode("utf-8")


def _offset(text: str, line: int, column: int) -> int:
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    return starts[line - 1] + column - 1


def _read_again(definition: Definition, result: bytes, wanted: dict[str, object]) -> bytes:
    again = yaml.read(result, definition.path)
    if again.problems or again.document is None or list(again.document.data.items()) != list(wanted.items()):
        raise ValueError(f"an id cannot be written into {definition.path}")
    return result
