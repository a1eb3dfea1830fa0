"""The bytes of the ledger's files: the open segment and the sealed ones. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from registry.model.definition import LEDGER_FOLDER

SEGMENT_SUFFIX = ".jsonl"


class LedgerFiles(NamedTuple):
    """The bytes of the open segment ("" if there is none), and of all other segment files by path."""

    open: bytes = b""
    sealed: Mapping[str, bytes] = {}


def is_segment_file(path: str) -> bool:
    """True for a file that belongs to the sealed segments: below their folder, with their ending, not hidden.

    Other files, such as a README or a backup of an editor, are not part of the ledger.
    """
    return path.startswith(f"{LEDGER_FOLDER}/") and path.endswith(SEGMENT_SUFFIX) and "/." not in path
