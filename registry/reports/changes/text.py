"""A comparison for a terminal, with old and new side by side if there is room."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from registry.changes.table import Level
from registry.model.characters import visible
from registry.model.diff import MISSING
from registry.reports.changes.words import affected, between, comparison_summary, title, value, who

if TYPE_CHECKING:
    from registry.changes.compare import Changed, Comparison
    from registry.changes.meaning import Meaning

_STYLES = {
    "breaking": "1;31",
    "risky": "1;33",
    "safe": "32",
    "title": "1",
    "soft": "2",
    "old": "31",
    "new": "32",
}
_WIDE = 140
_LONGEST = 400
Styled = Callable[[str, str], str]


def report(comparison: Comparison, *, width: int = 80, color: bool = False) -> str:
    """Return what was compared, each definition with its changes (most severe first), and a summary."""

    def styled(text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color else text

    parts = [styled(between(comparison), "soft") + "\n"]
    if comparison.note:
        parts.append(f"note: {visible(comparison.note)}\n")
    parts += [_definition(changed, width, styled) for changed in comparison.changed]
    return "\n".join([*parts, comparison_summary(comparison) + "\n"])


def _definition(changed: Changed, width: int, styled: Styled) -> str:
    lines = [styled(visible(title(changed)), "title")]
    if changed.owners:
        lines.append(styled(f"  owners: {visible(', '.join(changed.owners))}", "soft"))
    if changed.affects:
        lines.append(f"  {visible(affected(changed))}")
    for one in changed.meanings:
        place = f" {visible(one.pointer)}" if one.pointer else ""
        note = f" ({visible(one.note)})" if one.note else ""
        lines.append(
            f"  {styled(f'{one.level.value:<8}', one.level.value)} {one.rule}{place}: {one.title}{note}"
        )
        lines.extend(_values(one, width, styled))
        if one.level is not Level.SAFE:
            lines.append(f"             {visible(one.reason)}")
            if who(one):
                lines.append(f"             {styled(who(one), 'soft')}")
    return "\n".join(lines) + "\n"


def _values(one: Meaning, width: int, styled: Styled) -> list[str]:
    if one.old is MISSING and one.new is MISSING:
        return []
    old, new = (value(found).replace("\n", "⏎") for found in (one.old, one.new))
    old, new = (
        text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
        for text in (old, new)
    )
    old, new = visible(old), visible(new)
    if len(old) + len(new) + 16 <= width:
        return [f"             {styled(old, 'old')} → {styled(new, 'new')}"]
    if width < _WIDE:
        return [f"           - {styled(old, 'old')}", f"           + {styled(new, 'new')}"]
    room = (width - 16) // 2
    # A cut value may start a row with text that only looks like a command there.
    columns = [[visible(row) for row in _wrapped(text, room)] for text in (old, new)]
    rows = max(map(len, columns))
    left, right = ([*column, *[""] * (rows - len(column))] for column in columns)
    return [
        f"             {styled(_padded(a, room), 'old')} │ {styled(b, 'new')}".rstrip()
        for a, b in zip(left, right, strict=True)
    ]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, drop_whitespace=False) or [""]


def _padded(text: str, width: int) -> str:
    """Pad to `width` terminal columns; some characters take two."""
    taken = sum(
        2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1
        for char in text
    )
    return text + " " * max(0, width - taken)
