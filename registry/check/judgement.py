"""What becomes of findings: reviewed exceptions in files, a team's severities, and words without credentials."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from registry.check import credentials
from registry.check.rule import Registry
from registry.credentials import HIDDEN
from registry.errors import Problem, Severity
from registry.loader import Definition, kind_and_name
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
    used: dict[str, set[int]] = {path: set() for path in excepting}
    for problem in problems:
        definition = excepting.get(problem.span.path)
        place = next((n for n, rule, path in _exceptions(definition) if _fits(problem, rule, path)), None) if definition is not None else None
        if place is None:
            yield problem
        else:
            used[problem.span.path].add(place)
    for path, definition in excepting.items():
        for number, rule, _ in _exceptions(definition):
            if number not in used[path]:
                fixed = rule[:1] in FIXED
                message = f"{rule} cannot be excepted" if fixed else f"{rule} finds nothing here"
                yield definition.problem(
                    "W204", Severity.WARNING, ("ignore", number), message, "mend the file" if fixed else "take the exception out"
                )


def _exceptions(definition: Definition) -> Iterator[tuple[int, str, str]]:
    """Place, rule and path of each exception that says why."""
    listed = definition.data["ignore"]
    for number, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, dict) and isinstance(item.get("rule"), str) and item.get("reason"):
            yield number, item["rule"], str(item.get("path", "")).rstrip("/")


def _fits(problem: Problem, rule: str, path: str) -> bool:
    is_below = not path or problem.pointer == path or problem.pointer.startswith(f"{path}/")
    return problem.rule == rule and is_below and rule[:1] not in FIXED


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
