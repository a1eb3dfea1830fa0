"""Write an id into the text of a file by changing one line. All other bytes stay the same."""

from typing import Any

from registry.load.yaml.edit import edit_text
from registry.model.definition import Definition


def insert_id(definition: Definition, number: int) -> bytes:
    """Return the bytes of the definition's file with `id: N` before its first key.

    Raises ValueError if the file has an `id`, or is in a form that takes no further line. The file then needs
    a manual edit.
    """
    if "id" in definition.data:
        raise _refusal(definition)
    return _edited(definition, {"id": number, **definition.data})


def replace_id(definition: Definition, number: int) -> bytes:
    """Return the bytes of the definition's file with another number after `id:`.

    Raises ValueError if that needs more than an edit.
    """
    return _edited(definition, definition.data | {"id": number})


def _edited(definition: Definition, document: dict[str, Any]) -> bytes:
    text, is_rewritten = edit_text(definition.raw, document)
    # A rewritten file loses comments or layout. That is for its author to decide, not for a job on the main
    # branch.
    if is_rewritten:
        raise _refusal(definition)
    return text


def _refusal(definition: Definition) -> ValueError:
    return ValueError(f"an id cannot be written into {definition.path}")
