"""Problems as JUnit XML, which most CI servers show: one test suite per file, one failed test per error."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from registry.model.characters import visible
from registry.model.problem import Problem, Severity
from registry.reports.line import LineOf, message_and_hint

if TYPE_CHECKING:
    from collections.abc import Sequence


def report(problems: Sequence[Problem], _line_of: LineOf) -> str:
    """Return one `testsuites` element.

    Without problems it has one passed test. Warnings pass, with their text as output.
    """
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    root = ElementTree.Element(
        "testsuites",
        name="registry check",
        tests=str(max(1, len(problems))),
        failures=str(errors),
        errors="0",
    )
    # Some CI servers, such as Jenkins, treat a report without a test as a failure.
    if not problems:
        suite = ElementTree.SubElement(
            root, "testsuite", name="registry check", tests="1", failures="0", errors="0"
        )
        ElementTree.SubElement(suite, "testcase", name="no problems", classname="registry")
    for path, group in groupby(problems, key=lambda problem: problem.span.path):
        found = list(group)
        failures = sum(problem.severity is Severity.ERROR for problem in found)
        suite = ElementTree.SubElement(
            root, "testsuite", name=visible(path), tests=str(len(found)), failures=str(failures), errors="0"
        )
        for problem in found:
            _add(suite, problem)
    return junit_text(root)


def junit_text(root: ElementTree.Element) -> str:
    """Return a `testsuites` element as a document."""
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(suite: ElementTree.Element, problem: Problem) -> None:
    span = problem.span
    # `visible`: XML 1.0 cannot represent control characters.
    place = visible(f"{span.path}:{span.line}:{span.column}")
    name = f"{problem.rule} {span.line}:{span.column}"
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=name,
        classname=visible(span.path),
        file=visible(span.path),
        line=str(span.line),
    )
    text = f"{place}: {message_and_hint(problem)}"
    if problem.severity is Severity.ERROR:
        ElementTree.SubElement(
            case, "failure", type=problem.rule, message=visible(problem.message)
        ).text = text
    else:
        ElementTree.SubElement(case, "system-out").text = f"warning: {text}"
