"""What the index tells of files that are not in the work tree as a commit has them: submodules, sparse checkouts."""

from pathlib import Path
from typing import NamedTuple

# The mode of a submodule (160000), as the index holds it. Found by chance elsewhere it costs one git process.
_SUBMODULE = b"\x00\x00\xe0\x00"
# gitformat-index(5): flags of a sparse checkout need version 3; version 4 may have them.
_WITHOUT_FLAGS = b"DIRC\x00\x00\x00\x02"


class IndexEntry(NamedTuple):
    """One path of the index, from the top of the work tree; `is_skipped`: it is left out of the work tree."""

    path: str
    is_submodule: bool
    is_skipped: bool


def suspects(git_dir: Path) -> bool:
    """True when the index may hold submodules, or files that are not checked out; decided without git, in a millisecond."""
    for file in (git_dir / "index", *git_dir.glob("sharedindex.*")):
        if not file.is_file():
            continue
        try:
            data = file.read_bytes()
        except OSError:
            return True  # git says why
        if not data.startswith(_WITHOUT_FLAGS) or _SUBMODULE in data:
            return True
    return False


def parse_entry(row: str) -> IndexEntry:
    """A row of `git ls-files -s -t`: tag, mode, id and stage, a tab, the path."""
    facts, _, path = row.partition("\t")
    tag, mode, _, _ = facts.split(" ")
    return IndexEntry(path, mode == "160000", tag == "S")
