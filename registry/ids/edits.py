"""Write an id into the text of a file by changing one line. All other bytes stay the same."""

import re

from registry.load import yaml
from registry.model.definition import Definition

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(r"\r\n|\n|\r")


def insert_id(definition: Definition, number: int) -> bytes:
    """Return the bytes of the definition's file with `id: N` before its first key.

    Raises ValueError when parsing the result does not give exactly the old data plus the id. The file then
    needs a manual edit.
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
        # Before the first key, with its indentation: after a `---`, a BOM and all leading comments.
        inserted = f"id: {number}{end}{' ' * (column - 1)}"
    return _verified(
        definition,
        bom + (text[:offset] + inserted + text[offset:]).encode(),
        {"id": number, **definition.data},
    )


def replace_id(definition: Definition, number: int) -> bytes:
    """Return the bytes of the definition's file with another number after `id:`.

    Raises ValueError when parsing the result does not give exactly the old data with the new id.
    """
    bom, text = _parts(definition.raw)
    span = definition.document.span(("id",))
    start, end = _offset(text, span.line, span.column), _offset(text, span.end_line, span.end_column)
    return _verified(
        definition, bom + (text[:start] + str(number) + text[end:]).encode(), definition.data | {"id": number}
    )


def _parts(raw: bytes) -> tuple[bytes, str]:
    bom = _BOM if raw.startswith(_BOM) else b""
    return bom, raw[len(bom) :].decode("utf-8")


def _offset(text: str, line: int, column: int) -> int:
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    return starts[line - 1] + column - 1


def _verified(definition: Definition, result: bytes, wanted: dict[str, object]) -> bytes:
    again = yaml.read(result, definition.path)
    if again.problems or again.document is None or list(again.document.data.items()) != list(wanted.items()):
        raise ValueError(f"an id cannot be written into {definition.path}")
    return result
