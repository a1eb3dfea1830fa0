"""How problems are said, to people and to programs. Add a format: write its file here, and its name below."""

import importlib
from collections.abc import Callable, Sequence

from registry.errors import Problem
from registry.reports.line import LineOf

# In the order that help shows them. `text` is for people; all others are for programs.
FORMATS = ("text", "json", "github", "gitlab", "junit", "rdjson", "sarif")
# Read by programs that know paths from the top of the repository, not from that of the registry.
FROM_THE_TOP = frozenset({"github", "gitlab", "rdjson", "sarif"})


def report_as(name: str) -> Callable[[Sequence[Problem], LineOf], str]:
    """The report in one format."""
    found: Callable[[Sequence[Problem], LineOf], str] = importlib.import_module(f"registry.reports.{name}").report
    return found
