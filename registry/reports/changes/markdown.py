"""A comparison as Markdown for a pull request comment.

Text of definitions is untrusted and appears only as code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.changes.table import Level
from registry.model.characters import visible
from registry.model.diff import MISSING
from registry.reports.changes.words import (
    NO_CHANGES,
    affected,
    between,
    comparison_summary,
    title,
    value,
    who,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.changes.compare import Changed, Comparison
    from registry.changes.meaning import Meaning

AT_MOST = 60_000
"""Maximum size of a comment in bytes. Forges accept 65,536 characters or more."""
_LONGEST = 600
_SIGNS = {Level.BREAKING: "🛑", Level.RISKY: "⚠️", Level.SAFE: "✅"}


def report(comparison: Comparison, *, width: int = 0, color: bool = False) -> str:
    """Return the summary, then breaking and risky changes, then safe ones folded. Cut at the maximum size."""
    head = (
        f"**{NO_CHANGES if not comparison.changed else comparison_summary(comparison)}** "
        f"<sub>{between(comparison)}</sub>\n"
    )
    if comparison.note:
        head += f"\n{code(comparison.note)}\n"
    return cut(head, sections(comparison))


def sections(comparison: Comparison) -> list[str]:
    """Return a section for each definition with an unsafe change, and one section for all safe changes."""
    severe = [_definition(one, safe=False) for one in comparison.changed if one.level is not Level.SAFE]
    safe = [
        _definition(one, safe=True)
        for one in comparison.changed
        if any(each.level is Level.SAFE for each in one.meanings)
    ]
    return [*severe, *([collapsible(f"{len(safe):,} with safe changes", safe)] if safe else [])]


def cut(head: str, parts: list[str], at_most: int = AT_MOST) -> str:
    """Return the head and as many parts as fit, with a note about the rest."""
    # 200 bytes are for the note about the rest.
    room = at_most - len(head.encode()) - 200
    taken: list[str] = []
    for place, section in enumerate(parts):
        room -= len(section.encode()) + 1
        if room < 0:
            left = len(parts) - place
            taken.append(
                f"… and {left:,} more section{'' if left == 1 else 's'}: too long for a comment. `registry "
                "diff` shows everything.\n"
            )
            break
        taken.append(section)
    return "\n".join([head, *taken])


def _definition(changed: Changed, *, safe: bool) -> str:
    meanings = [one for one in changed.meanings if (one.level is Level.SAFE) is safe]
    lines = [f"### {_SIGNS[meanings[0].level]} {code(title(changed))}\n"]
    facts = [f"owners: {', '.join(code(one) for one in changed.owners)}"] if changed.owners else []
    if changed.affects and not safe:
        facts.append(code(affected(changed)))
    if facts:
        lines.append(" · ".join(facts) + "\n")
    lines += [_meaning(one) for one in meanings]
    return "\n".join(lines) + "\n"


def _meaning(one: Meaning) -> str:
    note = f" ({escaped(one.note)})" if one.note else ""
    lines = [
        f"- **{one.level.value}** {one.rule}{f' {code(one.pointer)}' if one.pointer else ''}: "
        f"{one.title}{note}"
    ]
    if one.level is not Level.SAFE:
        lines.append(f"  <br>{escaped(one.reason)}" + (f". **{escaped(who(one))}**" if who(one) else ""))
    if one.old is not MISSING or one.new is not MISSING:
        lines.append(_fenced(one))
    return "\n".join(lines)


def _fenced(one: Meaning) -> str:
    """Return old and new value as a diff block."""
    rows = [
        f"{sign} {line}"
        for sign, found in (("-", one.old), ("+", one.new))
        if found is not MISSING
        for line in _rows(value(found))
    ]
    return diff_block(rows)


def diff_block(rows: Sequence[str]) -> str:
    """Return lines of untrusted text as a diff block. The fence is longer than any fence inside."""
    longest = max((len(run) for row in rows for run in re.findall(r"`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(f"  {row}" for row in (f"{fence}diff", *rows, fence))


def _rows(text: str) -> list[str]:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
    return [visible(row) for row in shown.split("\n")]


def collapsible(heading: str, parts: list[str]) -> str:
    """Return the parts in a collapsed section."""
    return cut(f"<details><summary>{heading}</summary>\n", parts, AT_MOST // 2) + "\n</details>\n"


def code(text: str) -> str:
    """Return untrusted text on one line as code, without markup, links or mentions."""
    plain = visible(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    # CommonMark removes one space at each end, so that a code span can start or end with a backtick.
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{ticks}{space}{plain}{space}{ticks}" if plain else ""


def escaped(text: str) -> str:
    """Return text that contains untrusted names, with markup, links and mentions escaped."""
    plain = visible(text)
    plain = re.sub(
        r"([\\`*_{}\[\]()#+!|<>~&])",
        lambda found: f"\\{found[1]}" if found[1] not in "<>&" else f"&#{ord(found[1])};",
        plain,
    )
    # Escapes do not stop mentions and bare links; a zero-width space does.
    return plain.replace("@", "@\u200b").replace("://", ":\u200b//")
