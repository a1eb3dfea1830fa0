"""Wordings shared by all formats of a comparison."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from registry.changes.compare import GUARDS, Changed, Comparison, What
from registry.changes.table import Level
from registry.model.diff import MISSING

if TYPE_CHECKING:
    from registry.changes.meaning import Meaning

NO_CHANGES = "No relevant changes."


def comparison_summary(comparison: Comparison) -> str:
    """Return the summary, for example `2 definitions changed, 1 removed: 1 breaking, 2 risky, 3 safe.`"""
    guards = sum(one.kind == GUARDS for one in comparison.changed)
    counts = _counts_of_definitions(comparison)
    if guards:
        counts.append(f"{guards:,} setting, schema or template file{'' if guards == 1 else 's'}")
    if not counts:
        return NO_CHANGES
    levels = [f"{comparison.count(level):,} {level.value}" for level in Level if comparison.count(level)]
    return f"{', '.join(counts)}: {', '.join(levels)}."


def _counts_of_definitions(comparison: Comparison) -> list[str]:
    """Return `2 definitions changed`, `1 removed`: only the first one has the noun."""
    happened = [
        (comparison.count(what), what.value)
        for what in (What.CHANGED, What.RENAMED, What.ADDED, What.REMOVED)
        if comparison.count(what)
    ]
    if not happened:
        return []
    (first, word), *others = happened
    noun = f"definition{'' if first == 1 else 's'}"
    return [f"{first:,} {noun} {word}", *(f"{count:,} {word}" for count, word in others)]


def between(comparison: Comparison) -> str:
    """Return the two compared commits."""
    return f"{comparison.base[:12]} → {comparison.head[:12] if comparison.head else 'the work tree'}"


def title(changed: Changed) -> str:
    """Return the kind (unless it is implied), name, id and event of a changed definition."""
    kind = "" if changed.is_kind_implied else f"{changed.kind} "
    number = f" (id {changed.id})" if changed.id is not None else ""
    was = f" from {changed.old_name}" if changed.old_name else ""
    return f"{kind}{changed.name}{number} {changed.what.value}{was}"


def value(found: Any) -> str:
    """Return a value as JSON; a string as it is."""
    if found is MISSING:
        return "(not set)"
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def who(one: Meaning) -> str:
    """Return the parties and what they must do."""
    parties = ", ".join(one.parties)
    return f"{parties}: {one.action}" if parties and one.action else parties or one.action


def affected(changed: Changed, at_most: int = 10) -> str:
    """Return `affects 14 definitions: a, b, …`, or "" if nothing uses the definition."""
    names = changed.affects
    if not names:
        return ""
    listed = ", ".join(names[:at_most]) + (
        f" and {len(names) - at_most} more" if len(names) > at_most else ""
    )
    return f"affects {len(names):,} definition{'' if len(names) == 1 else 's'}: {listed}"
