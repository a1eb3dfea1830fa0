"""Results of examples as JSON."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

from registry.execution.examples import ExampleOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.execution.examples import ExampleResult, Mismatch
    from registry.execution.runner import RunResult


def results_body(results: Sequence[ExampleResult], how: str) -> dict[str, Any]:
    """Return the JSON data; `how` says whether the programs ran in a sandbox."""
    counts = Counter(one.outcome for one in results)
    return {
        "launcher": how,
        "summary": {outcome.value: counts[outcome] for outcome in ExampleOutcome},
        "results": [_result(one) for one in results],
    }


def _result(one: ExampleResult) -> dict[str, Any]:
    ran = one.run if one.run is not None and not one.run.obstacle else None
    return {
        "kind": one.kind,
        "name": one.name,
        "path": one.path,
        "example": one.number,
        "title": one.title,
        "outcome": one.outcome.value,
        "reason": one.reason,
        "exit_code": ran.status if ran is not None else None,
        "seconds": round(ran.seconds, 3) if ran is not None else None,
        "notes": list(ran.notes) if ran is not None else [],
        "mismatches": [mismatch_body(each) for each in one.mismatches],
    }


def mismatch_body(one: Mismatch) -> dict[str, Any]:
    """Return one expectation that was not met."""
    return {"field": one.field, "message": one.message, "lines": list(one.lines)}


def run_body(run: RunResult, how: str) -> dict[str, Any]:
    """Return a run without an example: the output as text, or in base64 if it is not UTF-8."""
    body: dict[str, Any] = {
        "launcher": how,
        "end": run.end.value,
        "exit_code": run.status,
        "seconds": round(run.seconds, 3),
        "errors": run.errors.decode("utf-8", "replace"),
        "notes": list(run.notes),
    }
    if run.output is None:
        return body
    try:
        return {**body, "output_text": run.output.decode()}
    except UnicodeDecodeError:
        return {**body, "output_base64": base64.b64encode(run.output).decode()}
