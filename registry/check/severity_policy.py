"""Apply exceptions and severity settings to findings, and hide credentials in their messages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from registry.check import credentials
from registry.credentials import HIDDEN
from registry.load.settings import IGNORE, LEVELS, Settings
from registry.model.definition import kind_and_name
from registry.model.pointer import steps_of
from registry.model.problem import Problem, Severity
from registry.model.rule_exceptions import exceptions_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from registry.check.rule import Registry

# Rules about file format, schema, ids and settings: files and teams cannot change them.
FIXED = frozenset("YSIK")


def apply_policy(
    found: Iterable[Problem],
    registry: Registry,
    settings: Settings,
    silent: frozenset[str],
    base: Settings | None = None,
) -> tuple[Problem, ...]:
    """Return the problems to report, sorted by location.

    `silent` rules count only where the settings set a severity. `base` are the settings of the target branch
    of a change. For credential rules, the stricter of `settings` and `base` counts.
    """
    problems = list(found)
    # Exceptions before severities: whether an exception is used must not depend on the level of its rule.
    problems = [*_without_excepted(problems, registry)]
    problems = [
        adjusted
        for problem in problems
        if (adjusted := _with_severity(problem, settings, silent, base)) is not None
    ]
    # The last step, so that no message that an earlier step adds can show a credential.
    problems = [_without_credentials(problem, registry) for problem in problems]
    return tuple(sorted(problems, key=lambda problem: problem.sort_key))


def _without_excepted(problems: list[Problem], registry: Registry) -> Iterator[Problem]:
    """Yield problems that no exception in their file covers, and a W204 warning for each unused exception."""
    excepting = {one.path: one for one in registry.loaded.definitions if one.summary.is_excepting}
    exceptions = {path: [*exceptions_in(one.data)] for path, one in excepting.items()}
    used: dict[str, set[int]] = {path: set() for path in excepting}
    for problem in problems:
        steps = steps_of(problem.pointer)
        covering = (one for one in exceptions.get(problem.span.path, ()) if one.covers(problem.rule, steps))
        found = next(covering, None) if problem.rule[:1] not in FIXED else None
        if found is None:
            yield problem
        else:
            used[problem.span.path].add(found.place)
    for path, definition in excepting.items():
        for one in exceptions[path]:
            if one.place not in used[path]:
                fixed = one.rule[:1] in FIXED
                message = (
                    f"{one.rule} allows no exceptions"
                    if fixed
                    else f"unused exception: {one.rule} finds nothing here"
                )
                hint = "fix the problem" if fixed else "remove the exception"
                yield definition.problem("W204", Severity.WARNING, ("ignore", one.place), message, hint)


def _with_severity(
    problem: Problem, settings: Settings, silent: frozenset[str], base: Settings | None
) -> Problem | None:
    """Return the problem with its severity from `registry.yaml`, or None to ignore it. Folders override.

    For credentials the stricter of `settings` and `base` counts: a change cannot excuse the secret it adds.
    """
    is_adjustable = settings.rules or settings.folders or base is not None or problem.rule in silent
    if problem.rule[:1] in FIXED or not is_adjustable:
        return problem
    level = _level_of(problem, settings, silent)
    if base is not None and problem.rule[:1] == "X" and problem.rule[1:].isdigit():
        level = min(level, _level_of(problem, base, silent), key=LEVELS.index)
    return None if level == IGNORE else replace(problem, severity=Severity(level))


def _level_of(problem: Problem, settings: Settings, silent: frozenset[str]) -> str:
    kind_name = kind_and_name(problem.span.path)
    default = IGNORE if problem.rule in silent else problem.severity.value
    return settings.level_of(problem.rule, kind_name[1] if kind_name else "") or default


def _without_credentials(problem: Problem, registry: Registry) -> Problem:
    """Hide credentials in the message and the hint, which may quote the value they are about."""
    definition = registry.by_path.get(problem.span.path)
    if definition is not None and problem.pointer:
        for value in credentials.values(definition, registry):
            if value in problem.message or value in problem.hint:
                problem = replace(
                    problem,
                    message=problem.message.replace(value, HIDDEN),
                    hint=problem.hint.replace(value, HIDDEN),
                )
    return problem
