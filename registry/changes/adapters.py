"""The meaning of changes to what a process reads and writes: its adapters, and its `interface`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.changes.meaning import Meaning, meaning
from registry.changes.table import Level, Party
from registry.model.adapter import size_in_bytes
from registry.model.diff import MISSING, Change, same
from registry.model.pointer import escape_step
from registry.model.values import map_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PARTY: Mapping[str, tuple[Party, ...]] = {"input": (Party.FEED,), "output": (Party.YIELD,)}
"""The party at the other end of each side of a process."""
# Parameters that the program at the other end of the connection must use, too.
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
# What a process without an adapter uses.
_STANDARD_STREAMS: Mapping[str, Mapping[str, str]] = {
    "input": {"file_type": "stream", "stream_name": "STDIN"},
    "output": {"file_type": "stream", "stream_name": "STDOUT"},
}


class AdapterContext(NamedTuple):
    """What the meaning of a changed adapter depends on.

    `process_types` are the old and the new process type; `known_types` are the adapter types with documented
    parameters; `compat` names older clients.
    """

    process_types: tuple[str, str]
    known_types: frozenset[str]
    compat: frozenset[str]


class _Adapter(NamedTuple):
    """One state of an adapter."""

    side: str
    fields: Mapping[str, Any]

    @property
    def type(self) -> Any:
        return self.fields.get(f"{self.side}_type")

    @property
    def params_key(self) -> str | None:
        """The key of the parameters, which has two spellings; None without parameters."""
        spellings = (f"{self.side}_params", f"{self.side}_parameters")
        return next((key for key in self.fields if key in spellings), None)

    @property
    def params(self) -> dict[str, Any]:
        return params_of(self.fields, self.side)

    @property
    def is_standard_stream(self) -> bool:
        """True when the adapter describes what a process without an adapter does."""
        return (
            self.type == "file" and same(self.params, _STANDARD_STREAMS[self.side]) and len(self.fields) == 2
        )


def params_of(adapter: Mapping[str, Any], side: str) -> dict[str, Any]:
    """Return the parameters of an adapter; empty when there are none."""
    return map_of(adapter.get(f"{side}_params", adapter.get(f"{side}_parameters")))


def adapter_changes(side: str, change: Change, context: AdapterContext) -> Iterator[Meaning]:
    """Yield the meaning of each changed field of an adapter; `change` has its whole old and new value."""
    before, after = (_Adapter(side, map_of(value)) for value in (change.old, change.new))
    if bool(before.fields) != bool(after.fields):
        there = before if before.fields else after
        is_default = there.is_standard_stream and context.process_types == ("single", "single")
        yield meaning("C131", *change) if is_default else meaning("C180", *change, parties=PARTY[side])
        return
    if before.type != after.type:
        # Parameters of different types are not comparable.
        yield _field_meaning("C180", change.pointer, f"{side}_type", before, after, parties=PARTY[side])
        return
    yield from _spelling(change.pointer, before, after, context)
    yield from _parameters(change.pointer, before, after, context)
    for name in dict.fromkeys((*before.fields, *after.fields)):
        is_changed = not same(before.fields.get(name, MISSING), after.fields.get(name, MISSING))
        if name.startswith("x-") and is_changed:
            yield _field_meaning("C199", change.pointer, name, before, after)


def _field_meaning(
    rule: str, pointer: str, name: str, before: _Adapter, after: _Adapter, parties: tuple[Party, ...] = ()
) -> Meaning:
    old, new = before.fields.get(name, MISSING), after.fields.get(name, MISSING)
    return meaning(rule, f"{pointer}/{name}", old, new, parties=parties)


def _spelling(pointer: str, before: _Adapter, after: _Adapter, context: AdapterContext) -> Iterator[Meaning]:
    old, new = before.params_key, after.params_key
    if old is None or new is None or old == new:
        return
    respelled = meaning("C200", f"{pointer}/{new}", old, new)
    yield _risky_for_older_clients(respelled) if "streamboss" in context.compat else respelled


def _risky_for_older_clients(respelled: Meaning) -> Meaning:
    return replace(
        respelled,
        level=Level.RISKY,
        parties=(Party.START,),
        note="older clients read only one spelling (compat)",
    )


def _parameters(
    pointer: str, before: _Adapter, after: _Adapter, context: AdapterContext
) -> Iterator[Meaning]:
    side = after.side
    key = after.params_key or before.params_key or f"{side}_params"
    old, new = before.params, after.params
    is_known = text_of(after.type) in context.known_types
    for name in dict.fromkeys((*old, *new)):
        change = Change(f"{pointer}/{key}/{name}", old.get(name, MISSING), new.get(name, MISSING))
        if not same(change.old, change.new):
            yield _parameter(side, name, change, context.process_types, is_known=is_known)


def _parameter(
    side: str, name: str, change: Change, process_types: tuple[str, str], *, is_known: bool
) -> Meaning:
    if name.startswith("x-"):
        return meaning("C199", *change)
    if name == "framing":
        return _framing(side, change, process_types)
    if name in _PARAMETERS:
        return _PARAMETERS[name](side, change)
    if not is_known or name not in _ADDRESS:
        return meaning("C187", *change, parties=PARTY[side])
    # `listen` is the default. The values can be of any type, so they need not fit into a set.
    if name == "role" and (change.old, change.new) in ((MISSING, "listen"), ("listen", MISSING)):
        return meaning("C131", *change)
    return meaning("C181", *change, parties=PARTY[side])


def _framing(side: str, change: Change, process_types: tuple[str, str]) -> Meaning:
    # The default depends on the process type, which may have changed at the same time.
    defaults = ("lines" if one == "service" else "whole" for one in process_types)
    before, after = (
        default if value is MISSING else value
        for value, default in zip((change.old, change.new), defaults, strict=True)
    )
    return meaning("C131", *change) if before == after else meaning("C182", *change, parties=PARTY[side])


def _content_type(side: str, change: Change) -> Meaning:
    return _media_types(side, change, _one(change.old), _one(change.new))


def _max_message_size(side: str, change: Change) -> Meaning:
    """A smaller limit rejects input that was accepted; a larger one produces output of unexpected size."""
    before, after = size_in_bytes(change.old), size_in_bytes(change.new)
    if side == "input":
        return meaning("C185" if after < before else "C189", *change)
    return meaning("C188" if after > before else "C189", *change)


def _transfer(_side: str, change: Change) -> Meaning:
    return meaning("C186", *change)


_PARAMETERS: Mapping[str, Callable[[str, Change], Meaning]] = {
    "content_type": _content_type,
    "max_message_size": _max_message_size,
    "chunk_size": _transfer,
    "request_timeout": _transfer,
}


def interface_changes(old: Any, new: Any) -> Iterator[Meaning]:
    """Yield the meaning of each changed field between two `interface` values."""
    for side in PARTY:
        before, after = map_of(map_of(old).get(side)), map_of(map_of(new).get(side))
        for name in dict.fromkeys((*before, *after)):
            pointer = f"/interface/{side}/{escape_step(name)}"
            change = Change(pointer, before.get(name, MISSING), after.get(name, MISSING))
            if not same(change.old, change.new):
                yield _interface_field(side, name, change)


def _interface_field(side: str, name: str, change: Change) -> Meaning:
    if name == "media_types":
        return _media_types(side, change, _many(change.old), _many(change.new))
    if name == "schema":
        return meaning("C201", *change, parties=PARTY[side])
    return meaning("C199" if name.startswith("x-") else "C193", *change)


def _media_types(
    side: str, change: Change, before: frozenset[str] | None, after: frozenset[str] | None
) -> Meaning:
    """Compare media types; `None` means any.

    It is safe to accept more input types and to produce fewer output types.
    """
    small, large = (before, after) if side == "input" else (after, before)
    is_safe = large is None or (small is not None and small <= large)
    return meaning("C184", *change) if is_safe else meaning("C183", *change, parties=PARTY[side])


def _one(value: Any) -> frozenset[str] | None:
    return frozenset((value,)) if isinstance(value, str) else None


def _many(value: Any) -> frozenset[str] | None:
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else None
