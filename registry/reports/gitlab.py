"""Problems as a code quality report of GitLab, shown in merge requests.

Source: "Code Quality" in GitLab's documentation, the report format (a subset of Code Climate's).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from registry.model.characters import dump_json
from registry.model.problem import Problem, Severity
from registry.reports.line import LineOf, message_and_hint

if TYPE_CHECKING:
    from collections.abc import Sequence


def report(problems: Sequence[Problem], _line_of: LineOf) -> str:
    """Return a list of issues.

    Fingerprints do not depend on lines, so that moved findings are not new ones.
    """
    seen: Counter[str] = Counter()
    issues = []
    for problem in problems:
        key = "\0".join((problem.rule, problem.span.path, problem.pointer, problem.message))
        # Equal problems of one file are distinguished by their number: fingerprints must be unique.
        seen[key] += 1
        issues.append(
            {
                "description": message_and_hint(problem, " ({})"),
                "check_name": problem.rule,
                "fingerprint": hashlib.sha256(
                    f"{key}\0{seen[key]}".encode("utf-8", "surrogatepass")
                ).hexdigest(),
                "severity": "major" if problem.severity is Severity.ERROR else "minor",
                "location": {
                    "path": problem.span.path,
                    "lines": {"begin": problem.span.line, "end": problem.span.end_line},
                },
            }
        )
    return dump_json(issues)
