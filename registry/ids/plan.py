"""Who gets which id: one pure function from definitions, ledger and marks to edits, new ledger lines and problems."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from registry.ids.edits import insert_id, replace_id
from registry.ids.ledger import MAX_ID, Ledger, LedgerEntry, Mark, append
from registry.model.definition import Definition
from registry.model.problem import Problem, Severity

Key = tuple[str, int]
"""Kind and id."""
Event = tuple[str, int, str, str]
"""Kind, id, name and state of one line of the ledger."""


class Identified(Protocol):
    """What decides about the id of a definition: where it is, and the id that it carries."""

    @property
    def path(self) -> str:
        """Path of the file, relative to the registry's root."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def id(self) -> int | None:
        """The id that it carries."""


One = TypeVar("One", bound=Identified)


class Assignment(NamedTuple):
    """The id that one file is to carry. `taken_off` is the one that it carried and that is not its own, if any."""

    definition: Definition
    id: int
    taken_off: int | None = None
    is_new: bool = True


class Plan(NamedTuple):
    """What `registry index` is to do: bytes of files by path, lines to append; or the problems that stop it."""

    assignments: tuple[Assignment, ...]
    edits: Mapping[str, bytes]
    entries: tuple[LedgerEntry, ...]
    problems: tuple[Problem, ...] = ()


class Decision(NamedTuple):
    """The id of each definition by path, those among them that are new, and the events that the ledger lacks, in order."""

    ids: Mapping[str, int]
    new: frozenset[str]
    events: tuple[Event, ...]


def decide(
    definitions: Sequence[Identified],
    ledger: Ledger,
    marks: Sequence[Mark] = (),
    known_lines: int | None = None,
) -> Decision:
    """Which id is whose.

    A file keeps the id it carries when that is its own: given before, and not to a file that is still there. A file at the
    path of an id that no file carries any more gets that one back. All others get the next numbers of their kind, in byte
    order of paths; a number is the next one when neither the ledger, nor a mark, nor any file knows it. The very first run
    takes over the ids that files bring along: those of a registry that moves here.

    `known_lines` is given where the branch was set back: so many lines of the ledger are as old as its files.
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
    """Give every definition the id that is its own, as `decide` says, by edits of the files and new lines of the ledger."""
    everything = _in_byte_order(definitions)
    decided = decide(everything, ledger, marks, known_lines)
    exhausted = next(
        (one.kind for one in everything if one.path in decided.new and decided.ids[one.path] > MAX_ID), None
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
    return sorted(definitions, key=lambda one: one.path.encode("utf-8", "surrogateescape"))


def _names_then(ledger: Ledger, known_lines: int) -> dict[Key, str]:
    """The name of each id when the files were as they are: the last one that was known, else the first that it got after."""
    names = {(entry.kind, entry.id): entry.name for entry in ledger.entries[:known_lines]}
    for entry in ledger.entries[known_lines:]:
        names.setdefault((entry.kind, entry.id), entry.name)
    return names


def _carriers(
    everything: Sequence[Identified], ledger: Ledger, then: Mapping[Key, str]
) -> dict[Key, Identified]:
    """The file that each id belongs to, of those that carry it."""
    carriers: dict[Key, Identified] = {}
    is_first_run = not ledger.entries
    for definition in everything:
        key = (definition.kind, definition.id or 0)
        last = ledger.latest.get(key)
        if definition.id is None or (last is None and not is_first_run):
            continue  # none, or one that was never given
        if last is not None and definition.name == last.name:
            carriers[key] = definition  # where the ledger knows it, whoever else carries it
        elif last is None or last.state != "gone" or definition.name == then[key]:
            carriers.setdefault(key, definition)  # moved here; the smaller path where several say so
    return carriers


def _with_own_back(
    carriers: Mapping[Key, Identified],
    everything: Iterable[Identified],
    ledger: Ledger,
    then: Mapping[Key, str],
) -> dict[Key, Identified]:
    """The same, and files that lost their id where they lie: they get it back, unless another carries it.

    If one does, the id was taken along to a new name, and what lies at the old one now is new.
    """
    owners = dict(carriers)
    at = {(one.kind, one.name): one for one in everything}
    having = {definition.path for definition in owners.values()}
    live = [last for last in ledger.latest.values() if last.state != "gone"]
    # Oldest first: of two ids that had one name one after the other, a branch that was set back has the first.
    for names in (then, {(last.kind, last.id): last.name for last in live}):
        for last in live:
            key = (last.kind, last.id)
            definition = at.get((last.kind, names[key]))
            if key not in owners and definition is not None and definition.path not in having:
                owners[key] = definition
                having.add(definition.path)
    return owners


def _following(everything: Sequence[Identified], ledger: Ledger, marks: Sequence[Mark]) -> dict[str, int]:
    """For each kind the first number that nobody knows: not the ledger, no mark, no file."""
    kinds = {definition.kind for definition in everything}
    following = {
        kind: max([ledger.next_id(kind), *(mark.next_ids.get(kind, 1) for mark in marks)]) for kind in kinds
    }
    for definition in everything:
        if definition.id is not None:
            following[definition.kind] = max(following[definition.kind], definition.id + 1)
    return following


def _events_of_known(owners: Mapping[Key, Identified], ledger: Ledger) -> Iterator[Event]:
    """Kind, id, name and state for every id that is gone, back, moved, or was brought along."""
    for key, last in ledger.latest.items():
        definition = owners.get(key)
        if definition is None and last.state != "gone":
            yield (*key, last.name, "gone")
        elif definition is not None and last.state == "gone":
            yield (*key, definition.name, "live")
        elif definition is not None and last.name != definition.name:
            yield (*key, definition.name, "moved")
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
                    "I024", Severity.ERROR, (), str(error), "write the file in block style: one key a line"
                )
            )
    return edits, tuple(problems)


def _exhausted(everything: Iterable[Definition], kind: str) -> Problem:
    largest = max((one for one in everything if one.kind == kind), key=lambda one: one.id or 0)
    return largest.problem(
        "I025",
        Severity.ERROR,
        ("id",),
        f"no id is left after {largest.id}",
        "delete the line: ids are given by `registry index`",
    )
