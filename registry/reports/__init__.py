"""Report formats for problems, changes and reviews.

To add a format, write its file here and add its name below.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.changes.compare import Comparison
    from registry.model.problem import Problem
    from registry.reports.line import LineOf

# In the order of the help text. `text` is for people, all others are for programs.
FORMATS = ("text", "json", "github", "gitlab", "junit", "rdjson", "sarif")
# These programs need paths from the root of the repository, not from the root of the registry.
FROM_THE_TOP = frozenset({"github", "gitlab", "junit", "rdjson", "sarif"})

CHANGE_FORMATS = ("text", "markdown", "json", "html")


class ChangeReport(Protocol):
    """Formats a comparison. `width` (in characters) and `color` apply to the terminal only."""

    def __call__(self, comparison: Comparison, *, width: int = 80, color: bool = False) -> str:
        """Return the report."""


def changes_as(name: str) -> ChangeReport:
    """Return the function that formats changes as `name`."""
    found: ChangeReport = importlib.import_module(f"registry.reports.changes.{name}").report
    return found


def report_as(name: str) -> Callable[[Sequence[Problem], LineOf], str]:
    """Return the function that formats problems as `name`."""
    found: Callable[[Sequence[Problem], LineOf], str] = importlib.import_module(
        f"registry.reports.{name}"
    ).report
    return found
