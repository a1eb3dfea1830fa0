"""Problems for a terminal: location, message, source line with a caret, hint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from registry.credentials import hide_in_line
from registry.model.characters import visible
from registry.model.problem import Problem, Severity
from registry.reports.ansi import Styled, styler

if TYPE_CHECKING:
    from registry.reports.line import LineOf

LinkOf = Callable[[str], str | None]
"""Returns the URL of the documentation of a rule, or None."""

_STYLES = {"error": "1;31", "warning": "1;33", "place": "1", "soft": "2", "hint": "36"}
_WIDEST = 160

SHOWN_ALIKE = 3
"""Number of warnings of one rule that are shown in full; the others are counted."""


def report(
    problems: Sequence[Problem],
    line_of: LineOf,
    *,
    color: bool = False,
    link_of: LinkOf = lambda _rule: None,
    at_most_alike: int | None = SHOWN_ALIKE,
) -> str:
    """Return errors by location, then warnings grouped by rule with their count, and a summary.

    Of the warnings of one rule `at_most_alike` are shown in full (None: all). With `color`, rules are links
    (OSC 8) to where `link_of` says, if anywhere.
    """
    styled = styler(_STYLES, color=color)
    safe_line = _safe_lines(problems, line_of)

    def shown(problem: Problem) -> str:
        span = problem.span
        source = safe_line(span.path, span.line)
        link = link_of(problem.rule) if color else None
        lines = [_headline(problem, link, styled)]
        if source is not None and source.strip():
            lines.extend(styled(line, "soft") for line in _excerpt(source, problem))
        if problem.hint:
            lines.append(f"  {styled('hint:', 'hint')} {visible(problem.hint)}")
        return "\n".join(lines) + "\n"

    parts = [shown(problem) for problem in problems if problem.severity is Severity.ERROR]
    for alike in _warnings_by_rule(problems).values():
        in_full = alike[:at_most_alike]
        parts += [shown(problem) for problem in in_full]
        if len(in_full) < len(alike):
            parts.append(styled(_hidden(alike, len(alike) - len(in_full)), "soft") + "\n")
    return "\n".join([*parts, problem_summary(problems) + "\n"])


def _safe_lines(problems: Iterable[Problem], line_of: LineOf) -> LineOf:
    """Return a function like `line_of` that masks the credentials in each line.

    These are the values that a problem reports as a credential, and all others that look like one, whatever
    the problem of the line is.
    """
    secret: dict[tuple[str, int], list[Problem]] = {}
    for problem in problems:
        if problem.rule == "X001":
            secret.setdefault((problem.span.path, problem.span.line), []).append(problem)

    # One long line can have thousands of problems; it is masked once.
    @lru_cache(maxsize=16)
    def safe_line(path: str, line: int) -> str | None:
        source = line_of(path, line)
        return None if source is None else hide_in_line(_masked(source, secret.get((path, line), ())))

    return safe_line


def _headline(problem: Problem, link: str | None, styled: Styled) -> str:
    """Return location, severity, rule (a link if there is one) and message."""
    span = problem.span
    place = styled(visible(f"{span.path}:{span.line}:{span.column}"), "place")
    severity = styled(problem.severity.value, problem.severity.value)
    rule = f"\x1b]8;;{link}\x1b\\{problem.rule}\x1b]8;;\x1b\\" if link else problem.rule
    return f"{place}: {severity} {rule}: {visible(problem.message)}"


def _hidden(alike: Sequence[Problem], more: int) -> str:
    """Describe the warnings of one rule that are not shown, `more` of those `alike`."""
    files = len({problem.span.path for problem in alike})
    return (
        f"… and {more:,} more warning{'' if more == 1 else 's'} {alike[0].rule}, {len(alike):,} in {files:,} "
        f"file{'' if files == 1 else 's'} in total"
    )


def _warnings_by_rule(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Group warnings by rule, in order of first appearance."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.severity is Severity.WARNING:
            found.setdefault(problem.rule, []).append(problem)
    return found


def _masked(source: str, secrets: Iterable[Problem]) -> str:
    """Return the line with the values of these problems masked, at the same length."""
    shown = list(source)
    for problem in secrets:
        span = problem.span
        end = span.end_column - 1 if span.end_line == span.line else len(shown)
        places = range(*slice(span.column - 1, end).indices(len(shown)))
        shown[places.start : places.start + len(places)] = "•" * len(places)
    return "".join(shown)


def _excerpt(source: str, problem: Problem) -> list[str]:
    """Return the source line, which is safe to show, and a caret line. Long lines are cut around the
    location."""
    span = problem.span
    start = max(0, span.column - 1 - _WIDEST // 2) if len(source) > _WIDEST else 0
    text = source[start : start + _WIDEST].replace("\t", " ")
    column = span.column - 1 - start
    is_one_line = span.end_line == span.line
    width = max(
        1, min((span.end_column - span.column) if is_one_line else len(text) - column, _WIDEST - column)
    )
    # Escapes make a line longer, so the caret position is computed in the displayed text.
    before = len(visible(text[:column]))
    return [f"  {span.line:5d} | {visible(text)}", f"        | {' ' * before}{'^' * width}"]


def problem_summary(problems: Sequence[Problem]) -> str:
    """Return the number of errors and warnings as text."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    words = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    return f"{' and '.join(words)}." if words else "No problems."
