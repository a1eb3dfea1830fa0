"""The change rules `process`: the meaning of changes inside `definition` of a program that a host runs.

A kind uses them by naming `process` in the `rules` of its schema's `x-registry` block.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from registry.changes.adapters import PARTY, AdapterContext, adapter_changes, params_of
from registry.changes.meaning import Meaning, meaning
from registry.check.fields import changes_loading
from registry.check.placeholders import PLACEHOLDERS
from registry.credentials import credential_in
from registry.model.diff import MISSING, Change, diff, same
from registry.model.host_variable import host_variable
from registry.model.pointer import escape_step, steps_of
from registry.model.values import list_of, map_of, text_of

SHELLS = frozenset(
    ("sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "cmd.exe", "powershell", "pwsh")
)
_OTHERS_WRITE = re.compile(r"/(?:tmp|var/tmp|dev/shm)(?:/|\Z)")
# Pairs of arguments. More take hours to compare in order.
_MOST_COMPARED = 250_000
_DEFAULT_PROCESS_TYPE = "single"
SiteNames = Callable[[Any], tuple[str, ...]]
"""Returns the names of the sites of an application, or () if it does not exist."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Context of a comparison: application sites on both sides, known adapter types, and `compat` clients."""

    sites_before: SiteNames = lambda _name: ()
    sites_after: SiteNames = lambda _name: ()
    adapter_types: frozenset[str] = frozenset()
    compat: frozenset[str] = frozenset()


class _FieldChange(NamedTuple):
    """A changed field of `definition`, with the whole of its old and new value: fields depend on others."""

    change: Change
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    around: Surroundings


def process_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], around: Surroundings
) -> Iterator[Meaning]:
    """Yield the meaning of each changed field between two `definition` values."""
    for key in dict.fromkeys((*old, *new)):
        change = Change(f"/definition/{escape_step(key)}", old.get(key, MISSING), new.get(key, MISSING))
        if same(change.old, change.new):
            continue
        if key in _FIELDS:
            yield from _FIELDS[key](_FieldChange(change, old, new, around))
        else:
            yield meaning("C199" if key.startswith("x-") else "C198", *change)


def _exec(field: _FieldChange) -> Iterator[Meaning]:
    change = field.change
    before, after = text_of(change.old), text_of(change.new)
    if posixpath.basename(before) != posixpath.basename(after):
        yield meaning("C110", *change)
    else:
        yield meaning("C112" if before.startswith("/") and not after.startswith("/") else "C111", *change)
    if _OTHERS_WRITE.match(after) and not _OTHERS_WRITE.match(before):
        yield meaning("C113", *change)
    if _is_shell(after) and not _is_shell(before):
        yield meaning("C114", *change)


def _is_shell(executable: str) -> bool:
    return posixpath.basename(executable) in SHELLS


def _application(field: _FieldChange) -> Iterator[Meaning]:
    change, around = field.change, field.around
    before, after = set(around.sites_before(change.old)), set(around.sites_after(change.new))
    details = [
        f"{word}: {', '.join(sorted(sites))}"
        for word, sites in (("removed sites", before - after), ("added sites", after - before))
        if sites
    ]
    yield meaning("C120", *change, more="; ".join(details))


def _process_type(field: _FieldChange) -> Iterator[Meaning]:
    change = field.change
    before, after = (
        _DEFAULT_PROCESS_TYPE if value is MISSING else value for value in (change.old, change.new)
    )
    yield meaning("C131" if before == after else "C130", *change)


def _timeout(field: _FieldChange) -> Iterator[Meaning]:
    change = field.change
    before, after = (
        value if isinstance(value, int | float) else float("inf") for value in (change.old, change.new)
    )
    if after < before:
        yield meaning("C140", *change, more=f"the limit is now {after:g} s")
    else:
        yield meaning("C141" if after <= 2 * before and after != float("inf") else "C142", *change)


def _cwd(field: _FieldChange) -> Iterator[Meaning]:
    paths = list(_relative_paths(field.after))
    yield meaning("C151", *field.change, more=", ".join(paths)) if paths else meaning("C150", *field.change)


def _relative_paths(definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths that another working directory resolves differently."""
    for item in (definition.get("exec"), *list_of(definition.get("argv"))):
        if _is_relative_path(text_of(item)):
            yield text_of(item)
    for side in PARTY:
        params = params_of(map_of(definition.get(f"{side}_adapter")), side)
        for key in ("file_path", "pipe_path"):
            path = text_of(params.get(key))
            if path and not path.startswith(("/", "${")):
                yield path


def _is_relative_path(text: str) -> bool:
    value = text.rpartition("=")[2] if text.startswith("-") else text
    return "/" in value and not value.startswith(("/", "-", "${")) and "://" not in value


def _environment(field: _FieldChange) -> Iterator[Meaning]:
    change = field.change
    for pointer, before, after in diff(map_of(change.old), map_of(change.new)):
        name = steps_of(pointer)[0]
        for rule in _variable_rules(name, before, after):
            yield meaning(rule, change.pointer + pointer, before, after)


def _variable_rules(name: str, before: Any, after: Any) -> Iterator[str]:
    """Yield the rules that the change of a variable's value (or `MISSING`) matches."""
    was_secret, is_secret = _is_credential(name, before), _is_credential(name, after)
    was_from_host, is_from_host = host_variable(before) is not None, host_variable(after) is not None
    if is_secret or (was_from_host and not is_from_host and after is not MISSING):
        yield "C164"
    if was_secret and before != after:
        yield "C165"
    if after is MISSING:
        yield "C160"
    elif is_from_host:
        yield "C163"
    elif before is MISSING and changes_loading(name):
        yield "C166"
    elif is_secret:
        return  # C164 covers it
    elif before is MISSING:
        yield "C161"
    elif not was_from_host:
        yield "C162"


def _is_credential(name: str, value: Any) -> bool:
    return isinstance(value, str) and credential_in(name, value) is not None


def _argv(field: _FieldChange) -> Iterator[Meaning]:
    change = field.change
    before, after = ([text_of(item) for item in list_of(value)] for value in (change.old, change.new))
    moved = {
        side: placeholder
        for side, placeholder in PLACEHOLDERS.items()
        if any(placeholder in item for item in before) != any(placeholder in item for item in after)
    }
    for side, placeholder in moved.items():
        yield meaning("C173", *change, parties=PARTY[side], more=placeholder)
    # C173 covers the arguments with these placeholders.
    before, after = (
        [item for item in items if not any(one in item for one in moved.values())]
        for items in (before, after)
    )
    if "-c" in after and "-c" not in before and _is_shell(text_of(field.after.get("exec"))):
        yield meaning("C114", *change)
    for rule in _argument_rules(before, after):
        yield meaning(rule, *change)


def _argument_rules(before: list[str], after: list[str]) -> Iterator[str]:
    if before == after:
        return
    if Counter(before) == Counter(after):
        yield "C172"
        return
    removed, added = _removed_and_added(before, after)
    if removed:
        yield "C170"
    if added:
        yield "C171"


def _removed_and_added(before: list[str], after: list[str]) -> tuple[bool, bool]:
    """Return whether arguments were removed, and whether some were added or replaced."""
    if len(before) * len(after) > _MOST_COMPARED:
        # Comparing the sets is nearly as informative.
        old, new = Counter(before), Counter(after)
        return sum((old - new).values()) > sum((new - old).values()), bool(new - old)
    removed = added = 0
    for what, from_, to, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what != "equal":
            removed += max(0, (to - from_) - (end - start))
            added += end - start
    return bool(removed), bool(added)


def _adapter(field: _FieldChange) -> Iterator[Meaning]:
    side = steps_of(field.change.pointer)[1].removesuffix("_adapter")
    old_type, new_type = (
        inside.get("process_type", _DEFAULT_PROCESS_TYPE) for inside in (field.before, field.after)
    )
    context = AdapterContext((old_type, new_type), field.around.adapter_types, field.around.compat)
    yield from adapter_changes(side, field.change, context)


_FIELDS: dict[str, Callable[[_FieldChange], Iterator[Meaning]]] = {
    "exec": _exec,
    "application": _application,
    "process_type": _process_type,
    "timeout": _timeout,
    "cwd": _cwd,
    "environment": _environment,
    "argv": _argv,
    "input_adapter": _adapter,
    "output_adapter": _adapter,
}
