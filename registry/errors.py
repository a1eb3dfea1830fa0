"""The two ways something can be wrong: a `Problem` in a file, or a `RegistryError` that stops the run."""

import os
from collections.abc import Callable, Iterable
from typing import ClassVar

from registry.model.problem import Problem

Read = Callable[[str], bytes | None]
"""The bytes of the file at a path, or None when there is none: for the lines that a report shows."""


class RegistryError(Exception):
    """Something that stops the whole run; shown as one line and a hint, never as a traceback."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, hint: str = "", details: Iterable[str] = ()) -> None:
        """Say what happened (`message`) and what the person can do (`hint`), each on one line; `details` are further lines."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


class UsageError(RegistryError):
    """The command was given something that cannot work: a missing folder, an unknown commit, a bad setting."""


class UnknownRevisionError(UsageError):
    """No commit has the name that was given (`revision`)."""

    def __init__(self, revision: str, hint: str) -> None:
        """Report that `revision` names no commit of the repository."""
        super().__init__(f"there is no commit {revision!r} here", hint)
        self.revision = revision


class RefusedError(RegistryError):
    """Going on could lose or overwrite somebody's data, so nothing was done."""

    exit_code: ClassVar[int] = 3


class ProblemsError(RegistryError):
    """Files have problems that must be mended first; they are carried along for the report."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self, problems: Iterable[Problem], read: Read, message: str = "the definitions have problems"
    ) -> None:
        """Carry `problems`, and what reads the files they are in, to the edge, which prints them."""
        super().__init__(message)
        self.problems = tuple(problems)
        self.read = read


# Nobody mistypes a longer word so that a suggestion would help.
_LONGEST_WORD = 200
# Of 100: as much of both words must be the same, in the same order.
_LEAST_ALIKE = 64


def system_message(error: OSError) -> str:
    """What the system refused, in one line: the file, where there is one, and the reason."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{os.fsdecode(error.filename)}: {reason}" if isinstance(error.filename, (str, bytes)) else reason


def nearest(word: str, choices: Iterable[str]) -> str:
    """The hint "did you mean `…`?" with the choice most like `word`, or "" when none is near.

    Bounded: words and choices of more than 200 characters are not compared.
    """
    if len(word) > _LONGEST_WORD:
        return ""
    from rapidfuzz import fuzz, process

    lowered = {choice.lower(): choice for choice in choices if len(choice) <= _LONGEST_WORD}
    found = process.extractOne(word.lower(), lowered.keys(), scorer=fuzz.ratio, score_cutoff=_LEAST_ALIKE)
    return f"did you mean `{lowered[found[0]]}`?" if found else ""
