"""Changes that weaken the checks themselves: settings and exceptions; `schema_guards` has the schemas. Pure.

They are reported so that a change cannot pass unnoticed by weakening what checks it. Stricter rules, new
kinds and new keys are not reported.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from registry.changes.meaning import Meaning, meaning
from registry.changes.table import TABLE, Party
from registry.check.families import RULES
from registry.check.plugins import plugin_rules
from registry.load.settings import CHANGE_LEVELS, IGNORE, LEVELS, Settings
from registry.model.diff import MISSING
from registry.model.pointer import pointer_of
from registry.model.rule_exceptions import exceptions_in
from registry.model.values import map_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_FAIL_ON = ("safe", "risky", "breaking", "never")


def loosened_settings(old: Settings, new: Settings) -> Iterator[Meaning]:
    """Yield lowered severities and levels, higher `fail_on` limits, and removed `compat` clients."""
    yield from _levels(old, new)
    yield from _limits(old, new)
    for client in sorted(set(old.compat) - set(new.compat)):
        yield meaning(
            "C202",
            "/compat",
            list(old.compat),
            list(new.compat),
            more=f"definitions are no longer checked for {client}",
        )


def _limits(old: Settings, new: Settings) -> Iterator[Meaning]:
    """Yield each limit of `fail_on` that fewer changes reach than before."""
    for folder in ("", *sorted(_folders_of_limits(old) | _folders_of_limits(new))):
        for party in Party:
            if folder and not (_sets_limit(old, folder, party) or _sets_limit(new, folder, party)):
                continue  # inherited: reported where it is set
            before, after = (one.fails_from(party, _name_in(folder)) or "never" for one in (old, new))
            if _FAIL_ON.index(after) > _FAIL_ON.index(before):
                steps = ("fail_on", folder, party.value) if folder else ("fail_on", party.value)
                yield meaning("C202", pointer_of(steps), before, after, more="fewer changes fail a review")


def _folders_of_limits(settings: Settings) -> set[str]:
    return {key.strip("/") for key, value in settings.fail_on.items() if isinstance(value, dict)}


def _sets_limit(settings: Settings, folder: str, party: Party) -> bool:
    return party in map_of(settings.fail_on.get(folder) or settings.fail_on.get(f"{folder}/"))


def _levels(old: Settings, new: Settings) -> Iterator[Meaning]:
    """Yield each level of a rule, everywhere ("") or in a folder, that is less severe than before."""
    rules = {rule for one in (old, new) for levels in (one.rules, *one.folders.values()) for rule in levels}
    folders = ("", *sorted({*old.folders, *new.folders}))
    for rule, folder in product(sorted(rules), folders):
        if folder and not any(rule in one.folders.get(folder, {}) for one in (old, new)):
            continue  # inherited: reported where it is set
        before, after = (one.level_of(rule, _name_in(folder)) or _default(rule) for one in (old, new))
        if _is_less_severe(rule, before, after):
            steps = ("folders", folder, rule) if folder else ("rules", rule)
            yield meaning("C202", pointer_of(steps), before, after, more=f"{rule} is less severe")


def _is_less_severe(rule: str, before: str, after: str) -> bool:
    order = CHANGE_LEVELS if rule in TABLE else LEVELS
    # Settings may name a level of the other scale, which the settings check reports.
    return {before, after} <= {*order} and order.index(after) > order.index(before)


def _name_in(folder: str) -> str:
    """Return the name of a definition to which the settings of a folder apply."""
    return f"{folder}/x" if folder else ""


def _default(rule: str) -> str:
    if rule in TABLE:
        return TABLE[rule].level.value
    found = next((one for one in (*RULES, *plugin_rules()) if one.id == rule), None)
    return IGNORE if found is None or found.is_opt_in else found.severity.value


def new_exceptions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Meaning]:
    """Yield exceptions that a definition did not have before, or that cover more than before."""
    before = list(exceptions_in(dict(old)))
    for one in exceptions_in(dict(new)):
        if not any(other.covers(one.rule, one.steps) for other in before):
            where = pointer_of(one.steps) or "the whole file"
            yield meaning(
                "C205",
                f"/ignore/{one.place}",
                MISSING,
                new["ignore"][one.place],
                more=f"{one.rule} is no longer reported for {where}",
            )
