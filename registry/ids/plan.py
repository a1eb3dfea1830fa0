"""Assign ids: pure functions from definitions, ledger and marks to file edits and ledger lines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from registry.ids.edits import insert_id, replace_id
from registry.ids.ledger import MAX_ID, Ledger, LedgerEntry, Mark, append
from registry.model.definition import Definition
from registry.model.problem import Problem, Severity

_Key = tuple[str, int]
"""Kind and id."""
Event = tuple[str, int, str, str]
"""Kind, id, name and state of one ledger line."""


class Identified(Protocol):
    """The part of a definition that decides about its id."""

    @property
    def path(self) -> str:
        """Path of the file, relative to the registry's root."""

    @property
    def kind(self) -> str:
        """Name of its kind."""

    @property
    def name(self) -> str:
        """Its name within the kind."""

    @property
    def id(self) -> int | None:
        """The id in the file."""


One = TypeVar("One", bound=Identified)


class Assignment(NamedTuple):
    """The id for one file. `taken_off` is an id in the file that belongs to another definition, or None."""

    definition: Definition
    id: int
    taken_off: int | None = None
    is_new: bool = True


class Plan(NamedTuple):
    """What `registry index` has to write, or the problems that prevent it. `edits` are contents by path."""

    assignments: tuple[Assignment, ...]
    edits: Mapping[str, bytes]
    entries: tuple[LedgerEntry, ...]
    problems: tuple[Problem, ...] = ()


class Decision(NamedTuple):
    """Ids by path, the paths with new ids, and the events to append to the ledger, in order."""

    ids: Mapping[str, int]
    new: frozenset[str]
    events: tuple[Event, ...]


def decide(
    definitions: Sequence[Identified],
    ledger: Ledger,
    marks: Sequence[Mark] = (),
    known_lines: int | None = None,
) -> Decision:
    """Decide the id of each definition.

    A file keeps its id if the id was assigned before and does not belong to another existing file. A file at
    the path of an id that no file has any more gets that id back. All others get the next numbers of their
    kind, in byte order of paths. The next number is larger than every number in the ledger, in the marks and
    in the files. The first run takes over all ids in the files: those of a registry that moves here.

    `known_lines` is set when the branch was reset: the number of ledger lines that are as old as the files.
    """
    everything = _in_byte_order(definitions)
    then = _names_then(ledger, len(ledger.entries) if known_lines is None else known_lines)
    owners = _with_own_back(_carriers(everything, ledger, then), everything, ledger, then)
    ids = {definition.path: number for (_, number), definition in owners.items()}
    following = _following(everything, ledger, marks)
    events, new = list(_events_of_known(owners, ledger)), []
    for definition in everything:
        if definition.path not in ids:
            number = following[definition.kind]
            following[definition.kind] = number + 1
            ids[definition.path] = number
            new.append(definition.path)
            events.append((definition.kind, number, definition.name, "live"))
    return Decision(ids, frozenset(new), tuple(events))


def plan(
    definitions: Iterable[Definition],
    ledger: Ledger,
    marks: Sequence[Mark] = (),
    commit: str | None = None,
    known_lines: int | None = None,
) -> Plan:
    """Return the file edits and ledger lines that give every definition the id chosen by `decide`.

    The plan contains only problems when an id cannot be written (I024) or no id is left (I025).
    """
    everything = _in_byte_order(definitions)
    decided = decide(everything, ledger, marks, known_lines)
    exhausted = next(
        # Checked before any edit: a plan is written as a whole or not at all.
        (one.kind for one in everything if one.path in decided.new and decided.ids[one.path] > MAX_ID),
        None,
    )
    if exhausted is not None:
        return Plan((), {}, (), (_exhausted(everything, exhausted),))
    assignments = tuple(
        Assignment(one, decided.ids[one.path], one.id, one.path in decided.new)
        for one in everything
        if decided.ids[one.path] != one.id
    )
    edits, problems = _edits(assignments)
    return (
        Plan((), {}, (), problems)
        if problems
        else Plan(assignments, edits, append(ledger, decided.events, commit))
    )


def _in_byte_order(definitions: Iterable[One]) -> list[One]:
    # The order of bytes, not of code points or a locale: every machine must assign the same numbers.
    return sorted(definitions, key=lambda one: one.path.encode("utf-8", "surrogateescape"))


def _names_then(ledger: Ledger, known_lines: int) -> dict[_Key, str]:
    """Return the name of each id at the time of the files: the last known one, or the first later one."""
    names = {(entry.kind, entry.id): entry.name for entry in ledger.entries[:known_lines]}
    for entry in ledger.entries[known_lines:]:
        names.setdefault((entry.kind, entry.id), entry.name)
    return names


def _carriers(
    everything: Sequence[Identified], ledger: Ledger, then: Mapping[_Key, str]
) -> dict[_Key, Identified]:
    """Return the owner of each id among the files that have it."""
    carriers: dict[_Key, Identified] = {}
    is_first_run = not ledger.entries
    for definition in everything:
        key = (definition.kind, definition.id or 0)
        last = ledger.latest.get(key)
        if definition.id is None or (last is None and not is_first_run):
            continue  # no id, or one that was never assigned
        if last is not None and definition.name == last.name:
            carriers[key] = definition  # at its path in the ledger: wins over all others
        elif last is None or last.state != "gone" or definition.name == then[key]:
            carriers.setdefault(key, definition)  # renamed; the smallest path if there are several
    return carriers


def _with_own_back(
    carriers: Mapping[_Key, Identified],
    everything: Iterable[Identified],
    ledger: Ledger,
    then: Mapping[_Key, str],
) -> dict[_Key, Identified]:
    """Add the files that lost their id without being renamed: they get it back unless another file has it.

    If another file has it, the definition was renamed, and the file at the old path is a new one.
    """
    owners = dict(carriers)
    at = {(one.kind, one.name): one for one in everything}
    having = {definition.path for definition in owners.values()}
    live = [last for last in ledger.latest.values() if last.state != "gone"]
    # Oldest first: if two ids had the same name in succession, a branch that was reset has the first.
    for names in (then, {(last.kind, last.id): last.name for last in live}):
        for last in live:
            key = (last.kind, last.id)
            definition = at.get((last.kind, names[key]))
            if key not in owners and definition is not None and definition.path not in having:
                owners[key] = definition
                having.add(definition.path)
    return owners


def _following(everything: Sequence[Identified], ledger: Ledger, marks: Sequence[Mark]) -> dict[str, int]:
    """Return the next free number of each kind: unused in ledger, marks and files."""
    # Marks count because a branch that was reset lacks lines whose ids are published already.
    kinds = {definition.kind for definition in everything}
    following = {
        kind: max([ledger.next_id(kind), *(mark.next_ids.get(kind, 1) for mark in marks)]) for kind in kinds
    }
    for definition in everything:
        if definition.id is not None:
            # Also ids that were never assigned: otherwise two files could have one id until the invalid one
            # is fixed.
            following[definition.kind] = max(following[definition.kind], definition.id + 1)
    return following


def _events_of_known(owners: Mapping[_Key, Identified], ledger: Ledger) -> Iterator[Event]:
    """Yield an event for each id that was deleted, restored, renamed or taken over."""
    for key, last in ledger.latest.items():
        definition = owners.get(key)
        if definition is None and last.state != "gone":
            yield (*key, last.name, "gone")
        elif definition is not None and last.state == "gone":
            yield (*key, definition.name, "live")
        elif definition is not None and last.name != definition.name:
            yield (*key, definition.name, "moved")
    # Sorted, because the order of the lines decides about the hashes of the chain.
    for (kind, number), definition in sorted(owners.items(), key=lambda item: item[0]):
        if (kind, number) not in ledger.latest:
            yield kind, number, definition.name, "live"


def _edits(assignments: Iterable[Assignment]) -> tuple[dict[str, bytes], tuple[Problem, ...]]:
    edits, problems = {}, []
    for one in assignments:
        try:
            edits[one.definition.path] = (insert_id if one.taken_off is None else replace_id)(
                one.definition, one.id
            )
        except ValueError as error:
            problems.append(
                one.definition.problem(
                    "I024",
                    Severity.ERROR,
                    (),
                    str(error),
                    "write the file in block style, with one key per line",
                )
            )
    return edits, tuple(problems)


def _exhausted(everything: Iterable[Definition], kind: str) -> Problem:
    largest = max((one for one in everything if one.kind == kind), key=lambda one: one.id or 0)
    return largest.problem(
        "I025",
        Severity.ERROR,
        ("id",),
        f"no ids are left after {largest.id}",
        "delete the line: `registry index` assigns ids",
    )
