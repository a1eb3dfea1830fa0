"""Helpers of all reports. A report is a function `report(problems, line_of) -> str`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from registry.model.characters import visible

if TYPE_CHECKING:
    from registry.model.problem import Problem

LineOf = Callable[[str, int], str | None]
"""Returns a line (from 1) of the file at a path, or None if there is none."""


def message_and_hint(problem: Problem, hint: str = "\nhint: {}") -> str:
    """Return message and hint, escaped for display. `hint` is the format of the hint."""
    return visible(problem.message) + (hint.format(visible(problem.hint)) if problem.hint else "")
