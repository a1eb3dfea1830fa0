"""Problems as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.model.problem import Problem, Severity
from registry.reports.envelope import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.reports.line import LineOf


def report(problems: Sequence[Problem], _line_of: LineOf = lambda _path, _line: None) -> str:
    """Return the problems as JSON text."""
    return to_text(problems_body(problems))


def problems_body(problems: Sequence[Problem]) -> dict[str, Any]:
    """Return `{"problems": […], "errors": N, "warnings": N}`.

    Lines and columns start at 1; the end is exclusive.
    """
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    listed = [
        {
            "rule": problem.rule,
            "severity": problem.severity.value,
            **problem.span._asdict(),
            "pointer": problem.pointer,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]
    return {"problems": listed, "errors": errors, "warnings": len(problems) - errors}
