"""Whether a commit gives ids as `registry index` would: its new ids and ledger lines are taken off and decided again; pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry.ids.ledger import Ledger, LedgerEntry, Mark
from registry.ids.plan import Decision, decide
from registry.model.definition import LEDGER_PATH


class ReplayedFile(NamedTuple):
    """One definition as a commit has it: where it is, and the id that it carries."""

    path: str
    kind: str
    name: str
    id: int | None


class Step(NamedTuple):
    """One commit and its parent, as far as ids go.

    `before` has the ids of the parent's files by path, `files` the commit's. Both hold the same part of the registry: all
    files that changed, and all that have to do with the ids and names of these. `ledger` is what the parent has; where the
    branch was set back, what was published, and then `known_lines` of it are as old as the parent's files. `appended` are
    the lines that the commit adds.
    """

    before: Mapping[str, int | None]
    files: Sequence[ReplayedFile]
    ledger: Ledger
    known_lines: int | None
    appended: Sequence[LedgerEntry]


class Refusal(NamedTuple):
    """Why a commit does not give ids as `registry index` does, and what can be done."""

    message: str
    hint: str = "take the lines and ids out: `registry index --push` writes them"


class Replayed(NamedTuple):
    """What is wrong with a step, and for each kind how many numbers it left out."""

    refusals: tuple[Refusal, ...] = ()
    skipped: Mapping[str, int] = {}


def replay(step: Step, may_skip: Mapping[str, int], otherwise: int) -> Replayed:
    """Decide about the ids of a commit again, from its files with the ids that they had before, and compare.

    Every line that the commit adds must be an event of this decision, in the same order, and every id that it writes must
    be the one that was decided. Files may go on waiting for an id, and events for their line. The first new number of a
    kind may leave out as many as `may_skip` says (kinds that are not named: `otherwise`), for numbers that were published
    and that only the indexer knows of.
    """
    stripped = [one._replace(id=_id_before(step, one)) for one in step.files]
    carried = {one.path: one.id for one in step.files}
    decided = decide(stripped, step.ledger, (), step.known_lines)
    waiting = {path for path in decided.new if carried[path] is None}
    if waiting:
        stripped = [one for one in stripped if one.path not in waiting]
        decided = decide(stripped, step.ledger, (), step.known_lines)
    first, claimed = _first_numbers(stripped, decided), _claimed(step, decided)
    skipped = {
        kind: claimed[kind] - number for kind, number in first.items() if claimed.get(kind, 0) > number
    }
    for kind, count in skipped.items():
        if count > (most := may_skip.get(kind, otherwise)):
            message = (
                f"the first new id of {kind} is {claimed[kind]}, and may be {first[kind] + most} at most"
            )
            hint = "if the published site knows of more ids than this repository, the hook's --max-id-gap on the server allows more"
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
    """The id of a file without what the commit gave: that of the parent; of a new file one that was given before."""
    if file.path in step.before:
        return step.before[file.path]
    return file.id if (file.kind, file.id) in step.ledger.latest else None


def _first_numbers(stripped: Sequence[ReplayedFile], decided: Decision) -> dict[str, int]:
    """The first new number of each kind, as decided."""
    found: dict[str, int] = {}
    for one in stripped:
        if one.path in decided.new:
            found[one.kind] = min(found.get(one.kind, decided.ids[one.path]), decided.ids[one.path])
    return found


def _claimed(step: Step, decided: Decision) -> dict[str, int]:
    """The first new number of each kind, as the commit has it."""
    found: dict[str, int] = {}
    for one in step.files:
        if one.path in decided.new and one.id is not None:
            found[one.kind] = min(found.get(one.kind, one.id), one.id)
    return found


def _wrong_lines(step: Step, decided: Decision) -> list[Refusal]:
    """The first line that is no event of the decision; and on the first run, a line that is missing."""
    remaining = iter(decided.events)
    for number, entry in enumerate(step.appended, len(step.ledger.entries) + 1):
        event = (entry.kind, entry.id, entry.name, entry.state)
        if event not in remaining:  # takes events up to and with this one
            place = f"{LEDGER_PATH}:{number}"
            return [
                Refusal(
                    f"{place}: {entry.kind} {entry.id} {entry.state} as {entry.name} is not what happened to the files"
                )
            ]
    if not step.ledger.entries and step.appended and len(step.appended) < len(decided.events):
        kind, number, name, _ = next(iter(remaining), decided.events[0])
        return [
            Refusal(f"{LEDGER_PATH} is new and does not have all ids: {kind} {number} ({name}) is missing")
        ]
    return []


def _wrong_files(step: Step, decided: Decision) -> list[Refusal]:
    """Files whose id is neither what it was nor what was decided, or that carry a new one without a line in the ledger."""
    given = {(entry.kind, entry.id) for entry in step.appended}
    found = []
    for one in step.files:
        if one.path in step.before and one.id == step.before[one.path]:
            continue  # as it was
        own = decided.ids.get(one.path)
        if one.id is None and (one.path not in step.before or own is None):
            continue  # waits for one
        if one.id != own:
            has = f"carries the id {one.id}" if one.id is not None else "has lost its id"
            is_own = (
                f", and its own is {own}"
                if own is not None and one.path not in decided.new
                else ", which was not given to it"
            )
            found.append(Refusal(f"{one.path} {has}{is_own if one.id is not None else f', {own}'}"))
        elif one.path in decided.new and (one.kind, own) not in given:
            found.append(
                Refusal(f"{one.path} carries the new id {one.id}, and {LEDGER_PATH} has no line for it")
            )
    return found
