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
    if not comparison.changed:
        return NO_CHANGES
    happened = [
        (comparison.count(what), what.value)
        for what in (What.CHANGED, What.RENAMED, What.ADDED, What.REMOVED)
    ]
    counts = [f"{count:,} {word}" for count, word in happened if count]
    guards = sum(one.kind == GUARDS for one in comparison.changed)
    if guards:
        counts.append(f"{guards:,} setting, schema or template file{'' if guards == 1 else 's'}")
    elif not counts:
        return NO_CHANGES
    if any(count for count, _ in happened):
        counts[0] = counts[0].replace(" ", f" definition{'' if counts[0].startswith('1 ') else 's'} ", 1)
    levels = [f"{comparison.count(level):,} {level.value}" for level in Level if comparison.count(level)]
    return f"{', '.join(counts)}: {', '.join(levels)}."


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
