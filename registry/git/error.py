"""Errors of git commands."""

import re
from collections.abc import Sequence
from enum import StrEnum

from registry.errors import RegistryError, system_message


class GitError(RegistryError):
    """A git command failed."""


class WriteFailure(StrEnum):
    """Why a write did not happen."""

    DISK_FULL = "disk full"
    READ_ONLY = "read-only"
    IO_ERROR = "I/O error"
    LOCKED = "locked"
    TIMED_OUT = "timed out"
    KILLED = "killed"
    OTHER = "git failed"


class GitWriteError(GitError):
    """Nothing was published, because of `failure`. `errors` is git's error output, "" if there is none."""

    def __init__(self, message: str, failure: WriteFailure, hint: str = "", errors: str = "") -> None:
        """Set `message` and `hint` (one line each), the kind of failure and git's error output."""
        super().__init__(message, hint)
        self.failure = failure
        self.errors = errors


# Texts of the C library in the locale C.
_FAILURES = (
    (
        WriteFailure.DISK_FULL,
        ("No space left on device", "Disk quota exceeded", "File too large", "Out of diskspace"),
    ),
    (WriteFailure.READ_ONLY, ("Read-only file system", "Permission denied", "Operation not permitted")),
    (WriteFailure.IO_ERROR, ("Input/output error",)),
    (WriteFailure.LOCKED, (".lock': File exists",)),
)


def write_failure(text: str) -> WriteFailure:
    """Return the kind of failure that git's error output or an error of the system reports."""
    for failure, words in _FAILURES:
        if any(word in text for word in words):
            return failure
    return WriteFailure.OTHER


def system_failure(what: str, error: OSError) -> GitWriteError:
    """Return the error for a failed call of the operating system during `what`."""
    text = system_message(error)
    return GitWriteError(f"{what}: {text}", write_failure(text))


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
