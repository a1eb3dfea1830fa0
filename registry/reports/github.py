"""Problems as workflow commands of GitHub Actions: annotations on the lines of a pull request.

Source: "Workflow commands for GitHub Actions" in GitHub's documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.model.characters import visible, visible_lines
from registry.reports.line import LineOf, message_and_hint
from registry.reports.text import problem_summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.model.problem import Problem


def report(problems: Sequence[Problem], _line_of: LineOf) -> str:
    """Return one workflow command for each problem, and a summary."""
    lines = []
    for problem in problems:
        span = problem.span
        facts: dict[str, str | int] = {
            "file": span.path,
            "line": span.line,
            "endLine": span.end_line,
            "title": f"{problem.rule}: {problem.message}"[:200],
        }
        if span.end_line == span.line:
            # GitHub accepts columns only for a range within one line.
            facts |= {"col": span.column, "endColumn": span.end_column}
        lines.append(annotation(problem.severity.value, facts, message_and_hint(problem)))
    return "\n".join([*lines, problem_summary(problems)]) + "\n"


def annotation(command: str, facts: Mapping[str, str | int], text: str) -> str:
    """Return one workflow command (error, warning or notice) with its properties (file, line, …).

    Lines of `text` stay lines.
    """
    properties = ",".join(
        f"{name}={_escaped(visible(str(value)), is_property=True)}" for name, value in facts.items()
    )
    return f"::{command} {properties}::{_escaped(visible_lines(text), is_property=False)}"


def _escaped(text: str, *, is_property: bool) -> str:
    # The percent sign first: the other replacements insert some.
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if is_property else text
