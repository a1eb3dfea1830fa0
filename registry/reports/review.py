"""Format a whole review: the problems of a change, and its meaning."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from registry.changes.table import Level
from registry.errors import UsageError
from registry.model.characters import visible
from registry.model.problem import Problem, Severity, Span
from registry.reports import github, gitlab
from registry.reports import json as problems_json
from registry.reports import text as problems_text
from registry.reports.changes import json as changes_json
from registry.reports.changes import markdown
from registry.reports.changes import text as changes_text
from registry.reports.changes.words import between, comparison_summary, title, who
from registry.reports.envelope import FORMAT_VERSION, to_text
from registry.reports.trials.review import tried_body, tried_from_json, tried_markdown, tried_text
from registry.review.tried_changes import Comparability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from registry.changes.compare import Comparison
    from registry.reports.line import LineOf
    from registry.review.tried_changes import TriedChange

_MOST_OPEN = 20
MARKER = "<!-- process-registry review -->"
"""First line of the comment on a pull request. The next run finds its comment by it."""
_NOT_COMPARED = "The changes are not classified until the errors are fixed."


@dataclass(frozen=True, slots=True)
class Given:
    """The result of a review. `comparison` is None if errors prevented it.

    `tried` are the examples of changed definitions, None if they were not run. `prefix` is the path from the
    root of the repository to the registry. `width` is in characters. Text for a
    terminal omits warnings if `is_quiet`, and shows at most `at_most_alike` warnings of one rule.
    """

    problems: Sequence[Problem]
    comparison: Comparison | None
    line_of: LineOf
    note: str = ""
    prefix: str = ""
    width: int = 80
    color: bool = False
    is_quiet: bool = False
    at_most_alike: int | None = problems_text.SHOWN_ALIKE
    tried: Sequence[TriedChange] | None = None


def _text(given: Given) -> str:
    """Format for a terminal: the changes first, then the problems."""
    parts = [f"note: {visible(given.note)}\n"] if given.note else []
    parts.append(
        changes_text.report(given.comparison, width=given.width, color=given.color)
        if given.comparison
        else f"{_NOT_COMPARED}\n"
    )
    if given.tried is not None:
        parts.append(tried_text(given.tried, color=given.color))
    shown = (
        [one for one in given.problems if one.severity is Severity.ERROR]
        if given.is_quiet
        else given.problems
    )
    if shown:
        parts.append(
            problems_text.report(shown, given.line_of, color=given.color, at_most_alike=given.at_most_alike)
        )
    return "\n".join(parts)


def _json(given: Given) -> str:
    changes = changes_json.comparison_body(given.comparison) if given.comparison is not None else None
    tried = tried_body(given.tried) if given.tried is not None else None
    problems = problems_json.problems_body(given.problems)
    return to_text({**problems, "note": given.note, "changes": changes, "tried": tried})


def _markdown(given: Given) -> str:
    verdict = problems_text.problem_summary(given.problems)
    compared = given.comparison
    head = [
        MARKER,
        "## Process registry",
        "",
        f"**{verdict}** "
        + (
            f"**{comparison_summary(compared)}** <sub>{between(compared)}</sub>"
            if compared
            else _NOT_COMPARED
        ),
    ]
    if given.note:
        head.append(f"\n{markdown.code(given.note)}")
    problems = [
        f"- **{one.severity.value}** {one.rule} "
        f"{markdown.code(f'{given.prefix}{one.span.path}:{one.span.line}')}: {markdown.escaped(one.message)}"
        + (f" <br>hint: {markdown.escaped(one.hint)}" if one.hint else "")
        for one in given.problems
    ]
    changes = markdown.sections(compared) if compared is not None else []
    findings = ""
    if problems:
        is_long = len(problems) > _MOST_OPEN
        findings = (
            markdown.collapsible(f"{len(problems):,} findings", problems)
            if is_long
            else markdown.cut("", problems, markdown.AT_MOST // 2)
        )
    tried = ""
    if given.tried is not None:
        tried = markdown.cut("", tried_markdown(given.tried), markdown.AT_MOST // 4)
    # If all are too long for a comment, half of it is reserved for the findings.
    room = markdown.AT_MOST - len(findings.encode()) - len(tried.encode())
    rest = "".join(f"{part}\n" for part in (tried, findings) if part)
    return markdown.cut("\n".join(head) + "\n", changes, room) + rest


def _github(given: Given) -> str:
    """Return annotations: the problems, and a warning or notice for each change that is not safe."""
    moved = [
        replace(one, span=one.span._replace(path=given.prefix + one.span.path)) for one in given.problems
    ]
    text = github.report(moved, given.line_of)
    for changed in given.comparison.changed if given.comparison else ():
        for one in changed.meanings:
            if one.level is not Level.SAFE:
                command = "warning" if one.level is Level.BREAKING else "notice"
                words = f"{one.level.value}: {one.title} ({one.rule}). {one.reason}. {who(one)}".rstrip()
                facts: dict[str, str | int] = {
                    "file": given.prefix + changed.path,
                    "line": changed.lines.get(one.pointer, 1),
                    "title": f"{title(changed)} {one.pointer}".rstrip()[:200],
                }
                text += github.annotation(command, facts, words) + "\n"
    return text + "".join(_tried_annotations(given))


def _tried_annotations(given: Given) -> Iterator[str]:
    """Yield an annotation for each example that fails or has another outcome."""
    for change in given.tried or ():
        for one in change.examples:
            if one.mismatches or one.verdict is Comparability.DIFFERENT:
                facts: dict[str, str | int] = {
                    "file": given.prefix + change.path,
                    "line": 1,
                    "title": f"{change.title} tried"[:200],
                }
                why = "; ".join(f"{each.field}: {each.message}" for each in one.mismatches)
                words = why or f"another outcome: {one.before} → {one.after}"
                command = "error" if one.mismatches else "warning"
                yield github.annotation(command, facts, f"{one.title}: {words}") + "\n"


def _gitlab(given: Given) -> str:
    """Return a code quality report: the problems, and each change that is not safe as an issue."""
    found = [*given.problems, *_grave_changes(given.comparison)]
    return gitlab.report(
        [replace(one, span=one.span._replace(path=given.prefix + one.span.path)) for one in found],
        given.line_of,
    )


def _grave_changes(comparison: Comparison | None) -> Iterator[Problem]:
    for changed in comparison.changed if comparison else ():
        for one in changed.meanings:
            if one.level is not Level.SAFE:
                # Only the line is known: the range is its first character.
                line = changed.lines.get(one.pointer, 1)
                message = f"{one.level.value}: {title(changed)}: {one.title}. {one.reason}"
                yield Problem(
                    one.rule,
                    Severity.WARNING,
                    Span(changed.path, line, 1, line, 2),
                    message,
                    who(one),
                    one.pointer,
                )


REVIEW_FORMATS: dict[str, Callable[[Given], str]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
    "github": _github,
    "gitlab": _gitlab,
}


# Parsing a report. It may come from an untrusted fork: invalid reports are rejected, and titles, actions and
# markup are not taken from the report but from the table and the formats here.

_RULE = re.compile(r"[A-Z]{1,8}[0-9]{3}")


def review_from_json(data: bytes) -> Given:
    """Parse the output of `--format json`. Raises UsageError for anything else."""
    try:
        body: Any = json.loads(data)
        if body.get("format_version", FORMAT_VERSION) != FORMAT_VERSION:
            raise UsageError(
                "another version wrote this report",
                "use the same version for `registry review` and `registry comment`",
            )
        problems = tuple(_problem(one) for one in body["problems"])
        comparison = (
            changes_json.comparison_from_json(body["changes"]) if body["changes"] is not None else None
        )
        tried = tried_from_json(body["tried"]) if body.get("tried") is not None else None
        note = body["note"]
        if not isinstance(note, str):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            "this is not a report of `registry review --format json`", "name the file that this command wrote"
        ) from error
    # No source lines: the files next to this program are not those of the report.
    return Given(problems, comparison, lambda _path, _line: None, note[:500], tried=tried)


def _problem(one: Any) -> Problem:
    texts = [one[key] for key in ("rule", "path", "message", "hint", "pointer")]
    numbers = [one[key] for key in ("line", "column", "end_line", "end_column")]
    if (
        not all(isinstance(text, str) for text in texts)
        or not all(type(number) is int for number in numbers)
        or not _RULE.fullmatch(texts[0])
    ):
        raise TypeError
    rule, path, message, hint, pointer = texts
    return Problem(
        rule, Severity(one["severity"]), Span(path[:500], *numbers), message[:1000], hint[:1000], pointer
    )
