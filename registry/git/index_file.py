"""What the index tells of files that are not in the work tree as a commit has them.

Submodules, sparse checkouts, and files that `git update-index --assume-unchanged` hides from `git status`.
"""

from pathlib import Path
from typing import NamedTuple

# The mode of a submodule (160000), as the index holds it. Found by chance elsewhere it costs one git process.
_SUBMODULE = b"\x00\x00\xe0\x00"
# gitformat-index(5): flags of a sparse checkout need version 3; version 4 may have them.
_WITHOUT_FLAGS = b"DIRC\x00\x00\x00\x02"
# Version 2: each entry has facts of the file, the object id, 16 bits of flags and the path, padded to a multiple of 8 bytes.
_HEADER_BYTES, _FACTS_BYTES = 12, 40
_ASSUME_UNCHANGED = 0x80
_LONG_NAME = 0xFFF


class IndexEntry(NamedTuple):
    """One path of the index, from the top of the work tree.

    `is_skipped`: it is left out of the work tree; `is_assumed`: git does not look whether it is there.
    """

    path: str
    is_submodule: bool
    is_skipped: bool
    is_assumed: bool


def suspects(git_dir: Path) -> bool:
    """True when the index may hold submodules, or files whose absence git does not report; decided without git, in milliseconds."""
    for file in (git_dir / "index", *git_dir.glob("sharedindex.*")):
        if not file.is_file():
            continue
        try:
            data = file.read_bytes()
        except OSError:
            return True  # git says why
        if not data.startswith(_WITHOUT_FLAGS) or _SUBMODULE in data or _assumes_any(data):
            return True
    return False


def _assumes_any(data: bytes) -> bool:
    """True when an entry of an index of version 2 is marked as unchanged, or when the index is not of this form."""
    for hash_bytes in (20, 32):  # SHA-1 and SHA-256; nothing here says which
        found = _assumes(data, hash_bytes)
        if found is not None:
            return found
    return True  # git says what is wrong with it


def _assumes(data: bytes, hash_bytes: int) -> bool | None:
    """The same for object ids of this length; None when they have another."""
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
    """A row of `git ls-files -s -v`: tag, mode, id and stage, a tab, the path."""
    facts, _, path = row.partition("\t")
    tag, mode, _, _ = facts.split(" ")
    return IndexEntry(path, mode == "160000", tag in "Ss", tag.islower())
