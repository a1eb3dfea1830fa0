"""Problems in Reviewdog Diagnostic Format, which reviewdog posts to any forge.

Source: reviewdog's `proto/rdf`: lines and columns from 1, columns counted in bytes of UTF-8, the end
exclusive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.model.characters import dump_json
from registry.reports.line import LineOf, message_and_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.model.problem import Problem


def report(problems: Sequence[Problem], line_of: LineOf) -> str:
    """Return one `DiagnosticResult`."""

    def place(path: str, line: int, column: int) -> dict[str, int]:
        text = line_of(path, line) or ""
        return {
            "line": line,
            "column": len(text[: column - 1].encode("utf-8", "surrogatepass")) + 1 if text else column,
        }

    diagnostics = [
        {
            "message": message_and_hint(problem),
            "location": {
                "path": problem.span.path,
                "range": {
                    "start": place(problem.span.path, problem.span.line, problem.span.column),
                    "end": place(problem.span.path, problem.span.end_line, problem.span.end_column),
                },
            },
            "severity": problem.severity.value.upper(),
            "code": {"value": problem.rule},
        }
        for problem in problems
    ]
    return dump_json({"source": {"name": "process-registry"}, "diagnostics": diagnostics})
