"""A comparison for programs; its form is `diff.schema.json` beside this file."""

import json
from pathlib import Path
from typing import Any

from registry.changes import Changed, Comparison, Level, What
from registry.diff import MISSING

SCHEMA = Path(__file__).with_name("diff.schema.json")


def report(comparison: Comparison, *, width: int = 0, color: bool = False) -> str:
    """One JSON object."""
    return json.dumps(body(comparison), ensure_ascii=True, indent=2) + "\n"


def body(comparison: Comparison) -> dict[str, Any]:
    """The same as data. A value that is not there is left out: `null` is a value."""
    counts = {each.value: comparison.count(each) for each in (*What, *Level)}
    return {
        "base": comparison.base,
        "head": comparison.head,
        "note": comparison.note,
        "summary": counts,
        "definitions": [_definition(changed) for changed in comparison.changed],
    }


def _definition(changed: Changed) -> dict[str, Any]:
    return {
        "what": changed.what.value,
        "kind": changed.kind,
        "id": changed.id,
        "name": changed.name,
        "old_name": changed.old_name or None,
        "path": changed.path,
        "owners": list(changed.owners),
        "level": changed.level.value,
        "affects": list(changed.affects),
        "changes": [
            {
                "rule": one.rule,
                "level": one.level.value,
                "parties": [party.value for party in one.parties],
                "pointer": one.pointer,
                **({} if one.old is MISSING else {"old": one.old}),
                **({} if one.new is MISSING else {"new": one.new}),
                "line": changed.lines.get(one.pointer),
                "title": one.title,
                "reason": one.reason,
                "action": one.action,
                "note": one.note,
            }
            for one in changed.meanings
        ],
    }
