"""Problems for a person at a terminal: place, message, the source line with a caret, hint."""

from collections.abc import Callable, Iterable, Sequence

from registry.characters import visible
from registry.credentials import hide_in_line
from registry.errors import Problem, Severity
from registry.reports.line import LineOf

LinkOf = Callable[[str], str | None]
"""The address that explains a rule, or None."""

_STYLES = {"error": "1;31", "warning": "1;33", "place": "1", "soft": "2", "hint": "36"}
_WIDEST = 160


def report(problems: Sequence[Problem], line_of: LineOf, *, color: bool = False, link_of: LinkOf = lambda _rule: None) -> str:
    """All problems and a closing line. With `color`, rules are links (OSC 8) to where `link_of` says, if anywhere."""

    def styled(text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color else text

    # No line is shown with a credential in it, whatever else is wrong with it.
    secret: dict[tuple[str, int], list[Problem]] = {}
    for problem in problems:
        if problem.rule == "X001":
            secret.setdefault((problem.span.path, problem.span.line), []).append(problem)
    parts = []
    for problem in problems:
        span = problem.span
        place = styled(visible(f"{span.path}:{span.line}:{span.column}"), "place")
        kind = styled(problem.severity.value, problem.severity.value)
        link = link_of(problem.rule) if color else None
        rule = f"\x1b]8;;{link}\x1b\\{problem.rule}\x1b]8;;\x1b\\" if link else problem.rule
        lines = [f"{place}: {kind} {rule}: {visible(problem.message)}"]
        source = line_of(span.path, span.line)
        if source is not None:
            source = _masked(source, secret.get((span.path, span.line), ()))
        if source is not None and source.strip():
            lines.extend(styled(line, "soft") for line in _excerpt(source, problem))
        if problem.hint:
            lines.append(f"  {styled('hint:', 'hint')} {visible(problem.hint)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join([*parts, summary(problems) + "\n"])


def _masked(source: str, secrets: Iterable[Problem]) -> str:
    """The line without the values that these problems are about, and as long."""
    for problem in secrets:
        span = problem.span
        start, end = span.column - 1, span.end_column - 1 if span.end_line == span.line else len(source)
        source = source[:start] + "•" * (end - start) + source[end:]
    return source


def _excerpt(source: str, problem: Problem) -> list[str]:
    """The source line and a caret line; long lines are cut around the place."""
    span = problem.span
    start = max(0, span.column - 1 - _WIDEST // 2) if len(source) > _WIDEST else 0
    text = hide_in_line(source)[start : start + _WIDEST].replace("\t", " ")
    column = span.column - 1 - start
    is_one_line = span.end_line == span.line
    width = max(1, min((span.end_column - span.column) if is_one_line else len(text) - column, _WIDEST - column))
    # Escapes make a line longer: the caret goes where the place is in what is shown.
    before = len(visible(text[:column]))
    return [f"  {span.line:5d} | {visible(text)}", f"        | {' ' * before}{'^' * width}"]


def summary(problems: Sequence[Problem]) -> str:
    """How many errors and warnings, in words."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    words = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in ((errors, "error"), (warnings, "warning")) if count]
    return f"{' and '.join(words)}." if words else "No problems."
