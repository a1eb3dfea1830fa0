"""Detect artifacts of git in a file: conflict markers, or a pointer of Git LFS; pure."""

import re
from typing import NamedTuple

_POINTER = "version https://git-lfs.github.com/spec/"
_CONFLICT = re.compile(r"^<<<<<<< ", re.MULTILINE)
_MIDDLE = re.compile(r"^=======\r?$", re.MULTILINE)


class Leftover(NamedTuple):
    """An artifact of git: its line (from 1), a description and a hint."""

    line: int
    message: str
    hint: str


def leftover_in(text: str) -> Leftover | None:
    """Return the artifact of git in a file that cannot be parsed; None if there is none."""
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
