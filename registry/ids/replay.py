"""Verify that a commit assigns ids as `registry index` would, by deciding them again. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry.ids.ledger import Ledger, LedgerEntry, Mark
from registry.ids.plan import Decision, decide


class ReplayedFile(NamedTuple):
    """One definition in a commit: its path and the id in the file."""

    path: str
    kind: str
    name: str
    id: int | None


class Step(NamedTuple):
    """One commit and its parent, reduced to what concerns ids.

    `before` maps the parent's files to their ids, `files` are the commit's files. Both contain the same part
    of the registry: all changed files, and all files related to their ids and names. `ledger` is the parent's
    ledger. If the branch was reset, it is the published ledger, of which `known_lines` lines are as old as
    the parent's files. `appended` are the ledger lines that the commit adds.
    """

    before: Mapping[str, int | None]
    files: Sequence[ReplayedFile]
    ledger: Ledger
    known_lines: int | None
    appended: Sequence[LedgerEntry]


class Refusal(NamedTuple):
    """A difference from what `registry index` would do, and how to fix it."""

    message: str
    hint: str = "remove the lines and ids: `registry index --push` writes them"


class Replayed(NamedTuple):
    """The differences of a step, and how many numbers of each kind it skipped."""

    refusals: tuple[Refusal, ...] = ()
    skipped: Mapping[str, int] = {}


def replay(step: Step, may_skip: Mapping[str, int], otherwise: int) -> Replayed:
    """Decide the ids of a commit again, from its files with the ids they had before, and compare.

    Every added ledger line must be an event of this decision, in the same order, and every written id must be
    the decided one. Ids and events may be missing: files may wait for an id, and events for their line. The
    first new number of a kind may skip up to `may_skip[kind]` numbers (default `otherwise`), for published
    numbers that only the indexer knows.
    """
    # The decision must not see the ids that the commit wrote: they are what is verified.
    stripped = [one._replace(id=_id_before(step, one)) for one in step.files]
    carried = {one.path: one.id for one in step.files}
    decided = decide(stripped, step.ledger, (), step.known_lines)
    # Files that stay without an id must not use up a number: decide again without them.
    waiting = {path for path in decided.new if carried[path] is None}
    if waiting:
        stripped = [one for one in stripped if one.path not in waiting]
        decided = decide(stripped, step.ledger, (), step.known_lines)
    first, claimed = _first_numbers(stripped, decided), _claimed(step, decided)
    skipped = {
        kind: claimed[kind] - number for kind, number in first.items() if claimed.get(kind, 0) > number
    }
    for kind, count in skipped.items():
        # Without this limit a pusher could use up all numbers up to the largest one in one commit.
        if count > (most := may_skip.get(kind, otherwise)):
            message = f"the first new id of {kind} is {claimed[kind]}; it may be at most {first[kind] + most}"
            hint = (
                "if the published site has more ids than this repository, raise the hook's --max-id-gap on "
                "the server"
            )
            return Replayed((Refusal(message, hint),))
    if skipped:
        decided = decide(
            stripped,
            step.ledger,
            [Mark("", "", {kind: claimed[kind] for kind in skipped}, 0, "")],
            step.known_lines,
        )
    return Replayed((*_wrong_lines(step, decided), *_wrong_files(step, decided)), skipped)


def _id_before(step: Step, file: ReplayedFile) -> int | None:
    """Return the id of a file without this commit: the parent's, or an older id in a new file."""
    if file.path in step.before:
        return step.before[file.path]
    # A copied or moved file brings an assigned id along, which is legitimate. A number that the ledger does
    # not know is what a pusher wrote.
    return file.id if (file.kind, file.id) in step.ledger.latest else None


def _first_numbers(stripped: Sequence[ReplayedFile], decided: Decision) -> dict[str, int]:
    """Return the first new number of each kind in the decision."""
    found: dict[str, int] = {}
    for one in stripped:
        if one.path in decided.new:
            found[one.kind] = min(found.get(one.kind, decided.ids[one.path]), decided.ids[one.path])
    return found


def _claimed(step: Step, decided: Decision) -> dict[str, int]:
    """Return the first new number of each kind in the commit."""
    found: dict[str, int] = {}
    for one in step.files:
        if one.path in decided.new and one.id is not None:
            found[one.kind] = min(found.get(one.kind, one.id), one.id)
    return found


def _wrong_lines(step: Step, decided: Decision) -> list[Refusal]:
    """Report the first line that is not an event of the decision, and on the first run a missing line."""
    # `in` on an iterator searches forward only: lines may be missing, but not in another order.
    remaining = iter(decided.events)
    for number, entry in enumerate(step.appended, len(step.ledger.entries) + 1):
        event = (entry.kind, entry.id, entry.name, entry.state)
        if event not in remaining:  # consumes the events up to this one
            return [
                Refusal(
                    f"line {number} of the ledger: {entry.kind} {entry.id} {entry.state} as {entry.name} "
                    "does not match the files"
                )
            ]
    if not step.ledger.entries and step.appended and len(step.appended) < len(decided.events):
        kind, number, name, _ = next(iter(remaining), decided.events[0])
        return [Refusal(f"the ledger is new and incomplete: {kind} {number} ({name}) is missing")]
    return []


def _wrong_files(step: Step, decided: Decision) -> list[Refusal]:
    """Report files with an id that is neither the old nor the decided one, or that the ledger lacks."""
    given = {(entry.kind, entry.id) for entry in step.appended}
    found = []
    for one in step.files:
        if one.path in step.before and one.id == step.before[one.path]:
            continue  # unchanged
        own = decided.ids.get(one.path)
        if one.id is None and (one.path not in step.before or own is None):
            continue  # waits for an id
        if one.id != own:
            has = f"has the id {one.id}" if one.id is not None else "lost its id"
            is_own = (
                f", but its id is {own}"
                if own is not None and one.path not in decided.new
                else ", which was not assigned to it"
            )
            found.append(Refusal(f"{one.path} {has}{is_own if one.id is not None else f', {own}'}"))
        elif one.path in decided.new and (one.kind, own) not in given:
            found.append(Refusal(f"{one.path} has the new id {one.id}, but the ledger has no line for it"))
    return found
