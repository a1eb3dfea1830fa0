"""What becomes of findings: reviewed exceptions in files, a team's severities, and words without credentials."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from registry.check import credentials
from registry.check.rule import Registry
from registry.credentials import HIDDEN
from registry.diff import steps_of
from registry.errors import Problem, Severity
from registry.loader import kind_and_name
from registry.rule_exceptions import exceptions_in
from registry.settings import IGNORE, Settings

# How a file must be written, and ids, are not for a file or a team to decide.
FIXED = frozenset("YSIK")


def judge(found: Iterable[Problem], registry: Registry, settings: Settings, silent: frozenset[str]) -> tuple[Problem, ...]:
    """The problems that are told, in order of place; those of `silent` rules only where the settings give them a severity."""
    problems = list(found)
    problems = [*_not_excepted(problems, registry)]
    problems = [judged for problem in problems if (judged := _with_severity(problem, settings, silent)) is not None]
    problems = [_without_credentials(problem, registry) for problem in problems]
    return tuple(sorted(problems, key=lambda problem: problem.sort_key))


def _not_excepted(problems: list[Problem], registry: Registry) -> Iterator[Problem]:
    """Problems without those that their own file excepts, and each exception that excepts nothing."""
    excepting = {one.path: one for one in registry.loaded.definitions if one.outline.is_excepting}
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
                message = f"{one.rule} cannot be excepted" if fixed else f"{one.rule} finds nothing here"
                hint = "fix what it finds" if fixed else "remove the exception"
                yield definition.problem("W204", Severity.WARNING, ("ignore", one.place), message, hint)


def _with_severity(problem: Problem, settings: Settings, silent: frozenset[str]) -> Problem | None:
    """The problem as `registry.yaml` judges it: its folder's word counts before the whole registry's."""
    if problem.rule[:1] in FIXED or not (settings.rules or settings.folders or problem.rule in silent):
        return problem
    kind_name = kind_and_name(problem.span.path)
    level = settings.level_of(problem.rule, kind_name[1] if kind_name else "")
    if level is None:
        return None if problem.rule in silent else problem
    return None if level == IGNORE else replace(problem, severity=Severity(level))


def _without_credentials(problem: Problem, registry: Registry) -> Problem:
    """The problem with credentials in its words hidden: a message may quote the value that it is about."""
    definition = registry.by_path.get(problem.span.path)
    if definition is not None and problem.pointer:
        for value in credentials.values(definition, registry):
            if value in problem.message or value in problem.hint:
                problem = replace(problem, message=problem.message.replace(value, HIDDEN), hint=problem.hint.replace(value, HIDDEN))
    return problem
