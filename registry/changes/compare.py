"""Compare two sets of definitions.

Definitions are matched by id, otherwise by name, never by similar text.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from registry.changes.adapters import interface_changes
from registry.changes.guards import new_exceptions
from registry.changes.machine import machine_changes
from registry.changes.meaning import Meaning, lowered, meaning
from registry.changes.process import Surroundings, process_changes
from registry.changes.table import Level, Party
from registry.credentials import SecretFields, hide_in_line
from registry.model.definition import id_of
from registry.model.diff import MISSING, Change, diff, field_at, same
from registry.model.pointer import escape_step, pointer_of, steps_of
from registry.model.redaction import redacted
from registry.model.values import list_of, map_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from registry.load.kinds import Kind, Kinds
    from registry.load.settings import Settings
    from registry.model.definition import Definition

# Levels that `lifecycle: experimental` never lowers: an id with another meaning, and credentials in the open.
_NEVER_LOWERED = frozenset(("C103", "C164", "C165", "C205"))
_WAS_EXPERIMENTAL = "it was experimental"
_FREE_FORM = {"added": "C213", "changed": "C212", "removed": "C211"}
GUARDS = "registry"
"""The kind of entries about a setting, schema or template instead of a definition."""


class What(StrEnum):
    """What happened to a definition."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Side:
    """The definitions of one side that may differ from the other side. `others` are referenced by them."""

    definitions: Sequence[Definition]
    kinds: Kinds
    others: Sequence[Definition] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """One changed definition, with the most severe meaning first.

    `old_name` is "" unless the definition was renamed. `path` is the new file, or the old one if there is no
    new file. `lines` maps pointers of the meanings to line numbers in the new file. `affects` are the names
    of the definitions that use it, if that matters. `is_kind_implied`: reports
    omit the name of the kind.
    """

    what: What
    kind: str
    id: int | None
    name: str
    old_name: str
    path: str
    owners: tuple[str, ...]
    meanings: tuple[Meaning, ...]
    affects: tuple[str, ...] = ()
    is_kind_implied: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """The most severe level of its meanings."""
        return min((one.level for one in self.meanings), key=lambda level: level.rank)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes from one snapshot to another, most severe first.

    `base` and `head` are commits; `head` is None for the work tree. `settings` are those of the base, because
    a change must not weaken the rules that it is checked by.
    """

    base: str
    head: str | None
    changed: tuple[Changed, ...]
    settings: Settings
    note: str = ""

    def count(self, of: What | Level) -> int:
        """Return the number of definitions with this event, or of meanings with this level."""
        if isinstance(of, What):
            return sum(one.what is of for one in self.changed if one.kind != GUARDS)
        return sum(each.level is of for one in self.changed for each in one.meanings)


def compare(
    old: Side, new: Side, *, settings: Settings, today: date, used_by: Callable[[str, str], Sequence[str]]
) -> tuple[Changed, ...]:
    """Return the changes from `old` to `new`, with the levels that `settings` give them, most severe first.

    `used_by(kind, name)` returns the names of the definitions that refer to a definition.
    """
    around = Surroundings(_sites(old), _sites(new), frozenset(new.kinds.adapters), frozenset(settings.compat))
    referenced = old.kinds.referenced | new.kinds.referenced
    found = []
    for pair in _pairs(old.definitions, new.definitions):
        kind = _judging_kind(pair, old, new)
        meanings = _judged_meanings(pair, kind, around, settings, today) if kind is not None else []
        if kind is None or not meanings:
            continue
        kinds = new.kinds if pair.after is not None else old.kinds
        shown = [_without_credentials(one, pair, kinds) for one in meanings]
        there = pair.latest
        is_in_use = there.kind in referenced and pair.what is not What.ADDED
        found.append(
            Changed(
                what=pair.what,
                kind=there.kind,
                id=pair.id,
                name=there.name,
                old_name=pair.before.name if pair.before is not None and pair.what is What.RENAMED else "",
                path=there.path,
                owners=_owners(there),
                meanings=tuple(sorted(shown, key=lambda one: one.sort_key)),
                affects=tuple(used_by(there.kind, there.name)) if is_in_use else (),
                is_kind_implied=kind.traits.is_implied,
                lines=_lines(pair.after, shown) if pair.after is not None else {},
            )
        )
    return tuple(sorted(found, key=lambda one: (one.level.rank, one.kind, one.name)))


class _State(Protocol):
    """A definition as far as its changes have a meaning."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def id(self) -> int | None: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @property
    def inside(self) -> dict[str, Any]: ...


class DefinitionState(NamedTuple):
    """A definition at one revision; `data` is the whole document."""

    kind: str
    name: str
    data: dict[str, Any]

    @property
    def id(self) -> int | None:
        """The id in the file, or None if it has no valid one."""
        return id_of(self.data)

    @property
    def inside(self) -> dict[str, Any]:
        """The content of `definition`. Empty if it is missing or not a map."""
        return map_of(self.data.get("definition"))


def meanings_between(
    before: DefinitionState | None,
    after: DefinitionState | None,
    kinds: Kinds,
    settings: Settings,
    today: date,
) -> tuple[Meaning, ...]:
    """Return what a revision of one definition means, most severe first.

    At least one of the states exists. Other definitions are not known: a changed reference to an application
    is judged without its sites. Values in the result are those in the states.
    """
    pair = _Pair(before, after)
    kind = kinds.by_name.get(pair.latest.kind)
    if kind is None:
        return ()
    around = Surroundings(adapter_types=frozenset(kinds.adapters), compat=frozenset(settings.compat))
    return tuple(sorted(_judged_meanings(pair, kind, around, settings, today), key=lambda one: one.sort_key))


S = TypeVar("S", bound=_State)


class _Pair(NamedTuple, Generic[S]):
    """One definition in its old and its new state; at least one of them exists."""

    before: S | None
    after: S | None

    @property
    def latest(self) -> S:
        """The new state, or the old one of a removed definition."""
        latest = self.after or self.before
        assert latest is not None
        return latest

    @property
    def id(self) -> int | None:
        """The id, which a change cannot take away: an id that is missing in the new file is the old one."""
        if self.latest.id is None and self.before is not None:
            return self.before.id
        return self.latest.id

    @property
    def what(self) -> What:
        if self.before is None:
            return What.ADDED
        if self.after is None:
            return What.REMOVED
        return What.RENAMED if self.before.name != self.after.name else What.CHANGED


def _judging_kind(pair: _Pair[Definition], old: Side, new: Side) -> Kind | None:
    """Return the kind whose schema judges the change; None if neither side has it.

    The base's schema has precedence: a change must not loosen what it is judged by.
    """
    name = pair.latest.kind
    return old.kinds.by_name.get(name) or new.kinds.by_name.get(name)


def _judged_meanings(
    pair: _Pair[Any], kind: Kind, around: Surroundings, settings: Settings, today: date
) -> list[Meaning]:
    """Return the meanings of a change with the levels of the schema and, on top of these, the settings."""
    by_schema = (_judged_by_schema(one, kind) for one in _meanings(pair, kind, around, today))
    by_settings = (judged_by_settings(one, pair.latest.name, settings) for one in by_schema)
    return [one for one in by_settings if one is not None]


def _key_by_id(one: Definition) -> Any:
    return (one.kind, one.id) if one.id is not None else None


def _key_by_name(one: Definition) -> Any:
    return one.kind, one.name


def _key_by_content(one: Definition) -> Any:
    """Matches a definition that was renamed before an id was assigned."""
    return (one.kind, one.raw) if one.id is None else None


def _pairs(old: Iterable[Definition], new: Iterable[Definition]) -> Iterator[_Pair[Definition]]:
    """Yield each definition of both sides once, matched with its old or new state."""
    was, now = list(old), list(new)
    # The order matters: an id is certain, a name nearly so, and equal content is a guess for the rest.
    for key in (_key_by_id, _key_by_name, _key_by_content):
        free = {of_key: one for one in was if (of_key := key(one)) is not None}
        for one in list(now):
            found = free.pop(key(one), None)
            if found is not None:
                was.remove(found)
                now.remove(one)
                yield _Pair(found, one)
    yield from (_Pair(one, None) for one in was)
    yield from (_Pair(None, one) for one in now)


def _meanings(pair: _Pair[Any], kind: Kind, around: Surroundings, today: date) -> Iterator[Meaning]:
    before, after = pair
    if after is not None:
        yield from new_exceptions(before.data if before is not None else {}, after.data)
    if before is None:
        yield meaning("C104", "")
        return
    if after is None:
        yield _removal(before, today)
        return
    found = [*_whole(before, after), *_around(before, after, kind), *_inside(before, after, kind, around)]
    is_experimental = before.data.get("lifecycle") == "experimental"
    for one in found:
        is_lowered = is_experimental and one.rule not in _NEVER_LOWERED
        yield lowered(one, _WAS_EXPERIMENTAL) if is_lowered else one


def _removal(before: _State, today: date) -> Meaning:
    announced = map_of(before.data.get("deprecation"))
    successor, sunset = announced.get("replaced_by"), announced.get("sunset")
    details = [
        *([f"owned by {', '.join(owners)}"] if (owners := _owners(before)) else []),
        *([f"use {successor}"] if isinstance(successor, str) else []),
    ]
    lifecycle = before.data.get("lifecycle")
    if lifecycle == "deprecated":
        # ISO dates sort like the days that they name.
        is_over = isinstance(sunset, str) and sunset <= today.isoformat()
        when = f"its sunset is {sunset}" if isinstance(sunset, str) else "no sunset was announced"
        return meaning("C196" if is_over else "C197", "", more="; ".join((when, *details)))
    found = meaning("C101", "", more="; ".join(details))
    return lowered(found, _WAS_EXPERIMENTAL) if lifecycle == "experimental" else found


def _whole(before: _State, after: _State) -> Iterator[Meaning]:
    if before.name != after.name:
        yield meaning("C102", "", before.name, after.name)
    if before.id is not None and after.id is not None and before.id != after.id:
        yield meaning("C103", "/id", before.id, after.id)


def _around(before: _State, after: _State, kind: Kind) -> Iterator[Meaning]:
    """Yield the meaning of changes outside `definition`."""
    old, new = before.data, after.data
    for key in dict.fromkeys((*old, *new)):
        change = Change(f"/{escape_step(key)}", old.get(key, MISSING), new.get(key, MISSING))
        if key in ("definition", "id") or same(change.old, change.new):
            continue
        if key == "lifecycle":
            yield _lifecycle(change, new)
        elif key == "deprecation":
            yield _deprecation(change, is_new=new.get("lifecycle") == "deprecated" != old.get("lifecycle"))
        elif key in ("title", "description", "owners", "tags", "links", "ignore"):
            is_reported = key == "ignore" and any(new_exceptions(old, new))
            yield from () if is_reported else (meaning("C193", *change),)
        else:
            yield from _free_form(change) if _is_free_form(kind) else _specific(key, change)


def _specific(key: str, change: Change) -> Iterator[Meaning]:
    """Yield what the change of a key next to `definition` means, for the keys that not all kinds have."""
    if key == "interface":
        yield from interface_changes(change.old, change.new)
    elif key == "examples":
        yield meaning("C194" if _answers(change.old, change.new) else "C193", *change)
    elif key in ("container_image", "container_resources"):
        yield from (
            meaning("C122", change.pointer + one.pointer, one.old, one.new)
            for one in diff(change.old, change.new)
        )
    else:
        yield meaning("C199" if key.startswith("x-") else "C198", *change)


def _lifecycle(change: Change, new: Mapping[str, Any]) -> Meaning:
    before, after = ("production" if value is MISSING else value for value in (change.old, change.new))
    if before == after:
        return meaning("C131", *change)
    if after == "deprecated":
        announced = map_of(new.get("deprecation"))
        labels = (("sunset", "sunset"), ("replaced_by", "replaced by"))
        return meaning(
            "C190",
            *change,
            more="; ".join(f"{word} {announced[key]}" for key, word in labels if announced.get(key)),
        )
    return meaning("C191" if after == "production" else "C195", *change)


def _deprecation(change: Change, *, is_new: bool) -> Meaning:
    before, after = (
        value.get("sunset") if isinstance(value, dict) else None for value in (change.old, change.new)
    )
    is_sooner = isinstance(after, str) and (not isinstance(before, str) or after < before)
    return meaning("C192" if is_sooner and not is_new else "C193", *change)


def _answers(old: Any, new: Any) -> bool:
    """Return True when an existing example now expects another output."""
    keys = (
        "output_text",
        "output_file",
        "output_sha256",
        "output_contains",
        "output_size",
        "exit_code",
    )
    expected = [
        {_given(one): tuple(str(one.get(key)) for key in keys) for one in value if isinstance(one, dict)}
        if isinstance(value, list)
        else {}
        for value in (old, new)
    ]
    return any(given in expected[1] and expected[1][given] != answer for given, answer in expected[0].items())


def _given(example: Mapping[str, Any]) -> str:
    """Return what identifies an example: its input, otherwise its title."""
    return str(example.get("input_text", example.get("input_file", example.get("title"))))


def _inside(before: _State, after: _State, kind: Kind, around: Surroundings) -> Iterator[Meaning]:
    if kind.uses("process"):
        yield from process_changes(before.inside, after.inside, around)
    elif kind.uses("machine"):
        yield from machine_changes(before.inside, after.inside)
    else:
        yield from _free_form(Change("/definition", before.inside, after.inside))


def _is_free_form(kind: Kind) -> bool:
    """True for a kind with fields that only its schema describes."""
    return not (kind.uses("process") or kind.uses("machine"))


def _free_form(change: Change) -> Iterator[Meaning]:
    """What a change of fields means that only a schema describes: by whether they were added, changed or
    removed."""
    parts = (
        diff(change.old, change.new)
        if isinstance(change.old, dict) and isinstance(change.new, dict)
        else (Change("", change.old, change.new),)
    )
    for one in parts:
        is_own = any(step.startswith("x-") for step in steps_of(change.pointer + one.pointer))
        rule = "C199" if is_own else _FREE_FORM[_what_happened(one.old, one.new)]
        yield meaning(rule, change.pointer + one.pointer, one.old, one.new)


def _what_happened(old: Any, new: Any) -> str:
    return "added" if old is MISSING else "removed" if new is MISSING else "changed"


def _judged_by_schema(one: Meaning, kind: Kind) -> Meaning:
    """The meaning with the level that the kind's schema gives to changes of the field, or of the nearest
    field above it."""
    steps = steps_of(one.pointer)
    fitting = [
        pointer for pointer in kind.traits.changes if steps[: len(steps_of(pointer))] == steps_of(pointer)
    ]
    if not fitting or one.rule in _NEVER_LOWERED:
        return one
    levels = kind.traits.changes[max(fitting, key=len)]
    level = levels.get(_what_happened(one.old, one.new))
    return (
        one if level is None else replace(one, level=Level(level), note="level set in the schema of the kind")
    )


def judged_by_settings(one: Meaning, name: str, settings: Settings) -> Meaning | None:
    """Return the meaning with its level from the settings for the definition `name`, or None to ignore it.

    The longest matching folder wins.
    """
    level = settings.level_of(one.rule, name)
    if level is None:
        return one
    return None if level == "ignore" else replace(one, level=Level(level), note="level set in registry.yaml")


def _without_credentials(one: Meaning, pair: _Pair[Definition], kinds: Kinds) -> Meaning:
    """Return the meaning with credentials in its values hidden."""
    shown = []
    for value, definition in ((one.old, pair.before), (one.new, pair.after)):
        if definition is None or value is MISSING:
            shown.append(value)
            continue
        kind = kinds.by_name.get(definition.kind)
        hidden = redacted(definition.data, kind.secret_fields if kind else SecretFields())
        is_field = same(field_at(definition.data, one.pointer), value)
        shown.append(field_at(hidden, one.pointer) if is_field else value)
    return replace(one, old=shown[0], new=shown[1], reason=hide_in_line(one.reason))


def _lines(definition: Definition, meanings: Iterable[Meaning]) -> dict[str, int]:
    """Map each pointer to its line in the new file, or to the line of its nearest parent that exists."""
    found = {}
    for one in meanings:
        steps: tuple[str, ...] = steps_of(one.pointer)
        while steps and field_at(definition.data, pointer_of(steps)) is MISSING:
            steps = steps[:-1]
        found[one.pointer] = definition.document.span(steps, key=bool(steps)).line
    return found


def _owners(definition: _State) -> tuple[str, ...]:
    return tuple(one for one in list_of(definition.data.get("owners")) if isinstance(one, str))


def _sites(side: Side) -> Callable[[Any], tuple[str, ...]]:
    kinds = side.kinds.using("machine")
    known = {one.name: one for one in (*side.definitions, *side.others) if one.kind in kinds}

    def sites(name: Any) -> tuple[str, ...]:
        mappings = known[name].inside.get("mappings") if isinstance(name, str) and name in known else None
        return tuple(mappings) if isinstance(mappings, dict) else ()

    return sites


def failing(changed: Iterable[Changed], fail_on: Callable[[Party, str], Level | None]) -> bool:
    """Return True when a change reaches the level that `fail_on(party, name)` returns. None never fails."""
    return any(
        limit is not None and each.level.rank <= limit.rank
        for one in changed
        for each in one.meanings
        for limit in (fail_on(party, one.name) for party in each.parties or tuple(Party))
    )
