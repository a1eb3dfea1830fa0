"""Results of examples for a terminal: one line each, and the differences of those that failed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from registry.execution.examples import ExampleOutcome
from registry.model.characters import visible
from registry.reports.ansi import styler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.execution.examples import ExampleResult, Mismatch

_STYLES = {"passed": "32", "failed": "1;31", "skipped": "33", "-": "31", "+": "32", "note": "2"}
_INDENT = " " * 10


def result_lines(result: ExampleResult, *, color: bool = False) -> str:
    """Return the line of one example, with what was expected and what came if it failed."""
    styled = styler(_STYLES, color=color)
    outcome = styled(f"{result.outcome.value:<8}", result.outcome.value)
    words = f"{result.name}: {result.title}"
    if result.outcome is ExampleOutcome.SKIPPED:
        words += f": {result.reason}"
    elif result.run is not None:
        words += f" ({result.run.seconds:.2f} s)"
    lines = [f"{outcome}  {visible(words)}"]
    for one in result.mismatches:
        lines += mismatch_lines(one, color=color)
    lines += [styled(f"{_INDENT}note: {visible(note)}", "note") for note in _notes(result)]
    return "\n".join(lines) + "\n"


def mismatch_lines(one: Mismatch, *, color: bool = False) -> list[str]:
    """Return the lines of one expectation that was not met, indented."""
    styled = styler(_STYLES, color=color)
    rows = (styled(line, line[:1]) if line[:1] in ("-", "+") else line for line in one.lines)
    return [f"{_INDENT}{one.field}: {visible(one.message)}", *(f"{_INDENT}  {row}" for row in rows)]


def results_summary(results: Sequence[ExampleResult], how: str) -> str:
    """Return the last line: what was run, `how` (a sandbox or not), and the counts."""
    counts = Counter(one.outcome for one in results)
    definitions = len({(one.kind, one.name) for one in results})
    listed = ", ".join(
        f"{counts[outcome]:,} {outcome.value}" for outcome in ExampleOutcome if counts[outcome]
    )
    examples = f"{len(results):,} example{'' if len(results) == 1 else 's'}"
    of = f"{definitions:,} definition{'' if definitions == 1 else 's'}"
    return f"{examples} of {of}, {how}: {listed}\n"


def _notes(result: ExampleResult) -> Sequence[str]:
    return result.run.notes if result.run is not None and not result.run.obstacle else ()
