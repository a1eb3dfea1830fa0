"""Results of examples as JUnit XML: one test suite per definition, one test per example."""

from __future__ import annotations

from itertools import groupby
from textwrap import dedent
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from registry.execution.examples import ExampleOutcome
from registry.model.characters import visible
from registry.reports.junit import junit_text
from registry.reports.trials.text import mismatch_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from registry.execution.examples import ExampleResult


def results_report(results: Sequence[ExampleResult]) -> str:
    """Return one `testsuites` element."""
    root = ElementTree.Element("testsuites", {"name": "registry try", **_counts(results)})
    for path, group in groupby(results, key=lambda one: one.path):
        found = list(group)
        suite = ElementTree.SubElement(root, "testsuite", {"name": visible(path), **_counts(found)})
        for one in found:
            _add_case(suite, one)
    return junit_text(root)


def _counts(results: Iterable[ExampleResult]) -> dict[str, str]:
    outcomes = [one.outcome for one in results]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count(ExampleOutcome.FAILED)),
        "errors": "0",
        "skipped": str(outcomes.count(ExampleOutcome.SKIPPED)),
    }


def _add_case(suite: ElementTree.Element, one: ExampleResult) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=visible(one.title),
        classname=visible(f"{one.kind}.{one.name}"),
        file=visible(one.path),
        time=f"{one.run.seconds:.3f}" if one.run is not None else "0",
    )
    if one.outcome is ExampleOutcome.SKIPPED:
        ElementTree.SubElement(case, "skipped", message=visible(one.reason))
    for mismatch in one.mismatches:
        failure = ElementTree.SubElement(
            case, "failure", type=mismatch.field, message=visible(mismatch.message)
        )
        failure.text = dedent("\n".join(mismatch_lines(mismatch)))
