"""What running the examples of changed definitions showed, as parts of the report of a review."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from registry.changes.table import Party
from registry.credentials import hide_in_line
from registry.execution.examples import Mismatch
from registry.model.characters import visible
from registry.reports.ansi import styler
from registry.reports.changes import markdown
from registry.reports.trials.json import mismatch_body
from registry.reports.trials.text import mismatch_lines
from registry.review.tried_changes import Comparability, TriedChange, TriedExample, count_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STYLES = {"title": "1", "soft": "2", "different": "1;33", "failed": "1;31", "-": "31", "+": "32"}
_LONGEST = 1_000
_MOST_LINES = 60
_SIGNS = {"failed": "🛑", "different": "⚠️"}


def tried_summary(tried: Sequence[TriedChange]) -> str:
    """Return `Tried 3 examples of 2 changed definitions: 1 different, 1 failed, 1 not run.`"""
    if not tried:
        return "No changed definition has examples."
    examples = [one for change in tried for one in change.examples]
    failed = sum(bool(one.mismatches) for one in examples)
    counts = [(count_verdicts(tried, verdict), verdict.value) for verdict in Comparability]
    listed = ", ".join(f"{count:,} {word}" for count, word in [*counts, (failed, "failed")] if count)
    definitions = f"{len(tried):,} changed definition{'' if len(tried) == 1 else 's'}"
    return f"Tried {len(examples):,} example{'' if len(examples) == 1 else 's'} of {definitions}: {listed}."


def tried_text(tried: Sequence[TriedChange], *, color: bool) -> str:
    """Return the summary, and each change with its examples, for a terminal."""
    styled = styler(_STYLES, color=color)
    parts = []
    for change in tried:
        lines = [styled(visible(change.title), "title")]
        if facts := _facts(change, str):
            lines.append(styled(f"  {visible(facts)}", "soft"))
        for one in change.examples:
            word = _word(one)
            shown = styled(f"{word:<9}", word) if word in _STYLES else f"{word:<9}"
            lines.append(f"  {shown}  {visible(_sentence(one))}")
            rows = (styled(line, line[:1]) if line[:1] in ("-", "+") else line for line in _shown(one.lines))
            lines += [f"             {row}" for row in rows]
            for each in _without_repetition(one):
                lines += [f"   {line}" for line in mismatch_lines(each, color=color)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join([*parts, tried_summary(tried) + "\n"])


def tried_markdown(tried: Sequence[TriedChange]) -> list[str]:
    """Return a section with the summary, and one for each change that has another outcome or fails."""
    sections = [f"**{tried_summary(tried)}**\n"]
    quiet = []
    for change in tried:
        words = {_word(one) for one in change.examples}
        sign = next((sign for word, sign in _SIGNS.items() if word in words), "")
        section = _markdown_section(change, sign)
        if sign:
            sections.append(section)
        else:
            quiet.append(section)
    if quiet:
        sections.append(
            markdown.collapsible(f"{len(quiet):,} tried with the same outcome, or not run", quiet)
        )
    return sections


def _markdown_section(change: TriedChange, sign: str) -> str:
    lines = [f"### {sign} {markdown.code(f'{change.title} tried')}\n"]
    if facts := _facts(change, markdown.code):
        lines.append(f"{facts}\n")
    for one in change.examples:
        lines.append(f"- **{_word(one)}** {markdown.code(_sentence(one))}")
        if one.lines:
            lines.append(markdown.diff_block(_shown(one.lines)))
        for each in _without_repetition(one):
            lines.append(f"  <br>{markdown.escaped(f'{each.field}: {each.message}')}")
            if each.lines:
                lines.append(markdown.diff_block(_shown(each.lines)))
    return "\n".join(lines) + "\n"


def _without_repetition(one: TriedExample) -> list[Mismatch]:
    """Return the mismatches of an example; without a difference that is that of the two outputs, too."""
    return [replace(each, lines=()) if each.lines == one.lines else each for each in one.mismatches]


def _word(one: TriedExample) -> str:
    return "failed" if one.mismatches else one.verdict.value


def _sentence(one: TriedExample) -> str:
    outcome = f"{one.before} → {one.after}" if one.before and one.before != one.after else one.after
    if one.verdict is Comparability.DIFFERENT and one.before == one.after:
        outcome = f"{one.after}, another output"
    if one.verdict is Comparability.UNSTABLE:
        outcome += " (the old definition itself gives another output each time)"
    return f"{one.title}: " + "; ".join(part for part in (outcome, one.reason) if part)


def _facts(change: TriedChange, show: Callable[[str], str]) -> str:
    """Return whom another outcome concerns: owners, definitions that use it, and parties."""
    used = ", ".join(change.affects[:10])
    more = f" and {len(change.affects) - 10} more" if len(change.affects) > 10 else ""
    facts = (
        ("owners", ", ".join(change.owners)),
        ("used by", f"{used}{more}"),
        ("concerns", "; ".join(f"{party.value} ({party.people})" for party in change.parties)),
    )
    return " · ".join(f"{label}: {show(words)}" for label, words in facts if words)


def _shown(lines: Sequence[str]) -> list[str]:
    """Return lines of output for a report that others read."""
    return [hide_in_line(visible(line)) for line in lines]


def tried_body(tried: Sequence[TriedChange]) -> list[dict[str, Any]]:
    """Return the JSON data."""
    return [
        {
            "title": change.title,
            "path": change.path,
            "owners": list(change.owners),
            "affects": list(change.affects),
            "parties": [party.value for party in change.parties],
            "examples": [
                {
                    "title": one.title,
                    "verdict": one.verdict.value,
                    "before": one.before,
                    "after": one.after,
                    "lines": _shown(one.lines),
                    "mismatches": [
                        {**mismatch_body(each), "lines": _shown(each.lines)} for each in one.mismatches
                    ],
                    "reason": one.reason,
                }
                for one in change.examples
            ],
        }
        for change in tried
    ]


def tried_from_json(data: Any) -> tuple[TriedChange, ...]:
    """Parse the result of `tried_body`, which may come from an untrusted job.

    Raises ValueError, KeyError or TypeError for anything else.
    """
    return tuple(
        TriedChange(
            _text(change["title"]),
            _text(change["path"]),
            _texts(change["owners"]),
            _texts(change["affects"]),
            tuple(Party(party) for party in change["parties"]),
            tuple(_example_from_json(one) for one in change["examples"]),
        )
        for change in data
    )


def _example_from_json(one: Any) -> TriedExample:
    return TriedExample(
        _text(one["title"]),
        Comparability(one["verdict"]),
        _text(one["before"]),
        _text(one["after"]),
        _texts(one["lines"]),
        tuple(
            Mismatch(_text(each["field"]), _text(each["message"]), _texts(each["lines"]))
            for each in one["mismatches"]
        ),
        _text(one["reason"]),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(_text(one) for one in value[:_MOST_LINES])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value[:_LONGEST]
