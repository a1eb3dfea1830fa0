"""The meaning of changes inside and around a process definition."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from registry.changes.meaning import Meaning, meaning
from registry.changes.table import Level, Party
from registry.check.fields import changes_loading
from registry.check.placeholders import PLACEHOLDERS
from registry.credentials import credential_in
from registry.model.diff import MISSING, Change, diff, same
from registry.model.pointer import escape_step, steps_of

SHELLS = frozenset(
    ("sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "cmd.exe", "powershell", "pwsh")
)
_OTHERS_WRITE = re.compile(r"/(?:tmp|var/tmp|dev/shm)(?:/|\Z)")
_FROM_HOST = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_SIZE = re.compile(r"([0-9]+) ?([kKMGT]?)(i?)B?\Z")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_PARTY = {"input": (Party.FEED,), "output": (Party.YIELD,)}
_ADDRESS = frozenset(
    (
        "file",
        "file_path",
        "pipe_path",
        "tcp_port",
        "udp_port",
        "host",
        "url",
        "path",
        "stream_name",
        "file_type",
        "role",
        "method",
        "reply",
        "suffix",
        "start",
    )
)
_STANDARD = {
    side: {"file_type": "stream", "stream_name": name}
    for side, name in (("input", "STDIN"), ("output", "STDOUT"))
}
_MOST_COMPARED = 250_000
SiteNames = Callable[[Any], tuple[str, ...]]
"""Returns the names of the sites of an application, or () if it does not exist."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Context of a comparison: application sites on both sides, known adapter types, and `compat` clients."""

    sites_before: SiteNames = lambda _name: ()
    sites_after: SiteNames = lambda _name: ()
    adapter_types: frozenset[str] = frozenset()
    compat: frozenset[str] = frozenset()


def process_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], around: Surroundings
) -> Iterator[Meaning]:
    """Yield the meaning of each changed field between two `definition` values."""
    for key in dict.fromkeys((*old, *new)):
        change = Change(f"/definition/{escape_step(key)}", old.get(key, MISSING), new.get(key, MISSING))
        if same(change.old, change.new):
            continue
        if key in _FIELDS:
            yield from _FIELDS[key](old, new, change, around)
        else:
            yield meaning("C199" if key.startswith("x-") else "C198", *change)


def _exec(
    old: Mapping[str, Any], new: Mapping[str, Any], change: Change, _around: Surroundings
) -> Iterator[Meaning]:
    before, after = _text(change.old), _text(change.new)
    if posixpath.basename(before) != posixpath.basename(after):
        yield meaning("C110", *change)
    else:
        yield meaning("C112" if before.startswith("/") and not after.startswith("/") else "C111", *change)
    if _OTHERS_WRITE.match(after) and not _OTHERS_WRITE.match(before):
        yield meaning("C113", *change)
    if posixpath.basename(after) in SHELLS and posixpath.basename(before) not in SHELLS:
        yield meaning("C114", *change)


def _application(
    _old: Mapping[str, Any], _new: Mapping[str, Any], change: Change, around: Surroundings
) -> Iterator[Meaning]:
    before, after = set(around.sites_before(change.old)), set(around.sites_after(change.new))
    details = [
        f"{word}: {', '.join(sorted(sites))}"
        for word, sites in (("removed sites", before - after), ("added sites", after - before))
        if sites
    ]
    yield meaning("C120", *change, more="; ".join(details))


def _process_type(
    _old: Mapping[str, Any], _new: Mapping[str, Any], change: Change, _around: Surroundings
) -> Iterator[Meaning]:
    before, after = ("single" if value is MISSING else value for value in (change.old, change.new))
    yield meaning("C131" if before == after else "C130", *change)


def _timeout(
    _old: Mapping[str, Any], _new: Mapping[str, Any], change: Change, _around: Surroundings
) -> Iterator[Meaning]:
    before, after = (
        value if isinstance(value, int | float) else float("inf") for value in (change.old, change.new)
    )
    if after < before:
        yield meaning("C140", *change, more=f"the limit is now {after:g} s")
    else:
        yield meaning("C141" if after <= 2 * before and after != float("inf") else "C142", *change)


def _cwd(
    _old: Mapping[str, Any], new: Mapping[str, Any], change: Change, _around: Surroundings
) -> Iterator[Meaning]:
    paths = [
        item
        for item in (_text(new.get("exec")), *map(_text, _items(new.get("argv"))))
        if _is_relative_path(item)
    ]
    for side in ("input", "output"):
        params = _params(_map(new.get(f"{side}_adapter")), side)
        paths += [
            path
            for key in ("file_path", "pipe_path")
            if (path := _text(params.get(key))) and not path.startswith(("/", "${"))
        ]
    yield meaning("C151", *change, more=", ".join(paths)) if paths else meaning("C150", *change)


def _is_relative_path(text: str) -> bool:
    value = text.rpartition("=")[2] if text.startswith("-") else text
    return "/" in value and not value.startswith(("/", "-", "${")) and "://" not in value


def _environment(
    _old: Mapping[str, Any], _new: Mapping[str, Any], change: Change, _around: Surroundings
) -> Iterator[Meaning]:
    for pointer, before, after in diff(_map(change.old), _map(change.new)):
        name = steps_of(pointer)[0]
        pointer = change.pointer + pointer  # noqa: PLW2901
        was_secret, is_secret = (
            isinstance(value, str) and credential_in(name, value) is not None for value in (before, after)
        )
        was_reference, is_reference = (
            isinstance(value, str) and _FROM_HOST.match(value) is not None for value in (before, after)
        )
        if is_secret or (was_reference and not is_reference and after is not MISSING):
            yield meaning("C164", pointer, before, after)
        if was_secret and before != after:
            yield meaning("C165", pointer, before, after)
        if after is MISSING:
            yield meaning("C160", pointer, before, after)
        elif is_reference:
            yield meaning("C163", pointer, before, after)
        elif changes_loading(name) and before is MISSING:
            yield meaning("C166", pointer, before, after)
        elif before is MISSING and not is_secret:
            yield meaning("C161", pointer, before, after)
        elif before is not MISSING and not is_secret and not was_reference:
            yield meaning("C162", pointer, before, after)


def _argv(
    old: Mapping[str, Any], new: Mapping[str, Any], change: Change, _around: Surroundings
) -> Iterator[Meaning]:
    before, after = ([_text(item) for item in _items(value)] for value in (change.old, change.new))
    moved = []
    for side, placeholder in PLACEHOLDERS.items():
        if any(placeholder in item for item in before) != any(placeholder in item for item in after):
            moved.append(placeholder)
            yield meaning("C173", *change, parties=_PARTY[side], more=placeholder)
    before, after = (
        [item for item in items if not any(one in item for one in moved)] for items in (before, after)
    )
    if (
        any(item == "-c" for item in after)
        and "-c" not in before
        and posixpath.basename(_text(new.get("exec"))) in SHELLS
    ):
        yield meaning("C114", *change)
    if before == after:
        return
    if Counter(before) == Counter(after):
        yield meaning("C172", *change)
        return
    removed, added = _removed_and_added(before, after)
    if removed:
        yield meaning("C170", *change)
    if added:
        yield meaning("C171", *change)


def _removed_and_added(before: list[str], after: list[str]) -> tuple[bool, bool]:
    """Return whether arguments were removed, and whether some were added or replaced."""
    if len(before) * len(after) > _MOST_COMPARED:
        # Comparing the order of thousands of arguments takes hours. Comparing the sets is nearly as
        # informative.
        old, new = Counter(before), Counter(after)
        return sum((old - new).values()) > sum((new - old).values()), bool(new - old)
    removed = added = 0
    for what, from_, to, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what != "equal":
            removed += max(0, (to - from_) - (end - start))
            added += end - start
    return bool(removed), bool(added)


def _adapter(
    old: Mapping[str, Any], new: Mapping[str, Any], change: Change, around: Surroundings
) -> Iterator[Meaning]:
    side = steps_of(change.pointer)[1].removesuffix("_adapter")
    parties = _PARTY[side]
    before, after = _map(old.get(f"{side}_adapter")), _map(new.get(f"{side}_adapter"))
    if bool(before) != bool(after):
        is_single = all(inside.get("process_type", "single") == "single" for inside in (old, new))
        there = before or after
        is_standard = there.get(f"{side}_type") == "file" and same(_params(there, side), _STANDARD[side])
        is_default = is_single and is_standard and len(there) == 2
        yield meaning("C131", *change) if is_default else meaning("C180", *change, parties=parties)
        return
    if before.get(f"{side}_type") != after.get(f"{side}_type"):
        yield meaning(
            "C180",
            f"/definition/{side}_adapter/{side}_type",
            before.get(f"{side}_type", MISSING),
            after.get(f"{side}_type", MISSING),
            parties=parties,
        )
        return
    spelling = [
        next((key for key in adapter if key in (f"{side}_params", f"{side}_parameters")), None)
        for adapter in (before, after)
    ]
    if spelling[0] != spelling[1] and None not in spelling:
        spelled = meaning("C200", f"/definition/{side}_adapter/{spelling[1]}", spelling[0], spelling[1])
        yield spelled if "streamboss" not in around.compat else _risky_for_older_clients(spelled)
    kind = _text(after.get(f"{side}_type"))
    key = spelling[1] or spelling[0] or f"{side}_params"
    one, other = _params(before, side), _params(after, side)
    defaults = tuple("lines" if inside.get("process_type") == "service" else "whole" for inside in (old, new))
    for name in dict.fromkeys((*one, *other)):
        values = one.get(name, MISSING), other.get(name, MISSING)
        if not same(*values):
            yield from _parameter(
                side,
                name,
                Change(f"/definition/{side}_adapter/{key}/{name}", *values),
                defaults,
                is_known=kind in around.adapter_types,
            )
    for name in dict.fromkeys((*before, *after)):
        if name.startswith("x-") and not same(before.get(name, MISSING), after.get(name, MISSING)):
            yield meaning(
                "C199",
                f"/definition/{side}_adapter/{name}",
                before.get(name, MISSING),
                after.get(name, MISSING),
            )


def _risky_for_older_clients(spelled: Meaning) -> Meaning:
    return replace(
        spelled,
        level=Level.RISKY,
        parties=(Party.START,),
        note="older clients read only one spelling (compat)",
    )


def _parameter(
    side: str, name: str, change: Change, defaults: tuple[str, ...], *, is_known: bool
) -> Iterator[Meaning]:
    parties = _PARTY[side]
    if name.startswith("x-"):
        yield meaning("C199", *change)
    elif name == "framing":
        before, after = (
            default if value is MISSING else value
            for value, default in zip((change.old, change.new), defaults, strict=True)
        )
        yield meaning("C131", *change) if before == after else meaning("C182", *change, parties=parties)
    elif name == "content_type":
        yield _forms(side, change, _one(change.old), _one(change.new))
    elif name == "max_message_size":
        before, after = _size(change.old), _size(change.new)
        if side == "input":
            yield meaning("C185", *change) if after < before else meaning("C189", *change)
        else:
            yield meaning("C188", *change) if after > before else meaning("C189", *change)
    elif name in ("chunk_size", "request_timeout"):
        yield meaning("C186", *change)
    elif not is_known or name not in _ADDRESS:
        yield meaning("C187", *change, parties=parties)
    elif name == "role" and {change.old, change.new} == {MISSING, "listen"}:
        yield meaning("C131", *change)
    else:
        yield meaning("C181", *change, parties=parties)


def _forms(side: str, change: Change, before: frozenset[str] | None, after: frozenset[str] | None) -> Meaning:
    """Compare media types; `None` means any.

    It is safe to accept more input types and to produce fewer output types.
    """
    small, large = (before, after) if side == "input" else (after, before)
    is_safe = large is None or (small is not None and small <= large)
    return meaning("C184", *change) if is_safe else meaning("C183", *change, parties=_PARTY[side])


def interface(old: Any, new: Any) -> Iterator[Meaning]:
    """Yield the meaning of each changed field between two `interface` values."""
    for side, parties in _PARTY.items():
        before, after = _map(_map(old).get(side)), _map(_map(new).get(side))
        for name in dict.fromkeys((*before, *after)):
            change = Change(
                f"/interface/{side}/{escape_step(name)}", before.get(name, MISSING), after.get(name, MISSING)
            )
            if same(change.old, change.new):
                continue
            if name == "media_types":
                yield _forms(side, change, _many(change.old), _many(change.new))
            elif name == "schema":
                yield meaning("C201", *change, parties=parties)
            else:
                yield meaning("C199" if name.startswith("x-") else "C193", *change)


def _one(value: Any) -> frozenset[str] | None:
    return frozenset((value,)) if isinstance(value, str) else None


def _many(value: Any) -> frozenset[str] | None:
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else None


def _size(value: Any) -> float:
    """Return a size in bytes; infinity for no limit or an invalid value."""
    if isinstance(value, int):
        return value
    found = _SIZE.match(value) if isinstance(value, str) else None
    return int(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]] if found else float("inf")


def _params(adapter: Mapping[str, Any], side: str) -> dict[str, Any]:
    return _map(adapter.get(f"{side}_params", adapter.get(f"{side}_parameters")))


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_FIELDS: dict[
    str, Callable[[Mapping[str, Any], Mapping[str, Any], Change, Surroundings], Iterator[Meaning]]
] = {
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
