"""What git left in a file in place of its content: markers of a merge conflict, or a pointer of Git LFS; pure."""

import re
from typing import NamedTuple

_POINTER = "version https://git-lfs.github.com/spec/"
_CONFLICT = re.compile(r"^<<<<<<< ", re.MULTILINE)
_MIDDLE = re.compile(r"^=======\r?$", re.MULTILINE)


class Leftover(NamedTuple):
    """Where it is (a line, from 1), what it is, and what to do."""

    line: int
    message: str
    hint: str


def leftover_in(text: str) -> Leftover | None:
    """What git left in a file that cannot be read as what it should be; None where it left nothing."""
    if text.startswith(_POINTER):
        return Leftover(
            1,
            "the file is a pointer of Git LFS, not its content",
            "git lfs pull; better: keep it out of Git LFS",
        )
    found = _CONFLICT.search(text)
    if found and _MIDDLE.search(text, found.end()):
        line = text.count("\n", 0, found.start()) + 1
        hint = "keep what is right, and remove the lines <<<<<<<, ======= and >>>>>>>"
        return Leftover(
            line, "a merge conflict is not resolved: from this line on there are two versions", hint
        )
    return None
