"""Index entries of files that are missing or unchecked in the work tree.

These are submodules, sparse checkouts, and files that `git update-index --assume-unchanged` hides from `git
status`.
"""

from pathlib import Path
from typing import NamedTuple

# The mode of a submodule (160000) in the index. A false match costs one git process.
_SUBMODULE = b"\x00\x00\xe0\x00"
# gitformat-index(5): flags of a sparse checkout need version 3; version 4 may have them.
_WITHOUT_FLAGS = b"DIRC\x00\x00\x00\x02"
# Version 2: each entry has stat data, the object id, 16 bits of flags and the path, padded to a multiple of 8
# bytes.
_HEADER_BYTES, _FACTS_BYTES = 12, 40
_ASSUME_UNCHANGED = 0x80
_LONG_NAME = 0xFFF


class IndexEntry(NamedTuple):
    """One path of the index, relative to the top of the work tree.

    `is_skipped`: the file is not checked out (sparse checkout). `is_assumed`: git does not check the file.
    """

    path: str
    is_submodule: bool
    is_skipped: bool
    is_assumed: bool


def may_hide_files(git_dir: Path) -> bool:
    """True when the index may contain submodules, or files whose absence git does not report.

    Decided without git, in milliseconds.
    """
    for file in (git_dir / "index", *git_dir.glob("sharedindex.*")):
        if not file.is_file():
            continue
        try:
            data = file.read_bytes()
        except OSError:
            return True  # git reports the reason
        if not data.startswith(_WITHOUT_FLAGS) or _SUBMODULE in data or _assumes_any(data):
            return True
    return False


def _assumes_any(data: bytes) -> bool:
    """True when an index of version 2 marks an entry as unchanged, or when the index has another format."""
    for hash_bytes in (20, 32):  # SHA-1 and SHA-256; the index does not say which
        found = _assumes(data, hash_bytes)
        if found is not None:
            return found
    return True  # git reports the defect


def _assumes(data: bytes, hash_bytes: int) -> bool | None:
    """Return the same for object ids of this length; None if they have another length."""
    to_flags = _FACTS_BYTES + hash_bytes
    start, marks = _HEADER_BYTES, 0
    try:
        for _ in range(int.from_bytes(data[8:12])):
            flags = data[start + to_flags]
            marks |= flags & _ASSUME_UNCHANGED
            length = (flags & 0x0F) << 8 | data[start + to_flags + 1]
            if length == _LONG_NAME:
                length = data.index(b"\0", start + to_flags + 2) - start - to_flags - 2
            start += (to_flags + 2 + length + 8) & ~7
    except (IndexError, ValueError):
        return None
    # An extension with its name, or the checksum, follows.
    fits = data[start : start + 4].isalpha() or start == len(data) - hash_bytes
    return bool(marks) if fits else None


def parse_entry(row: str) -> IndexEntry:
    """Parse a row of `git ls-files -s -v`: tag, mode, id and stage, a tab, the path."""
    facts, _, path = row.partition("\t")
    tag, mode, _, _ = facts.split(" ")
    return IndexEntry(path, mode == "160000", tag in "Ss", tag.islower())
