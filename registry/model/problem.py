"""Findings of the checker: what is wrong, how serious it is, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class Severity(StrEnum):
    """Severity of a finding: an error stops a build, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Span(NamedTuple):
    """A range in a file; lines and columns count from 1, columns count characters, the end is exclusive."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one file: what is wrong (message) and what to write instead (hint)."""

    rule: str
    severity: Severity
    span: Span
    message: str
    hint: str = ""
    pointer: str = ""

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Sort key of reports: file, location, rule."""
        return (self.span.path, self.span.line, self.span.column, self.rule, self.message)

    def as_row(self) -> list[Any]:
        """Return plain data that `from_row` converts back."""
        return [self.rule, self.severity.value, list(self.span), self.message, self.hint, self.pointer]

    @classmethod
    def from_row(cls, row: list[Any]) -> "Problem":
        """Return the problem from the data of `as_row`."""
        rule, severity, span, message, hint, pointer = row
        return cls(rule, Severity(severity), Span(*span), message, hint, pointer)


def has_errors(problems: Iterable[Problem]) -> bool:
    """True when at least one of `problems` is an error."""
    return any(problem.severity is Severity.ERROR for problem in problems)
