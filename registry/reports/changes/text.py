"""A comparison for a terminal, with old and new side by side if there is room."""

from __future__ import annotations

import textwrap
import unicodedata
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from registry.changes.table import Level
from registry.model.characters import visible
from registry.model.diff import MISSING
from registry.reports.ansi import Styled, styler
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
# Columns of a row that have no value: the indentation and the separator.
_MARGIN = 16


def report(comparison: Comparison, *, width: int = 80, color: bool = False) -> str:
    """Return what was compared, each definition with its changes (most severe first), and a summary."""

    styled = styler(_STYLES, color=color)
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
    """Return the old and the new value: on one line, side by side, or one below the other."""
    if one.old is MISSING and one.new is MISSING:
        return []
    old, new = _shown_value(one.old), _shown_value(one.new)
    if len(old) + len(new) + _MARGIN <= width:
        return [f"             {styled(old, 'old')} → {styled(new, 'new')}"]
    if width < _WIDE:
        return [f"           - {styled(old, 'old')}", f"           + {styled(new, 'new')}"]
    return _side_by_side(old, new, (width - _MARGIN) // 2, styled)


def _shown_value(found: Any) -> str:
    """Return a value on one line, cut to a limited length."""
    text = value(found).replace("\n", "⏎")
    return visible(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)")


def _side_by_side(old: str, new: str, room: int, styled: Styled) -> list[str]:
    """Return two columns, each `room` wide."""
    # A cut value may start a row with text that only looks like a command there.
    left, right = ([visible(row) for row in _wrapped(text, room)] for text in (old, new))
    return [
        f"             {styled(_padded(a, room), 'old')} │ {styled(b, 'new')}".rstrip()
        for a, b in zip_longest(left, right, fillvalue="")
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
