"""Run the old and the new definition of each change on the recorded examples, and report other outcomes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.changes.compare import GUARDS, Changed, Comparison, What
from registry.changes.table import Level, Party
from registry.execution.examples import (
    Mismatch,
    difference_lines,
    examples_of,
    failure_of,
    input_of,
    mismatches_of,
    sample_reader,
)
from registry.execution.runner import RunResult, run_definition
from registry.load.kinds import load_kinds
from registry.load.loader import load_definitions
from registry.model.definition import Definition, definition_path
from registry.model.diff import same
from registry.model.problem import Problem, Severity
from registry.model.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from registry.errors import Read
    from registry.execution.runner import Runner
    from registry.load.source import Source

_LONGEST_ALL_S = 900.0
_NO_TIME_LEFT = f"the examples of this change take longer than {_LONGEST_ALL_S / 60:.0f} minutes"


class Comparability(StrEnum):
    """What running an example on both definitions showed."""

    DIFFERENT = "different"
    UNSTABLE = "unstable"
    SAME = "same"
    NEW = "new"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class TriedExample:
    """One example, run on the old and the new definition.

    `before` and `after` describe the two outcomes; `before` is "" for a new definition. `lines` are the
    difference of the two outputs. `mismatches` are the expectations that the new definition does not meet, if
    the example is one of its own. `reason` says why it was not run.
    """

    title: str
    verdict: Comparability
    before: str = ""
    after: str = ""
    lines: tuple[str, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TriedChange:
    """The examples of one changed definition, and whom another outcome concerns.

    `affects` are the definitions that use it. `parties` must act first, as for the changes of its fields.
    """

    title: str
    path: str
    owners: tuple[str, ...]
    affects: tuple[str, ...]
    parties: tuple[Party, ...]
    examples: tuple[TriedExample, ...]

    @property
    def is_failing(self) -> bool:
        """True if the new definition does not meet the expectations of its own examples."""
        return any(one.mismatches for one in self.examples)


class _Sample(NamedTuple):
    """An example of one of the two definitions; `is_own` if the new one has it."""

    example: Mapping[str, Any]
    message: bytes | None
    is_own: bool
    read: Read


def try_changes(
    before: Source,
    after: Source,
    comparison: Comparison,
    runner: Runner,
    *,
    problems: Iterable[Problem] = (),
) -> tuple[TriedChange, ...]:
    """Return what the examples of each changed definition show.

    Removed definitions and changes that are no definitions have no examples to run. A definition with errors
    in `problems` is not run. `runner` must have a sandbox unless the change can be trusted.
    """
    broken = {one.span.path for one in problems if one.severity is Severity.ERROR}
    changed = [one for one in comparison.changed if one.kind != GUARDS and one.what is not What.REMOVED]
    old_paths = {
        one.path: definition_path(one.kind, one.old_name or one.name)
        for one in changed
        if one.what is not What.ADDED
    }
    was, now = _definitions(before, old_paths.values()), _definitions(after, [one.path for one in changed])
    deadline = time.monotonic() + _LONGEST_ALL_S
    found = []
    for one in changed:
        definition = now.get(one.path)
        if definition is not None:
            pair = _PairOfRuns(was.get(old_paths.get(one.path, "")), definition, runner, deadline)
            examples = (
                _not_run(definition, "its file has errors")
                if one.path in broken
                else tuple(pair.results(sample_reader(before), sample_reader(after)))
            )
            if examples:
                found.append(_tried(one, examples))
    return tuple(found)


def _not_run(definition: Definition, reason: str) -> tuple[TriedExample, ...]:
    return tuple(
        TriedExample(_title(number, example), Comparability.NOT_RUN, reason=reason)
        for number, example in enumerate(examples_of(definition), 1)
    )


def _title(number: int, example: Mapping[str, Any]) -> str:
    return text_of(example.get("title")) or f"example {number}"


def _definitions(source: Source, paths: Any) -> dict[str, Definition]:
    """Return the definitions at these paths that have a program, by path."""
    kinds, _ = load_kinds(source)
    processes = kinds.using("process")
    loaded = load_definitions(source, kinds, frozenset(paths)) if paths else None
    found = loaded.definitions if loaded is not None else ()
    return {one.path: one for one in found if one.kind in processes}


def _tried(changed: Changed, examples: tuple[TriedExample, ...]) -> TriedChange:
    number = f" (id {changed.id})" if changed.id is not None else ""
    concerned = {party for one in changed.meanings if one.level is not Level.SAFE for party in one.parties}
    if any(one.verdict is Comparability.DIFFERENT for one in examples):
        concerned.add(Party.YIELD)
    return TriedChange(
        f"{changed.name}{number}",
        changed.path,
        changed.owners,
        changed.affects,
        tuple(party for party in Party if party in concerned),
        examples,
    )


class _PairOfRuns:
    """Runs the examples of a definition on its old and its new state."""

    def __init__(self, before: Definition | None, after: Definition, runner: Runner, deadline: float) -> None:
        self._before = before
        self._after = after
        self._runner = runner
        self._deadline = deadline
        self._runs_alike = before is not None and same(before.inside, after.inside)

    def results(self, read_before: Read, read_after: Read) -> Iterator[TriedExample]:
        """Yield the result of each example of the new definition, then of those that only the old one has."""
        own = [_Sample(one, input_of(one, read_after), True, read_after) for one in examples_of(self._after)]
        theirs = examples_of(self._before) if self._before is not None else []
        old = [_Sample(one, input_of(one, read_before), False, read_before) for one in theirs]
        known = {one.message for one in own}
        for number, sample in enumerate([*own, *(one for one in old if one.message not in known)], 1):
            yield replace(self._result(sample), title=_title(number, sample.example))

    def _result(self, sample: _Sample) -> TriedExample:
        if sample.message is None:
            return TriedExample("", Comparability.NOT_RUN, reason="its input file cannot be read")
        if time.monotonic() > self._deadline:
            return TriedExample("", Comparability.NOT_RUN, reason=_NO_TIME_LEFT)
        after = run_definition(self._after.inside, sample.message, self._runner)
        before = after if self._runs_alike else self._run_before(sample.message)
        if after.obstacle:
            return TriedExample("", Comparability.NOT_RUN, reason=after.obstacle)
        mismatches = tuple(mismatches_of(sample.example, after, sample.read)) if sample.is_own else ()
        now = outcome_words(after)
        if before is None:
            return TriedExample("", Comparability.NEW, after=now, mismatches=mismatches)
        if before.obstacle:
            reason = f"the old definition cannot be compared: {before.obstacle}"
            return TriedExample("", Comparability.NOT_RUN, after=now, mismatches=mismatches, reason=reason)
        verdict = self._verdict(before, after, sample.message)
        is_shown = verdict is Comparability.DIFFERENT
        lines = difference_lines(before.output or b"", after.output or b"") if is_shown else ()
        return TriedExample("", verdict, outcome_words(before), now, lines, mismatches)

    def _run_before(self, message: bytes) -> RunResult | None:
        return (
            run_definition(self._before.inside, message, self._runner) if self._before is not None else None
        )

    def _verdict(self, before: RunResult, after: RunResult, message: bytes) -> Comparability:
        """Compare two outcomes. If they differ, the old definition runs again: its output may never be the
        same."""
        if _is_alike(before, after):
            return Comparability.SAME
        again = self._run_before(message)
        is_stable = again is not None and _is_alike(before, again)
        return Comparability.DIFFERENT if is_stable else Comparability.UNSTABLE


def _is_alike(one: RunResult, other: RunResult) -> bool:
    return (one.end, one.status, one.output) == (other.end, other.status, other.output)


def outcome_words(run: RunResult) -> str:
    """Return `exit status 0, 12 bytes of output`, or why a run has none."""
    failure = failure_of(run)
    if failure is not None:
        return failure.message.removesuffix(", expected 0")
    status = f"exit status {run.status}" if run.status is not None else "stopped when idle"
    return f"{status}, {len(run.output or b''):,} bytes of output"


def count_verdicts(tried: Sequence[TriedChange], verdict: Comparability) -> int:
    """Return the number of examples with a verdict."""
    return sum(one.verdict is verdict for change in tried for one in change.examples)
