"""The change rules `machine`: the meaning of changes to its images by site, and to how it is set up.

A kind uses them by naming `machine` in the `rules` of its schema's `x-registry` block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.changes.meaning import Meaning, meaning
from registry.model.diff import MISSING, Change, diff, same
from registry.model.pointer import escape_step
from registry.model.values import map_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def machine_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Meaning]:
    """Yield the meaning of each changed field between two `definition` values."""
    for key in dict.fromkeys((*old, *new)):
        change = Change(f"/definition/{escape_step(key)}", old.get(key, MISSING), new.get(key, MISSING))
        if same(change.old, change.new):
            continue
        if key == "mappings":
            yield from _mappings(change)
        elif key == "contextualization":
            yield from _contextualization(change)
        else:
            yield meaning("C199" if key.startswith("x-") else "C198", *change)


def _mappings(change: Change) -> Iterator[Meaning]:
    before, after = map_of(change.old), map_of(change.new)
    for site in dict.fromkeys((*before, *after)):
        pointer = f"{change.pointer}/{escape_step(site)}"
        if site not in after:
            yield meaning("C121", pointer, before[site], MISSING, more=f"it was {site}")
        elif site not in before:
            yield meaning("C124", pointer, MISSING, after[site])
        else:
            for one in diff(before[site], after[site]):
                is_own = one.pointer.startswith("/x-")
                yield meaning("C199" if is_own else "C122", pointer + one.pointer, one.old, one.new)


def _contextualization(change: Change) -> Iterator[Meaning]:
    before, after = map_of(change.old), map_of(change.new)
    if before.get("method") != after.get("method") or bool(before) != bool(after):
        yield meaning(
            "C123", f"{change.pointer}/method", before.get("method", MISSING), after.get("method", MISSING)
        )
    for one in diff(before, after):
        if one.pointer != "/method":
            yield meaning("C122", change.pointer + one.pointer, one.old, one.new)
