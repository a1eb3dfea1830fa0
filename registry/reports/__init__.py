"""How problems and changes are said, to people and to programs. Add a format: write its file here, and its name below."""

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from registry.model.problem import Problem
from registry.reports.line import LineOf

if TYPE_CHECKING:
    from registry.changes import Comparison

# In the order that help shows them. `text` is for people; all others are for programs.
FORMATS = ("text", "json", "github", "gitlab", "junit", "rdjson", "sarif")
# Read by programs that know paths from the top of the repository, not from that of the registry.
FROM_THE_TOP = frozenset({"github", "gitlab", "junit", "rdjson", "sarif"})

CHANGE_FORMATS = ("text", "markdown", "json", "html")


class ChangeReport(Protocol):
    """Says a comparison in one format; `width` in characters and `color` are of use to the terminal alone."""

    def __call__(self, comparison: "Comparison", *, width: int = 80, color: bool = False) -> str:
        """The report."""


def changes_as(name: str) -> ChangeReport:
    """The report on changes in one format."""
    found: ChangeReport = importlib.import_module(f"registry.reports.changes.{name}").report
    return found


def report_as(name: str) -> Callable[[Sequence[Problem], LineOf], str]:
    """The report in one format."""
    found: Callable[[Sequence[Problem], LineOf], str] = importlib.import_module(
        f"registry.reports.{name}"
    ).report
    return found
