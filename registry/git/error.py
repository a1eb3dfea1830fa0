"""Errors of git commands."""

import re
from collections.abc import Sequence

from registry.errors import RegistryError


class GitError(RegistryError):
    """A git command failed."""


def first_line(text: str) -> str:
    """Return the first meaningful line of git's error output."""
    if text.startswith("Timeout: the command"):
        return (
            f"it took longer than {text.rpartition(' in ')[2].strip()}"
            if " in " in text
            else "it took too long"
        )
    # GitPython wraps git's error output as "stderr: '…'".
    cleaned = re.sub(r"^\s*stderr: '", "", text.strip()).rstrip("'")
    lines = [line for line in cleaned.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def command_of(arguments: Sequence[str]) -> str:
    """Return the git command without the options before it, for example `git merge-tree`."""
    words = iter(arguments)
    for word in words:
        if word in ("-C", "-c", "--git-dir", "--work-tree", "--namespace"):
            next(words, None)
        elif not word.startswith("-"):
            return f"git {word}"
    return "git"
