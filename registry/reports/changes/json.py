"""A comparison as JSON. The schema is `diff.schema.json` in this folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from registry.changes.compare import Changed, Comparison, What
from registry.changes.meaning import Meaning
from registry.changes.table import TABLE, Level, Party
from registry.load.settings import Settings
from registry.model.diff import MISSING
from registry.reports.envelope import to_text

SCHEMA = Path(__file__).with_name("diff.schema.json")


def report(comparison: Comparison, *, width: int = 0, color: bool = False) -> str:
    """Return JSON text."""
    return to_text(comparison_body(comparison))


def comparison_body(comparison: Comparison) -> dict[str, Any]:
    """Return the JSON data. A missing value is omitted, because `null` is a value."""
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


def comparison_from_json(data: Any) -> Comparison:
    """Parse the result of `body`. Titles and actions come from the table, not from the data.

    Raises ValueError, KeyError or TypeError for invalid data.
    """
    import jsonschema_rs

    if not jsonschema_rs.is_valid(json.loads(SCHEMA.read_text(encoding="utf-8")), data):
        raise ValueError("does not match diff.schema.json")
    commits = [one for one in (data["base"], data["head"]) if one is not None]
    if not all(re.fullmatch("[0-9a-f]{40,64}", one) for one in commits):
        raise ValueError("no commit")
    changed = tuple(
        Changed(
            What(one["what"]),
            one["kind"],
            one["id"],
            one["name"],
            one["old_name"] or "",
            one["path"],
            tuple(one["owners"]),
            tuple(_meaning(each) for each in one["changes"]),
            tuple(one["affects"]),
        )
        for one in data["definitions"]
    )
    return Comparison(data["base"], data["head"], changed, Settings(), data["note"])


def _meaning(one: dict[str, Any]) -> Meaning:
    if one["rule"] not in TABLE:
        raise ValueError("unknown rule")
    parties = tuple(Party(party) for party in one["parties"])
    return Meaning(
        one["rule"],
        Level(one["level"]),
        parties,
        one["pointer"],
        one.get("old", MISSING),
        one.get("new", MISSING),
        one["reason"][:1000],
        one["note"][:200],
    )
