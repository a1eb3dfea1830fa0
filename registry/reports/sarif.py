"""Problems as SARIF 2.1.0 (OASIS), which code scanning of forges and many editors read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from registry import __version__
from registry.check import OTHERS, RULES
from registry.model.characters import dump_json
from registry.model.problem import Problem, Severity
from registry.reports.line import LineOf, message_and_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


MAX_RESULTS = 25_000
"""GitHub rejects a run with more results ("SARIF support for code scanning", limits)."""


def report(problems: Sequence[Problem], _line_of: LineOf) -> str:
    """Return one log with one run and the rules that have results.

    Above the limit, warnings are omitted first.
    """
    left_out = max(0, len(problems) - MAX_RESULTS)
    if left_out:
        # The sort is stable: errors stay in their order, and so do warnings.
        problems = sorted(problems, key=lambda problem: problem.severity is not Severity.ERROR)[:MAX_RESULTS]
    found = {problem.rule for problem in problems}
    rules = [_rule(rule) for rule in sorted(found)]
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "process-registry", "semanticVersion": __version__, "rules": rules}},
        # Columns of problems count characters, not UTF-16 code units.
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, places[problem.rule]) for problem in problems],
    }
    if left_out:
        text = (
            f"{left_out:,} more problems are omitted: code scanning accepts at most {MAX_RESULTS:,} results"
        )
        notification = {"level": "warning", "message": {"text": text}}
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": [notification]}]
    return dump_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(name: str) -> dict[str, Any]:
    rule = next((one for one in RULES if one.id == name), None)
    if rule is None:
        return {"id": name, "shortDescription": {"text": OTHERS.get(name, "a rule of a plug-in")}}
    level = {"level": rule.severity.value}
    return {
        "id": name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "defaultConfiguration": level,
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    span = problem.span
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    # The name of a file may have bytes that are not UTF-8; a URI can contain any byte in escaped form.
    uri = quote(span.path.encode("utf-8", "surrogateescape"))
    key = "\0".join((problem.rule, span.path, problem.pointer, problem.message))
    return {
        "ruleId": problem.rule,
        "ruleIndex": rule,
        "level": problem.severity.value,
        "message": {"text": message_and_hint(problem)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
                    "region": region,
                }
            }
        ],
        # Without the line: an alert stays the same when lines above it are added.
        "partialFingerprints": {
            "problem/v1": hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        },
    }
