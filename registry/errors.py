"""The two kinds of errors: a `Problem` in a file, and a `RegistryError` that stops the run."""

import os
from collections.abc import Callable, Iterable
from typing import ClassVar

from registry.model.problem import Problem

Read = Callable[[str], bytes | None]
"""Returns the bytes of the file at a path, or None if there is none: for the lines that a report quotes."""


class RegistryError(Exception):
    """An error that stops the whole run. Shown as one line and a hint, never as a traceback."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str = "", details: Iterable[str] = ()) -> None:
        """Set `message` (what happened) and `hint` (what to do), one line each, and further `details`."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


class UsageError(RegistryError):
    """Invalid input to a command: a missing folder, an unknown commit, an invalid setting."""


class UnknownRevisionError(UsageError):
    """The given `revision` does not name a commit."""

    def __init__(self, revision: str, hint: str) -> None:
        """Report that `revision` does not name a commit of the repository."""
        super().__init__(f"there is no commit {revision!r} here", hint)
        self.revision = revision


class RefusedError(RegistryError):
    """Continuing could lose or overwrite data, so nothing was done."""

    exit_code: ClassVar[int] = 3


class ProblemsError(RegistryError):
    """Problems in files must be fixed first. They are attached for the report."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self, problems: Iterable[Problem], read: Read, message: str = "the definitions have problems"
    ) -> None:
        """Attach `problems`, and a function that reads the files they are in, for the report."""
        super().__init__(message)
        self.problems = tuple(problems)
        self.read = read


# A longer word is not a typo, and a suggestion would not help.
_LONGEST_WORD = 200
# Similarity from 0 to 100: the share of both words that matches in order.
_LEAST_ALIKE = 64


def system_message(error: OSError) -> str:
    """Return the reason of an operating system error in one line, with the file name if known."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{os.fsdecode(error.filename)}: {reason}" if isinstance(error.filename, (str, bytes)) else reason


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the hint "did you mean `…`?" with the choice most similar to `word`, or "" if none is similar.

    Words and choices of more than 200 characters are not compared.
    """
    if len(word) > _LONGEST_WORD:
        return ""
    from rapidfuzz import fuzz, process

    lowered = {choice.lower(): choice for choice in choices if len(choice) <= _LONGEST_WORD}
    found = process.extractOne(word.lower(), lowered.keys(), scorer=fuzz.ratio, score_cutoff=_LEAST_ALIKE)
    return f"did you mean `{lowered[found[0]]}`?" if found else ""
