"""Applies as many fixes to one file as are valid together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from registry.autofix.edits import EditableFile, Fix, document_after, finding_place, with_edits
from registry.autofix.proposals import PROPOSALS
from registry.load import yaml
from registry.load.yaml.edit import in_usual_order
from registry.model.diff import same
from registry.model.pointer import pointer_of, steps_of
from registry.model.problem import Problem

if TYPE_CHECKING:
    from registry.load.kinds import Kind

# A fix may make another one possible: a renamed key can reveal a value of the wrong type.
_ROUNDS = 4
# Maximum number of checks of one file: hundreds of conflicting fixes are not worth minutes.
_MOST_CHECKS = 200
_KEY_ORDER_RULE = "W205"

Check = Callable[[bytes], tuple[Problem, ...]]
"""Returns the findings of a file with these bytes."""


class _State(NamedTuple):
    """The bytes of a file and their findings."""

    data: bytes
    problems: tuple[Problem, ...]


class FileFixer:
    """Applies as many compatible fixes to one file as possible."""

    def __init__(self, path: str, kind: Kind, check: Check) -> None:
        self._path = path
        self._kind = kind
        self._check = check
        self._checks_left = _MOST_CHECKS

    def fixed(self, data: bytes) -> bytes:
        """Return the bytes with all possible fixes applied. The operation is idempotent."""
        state = _State(data, self._check(data))
        state = self._with_usual_order(state)
        for _ in range(_ROUNDS):
            after = self._with_fixes(state, self._proposed(state))
            if after is state:
                break
            state = after
        return state.data

    def _with_usual_order(self, state: _State) -> _State:
        if not any(problem.rule == _KEY_ORDER_RULE for problem in state.problems):
            return state
        ordered = in_usual_order(state.data)
        if ordered in (None, state.data):
            return state
        assert ordered is not None
        after = _State(ordered, self._check(ordered))
        new = _counted(after.problems) - _counted(state.problems)
        return after if not new and len(after.problems) < len(state.problems) else state

    def _proposed(self, state: _State) -> list[Fix]:
        """Return fixes that do not overlap, in order of position."""
        file = self._read(state.data)
        if file is None:
            return []
        found: list[Fix] = []
        for problem in state.problems:
            propose = PROPOSALS.get(problem.rule)
            fix = propose(finding_place(problem, file)) if propose is not None else None
            if fix is not None and not any(_overlaps(fix, other) for other in found):
                found.append(fix)
        # Two keys that both resemble the same third key: the author must decide which one is meant.
        wanted = Counter(_renamed_to(fix) for fix in found)
        return [fix for fix in found if not fix.renames_key or wanted[_renamed_to(fix)] == 1]

    def _read(self, data: bytes) -> EditableFile | None:
        document, problems = yaml.read(data, self._path)
        # After any other parse finding, the document is not the complete content of the file.
        if (
            document is None
            or not isinstance(document.data, dict)
            or any(problem.rule != "Y011" for problem in problems)
        ):
            return None
        return EditableFile(data, document, self._kind)

    def _with_fixes(self, state: _State, fixes: Sequence[Fix]) -> _State:
        """Return the state with the valid ones of `fixes`: all at once, otherwise each half separately."""
        if not fixes or self._checks_left <= 0:
            return state
        after = self._applied(state, fixes)
        if after is not None:
            return after
        if len(fixes) == 1:
            return state
        # Apply the later half first: offsets before it stay valid.
        middle = len(fixes) // 2
        ordered = sorted(fixes, key=lambda fix: fix.edits[0].start)
        later = self._with_fixes(state, ordered[middle:])
        return self._with_fixes(later, ordered[:middle])

    def _applied(self, state: _State, fixes: Sequence[Fix]) -> _State | None:
        """Return the state after all of `fixes`, or None if they are not valid together."""
        after = self._changed(state, fixes)
        if after is None:
            return None
        allowed = _remaining(state, fixes)
        new = _counted(after.problems) - allowed
        if not new:
            return after
        # A renamed key may reveal an invalid value: fix both or neither.
        if not any(fix.renames_key for fix in fixes):
            return None
        more = [fix for fix in self._proposed(after) if (fix.rule, fix.pointer) in new]
        again = self._changed(after, more) if more else None
        return again if again is not None and not _counted(again.problems) - allowed else None

    def _changed(self, state: _State, fixes: Sequence[Fix]) -> _State | None:
        """Return the state after the edits of `fixes`, or None if the document is not the intended one."""
        before = yaml.read(state.data, self._path).document
        data = with_edits(state.data, [edit for fix in fixes for edit in fix.edits])
        after = yaml.read(data, self._path).document
        if (
            before is None
            or after is None
            or data == state.data
            or not same(after.data, document_after(before.data, fixes))
        ):
            return None
        self._checks_left -= 1
        return _State(data, self._check(data))


def _remaining(state: _State, fixes: Sequence[Fix]) -> Counter[tuple[str, str]]:
    """Count the findings that may remain after `fixes`, at their places in the changed document."""
    renames = {old: new for fix in fixes for old, new in fix.renames.items()}
    before = Counter((problem.rule, _renamed(problem.pointer, renames)) for problem in state.problems)
    return before - Counter((fix.rule, _renamed(fix.pointer, renames)) for fix in fixes)


def _counted(problems: Iterable[Problem]) -> Counter[tuple[str, str]]:
    return Counter((problem.rule, problem.pointer) for problem in problems)


def _overlaps(fix: Fix, other: Fix) -> bool:
    return any(one.start < two.end and two.start < one.end for one in fix.edits for two in other.edits)


def _renamed_to(fix: Fix) -> tuple[str, str]:
    old, new = next(iter(fix.renames.items()), ("", ""))
    return old.rpartition("/")[0], new


def _renamed(pointer: str, renames: Mapping[str, str]) -> str:
    """Return the location of `pointer` after `renames`."""
    if not renames:
        return pointer
    steps = steps_of(pointer)
    return pointer_of(
        tuple(renames.get(pointer_of(steps[: depth + 1]), step) for depth, step in enumerate(steps))
    )
