"""What git could not do."""

import re
from collections.abc import Sequence

from registry.errors import RegistryError


class GitError(RegistryError):
    """Git could not do what was asked."""


def first_line(text: str) -> str:
    """The first line of what git said that says something."""
    if text.startswith("Timeout: the command"):
        return (
            f"it took longer than {text.rpartition(' in ')[2].strip()}"
            if " in " in text
            else "it took too long"
        )
    # GitPython wraps what git said as "stderr: '…'".
    cleaned = re.sub(r"^\s*stderr: '", "", text.strip()).rstrip("'")
    lines = [line for line in cleaned.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def command_of(arguments: Sequence[str]) -> str:
    """The git command in its arguments, without options that stand before it: `git merge-tree`."""
    words = iter(arguments)
    for word in words:
        if word in ("-C", "-c", "--git-dir", "--work-tree", "--namespace"):
            next(words, None)
        elif not word.startswith("-"):
            return f"git {word}"
    return "git"
