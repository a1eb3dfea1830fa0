"""The name of a new definition whose request has none; pure."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from registry.model.characters import invisible_in
from registry.model.pointer import value_at

if TYPE_CHECKING:
    from registry.load.kinds import Kind

# Folders of at most this many files: git rewrites the folder of a new file in every commit.
_IN_ONE_FOLDER = 256
# File systems allow 255 bytes for a part of a path, and the id and the suffix follow.
_LONGEST_BASE = 100


def name_for(kind: Kind, document: dict[str, Any], number: int) -> str:
    """Return `posted/<folder>/<base>-<id>`, or the name that a definition of such a kind contains.

    The latter is not checked. The base is `process_name`, else the base name of the executable, with
    characters that names do not allow replaced by `-`.
    """
    repeated = value_at(document, kind.traits.name_field)
    if isinstance(repeated, str) and repeated:
        return repeated
    inside = document.get("definition")
    named = inside.get("process_name") if isinstance(inside, dict) else None
    executable = value_at(document, kind.traits.executable)
    candidates = (named, PurePosixPath(executable).name if isinstance(executable, str) else None)
    found = (_allowed(one) for one in candidates if isinstance(one, str))
    base = next((one for one in found if one), kind.name.replace("_", "-"))
    return f"posted/{number // _IN_ONE_FOLDER}/{base}-{number}"


def _allowed(text: str) -> str:
    """Return a text with only letters, digits and `._+-`, starting with a letter or digit; "" for nothing."""
    composed = unicodedata.normalize("NFC", text[:_LONGEST_BASE])
    kept = "".join(char if _is_allowed(char) else "-" for char in composed)
    kept = re.sub("-+", "-", kept).lstrip("._+-").rstrip("-")
    # One character at a time: cutting the bytes could split a character.
    while len(kept.encode("utf-8", "replace")) > _LONGEST_BASE:
        kept = kept[:-1]
    # Removing characters can bring a base and a combining character together, so normalize again.
    return unicodedata.normalize("NFC", kept)


def _is_allowed(char: str) -> bool:
    # Some letters are invisible, for example U+3164 HANGUL FILLER.
    return char in "._+-" or (char.isalnum() and not invisible_in(char))
