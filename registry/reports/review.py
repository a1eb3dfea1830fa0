"""A whole review: the problems of a change, and what it means."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from registry.changes import Comparison, Level
from registry.errors import Problem
from registry.reports import github
from registry.reports import json as problems_json
from registry.reports import text as problems_text
from registry.reports.changes import json as changes_json
from registry.reports.changes import markdown
from registry.reports.changes import text as changes_text
from registry.reports.changes.words import between, summary, title, who
from registry.reports.line import LineOf

MARKER = "<!-- process-registry review -->"
"""Opens the comment on a pull request, by which the next run finds it again."""
_NOT_COMPARED = "What it means cannot be said before its errors are mended."


@dataclass(frozen=True, slots=True)
class Given:
    """What a review found. `comparison` is None where errors stood against one; `prefix` leads from the top of the
    repository to the registry; `width` in characters.
    """

    problems: Sequence[Problem]
    comparison: Comparison | None
    line_of: LineOf
    note: str = ""
    prefix: str = ""
    width: int = 80
    color: bool = False


def _text(given: Given) -> str:
    parts = [f"note: {given.note}\n"] if given.note else []
    if given.problems:
        parts.append(problems_text.report(given.problems, given.line_of, color=given.color))
    parts.append(changes_text.report(given.comparison, width=given.width, color=given.color) if given.comparison else f"{_NOT_COMPARED}\n")
    return "\n".join(parts)


def _json(given: Given) -> str:
    body = json.loads(problems_json.report(given.problems))
    changes = changes_json.body(given.comparison) if given.comparison is not None else None
    return json.dumps({**body, "note": given.note, "changes": changes}, ensure_ascii=True, indent=2) + "\n"


def _markdown(given: Given) -> str:
    verdict = problems_text.summary(given.problems)
    compared = given.comparison
    head = [
        MARKER,
        "## Process registry",
        "",
        f"**{verdict}** " + (f"**{summary(compared)}** <sub>{between(compared)}</sub>" if compared else _NOT_COMPARED),
    ]
    if given.note:
        head.append(f"\n{markdown.code(given.note)}")
    problems = [
        f"- **{one.severity.value}** {one.rule} {markdown.code(f'{given.prefix}{one.span.path}:{one.span.line}')}: {markdown.escaped(one.message)}"
        + (f" <br>hint: {markdown.escaped(one.hint)}" if one.hint else "")
        for one in given.problems
    ]
    changes = markdown.sections(compared) if compared is not None else []
    listed = markdown.folded(f"{len(problems):,} findings", problems) if len(problems) > 20 else "\n".join(problems)
    return markdown.cut("\n".join(head) + "\n", [*([listed + "\n"] if problems else []), *changes])


def _github(given: Given) -> str:
    """Annotations: the problems, and a warning or notice for each change that is not safe, on its line."""
    moved = [replace(one, span=one.span._replace(path=given.prefix + one.span.path)) for one in given.problems]
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
    return text


FORMATS: dict[str, Callable[[Given], str]] = {"text": _text, "markdown": _markdown, "json": _json, "github": _github}
