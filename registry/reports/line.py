"""What every report may ask for: a line of a file. Reports are `report(problems, line_of) -> str`."""

from collections.abc import Callable

from registry.model.characters import visible
from registry.model.problem import Problem

LineOf = Callable[[str, int], str | None]
"""A line (from 1) of the file at a path, or None where there is none."""


def said(problem: Problem, hint: str = "\nhint: {}") -> str:
    """Message and hint, each safe to show; `hint` says how the hint follows."""
    return visible(problem.message) + (hint.format(visible(problem.hint)) if problem.hint else "")
