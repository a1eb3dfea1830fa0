"""`registry check`: say everything that is wrong, in every file, in one run."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import (
    AllOption,
    QuietOption,
    RegistryOption,
    SourceOption,
    counted,
    err,
    find_root,
    lines_from,
    out,
    show_problems,
    write_text,
)
from registry.errors import UsageError
from registry.model.problem import Problem, Severity, has_errors
from registry.reports import FORMATS
from registry.runtime import never_collect

if TYPE_CHECKING:
    from registry.load.source import Source
    from registry.review.review import Review


CheckFormat = StrEnum("CheckFormat", {name.upper(): name for name in FORMATS})  # type: ignore[misc]
_TEXT = CheckFormat("text")


def command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Only what is wrong in these files or folders.", metavar="[PATHS]..."),
    ] = None,
    registry: RegistryOption = None,
    source: SourceOption = "worktree",
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help="The branch that a change is meant for: check the result of merging with it, and its ids.",
            metavar="REF",
        ),
    ] = None,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help="Only files that differ from the last commit (or from --base), and what has to do with them.",
        ),
    ] = False,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Fix what is safe to fix (spelling of keys, quoting, known older forms), show the changes, and check again.",
        ),
    ] = False,
    second_opinion: Annotated[
        bool,
        typer.Option(
            "--second-opinion",
            help="Also ask detect-secrets about credentials (pip install detect-secrets).",
        ),
    ] = False,
    format_: Annotated[
        CheckFormat, typer.Option("--format", help="How to say it: for people, or for programs.")
    ] = _TEXT,
    max_problems: Annotated[
        int | None, typer.Option("--max-problems", help="Show so many at most; all of them count.", min=1)
    ] = None,
    every: AllOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check the definitions: schema, references, adapters and placeholders, names, ids.

    Exit code 0: no errors (warnings do not count); 1: errors; 2: could not check.

    Examples: `registry check` · `registry check definitions/process_definition/weather` ·
    `registry check --source HEAD~1 --format json` · `registry check --base origin/main`
    """
    never_collect()
    root = find_root(registry)
    wanted = _within(root, paths or [])
    result = _look(root, source, base, changed=changed)
    if fix:
        _fix(root, source, [problem for problem in result.problems if _is_wanted(problem, wanted)])
        result = _look(root, source, base, changed=changed)
    if second_opinion:
        result = _ask_again(result)
    problems = [problem for problem in result.problems if _is_wanted(problem, wanted)]
    if result.note:
        err.print(f"note: {result.note}", markup=False)
    shown = [one for one in problems if one.severity is Severity.ERROR] if quiet else problems
    hidden = len(shown[max_problems:]) if max_problems is not None else 0
    shown = shown[:max_problems]
    if format_ is not _TEXT:
        _write(shown, format_, result.source)
    elif shown:
        show_problems(shown, result.source.read, to_stdout=True, is_complete=every)
    elif not quiet:
        out.print(f"{counted(result.count, 'definition')} checked. No problems.")
    if hidden:
        err.print(f"{hidden:,} more are not shown.")
    if has_errors(problems):
        raise typer.Exit(1)


def _ask_again(result: "Review") -> "Review":
    """The result with what detect-secrets finds as well."""
    from registry.check.detect_secrets import detect_more_secrets
    from registry.pipeline import check_source

    checked = check_source(result.source)
    more = detect_more_secrets(checked.loaded, checked.kinds, checked.problems)
    return replace(
        result, problems=tuple(sorted((*result.problems, *more), key=lambda problem: problem.sort_key))
    )


def _fix(root: Path, revision: str, problems: Sequence[Problem]) -> None:
    """Fix the files that have problems, and show the changes on stderr: stdout has what is left."""
    from difflib import unified_diff

    from registry.autofix import fix_files
    from registry.credentials import hide_in_line

    if revision != "worktree":
        raise UsageError("--fix changes the work tree, not a commit", "leave out --source, or --fix")
    fixed = fix_files(root, {problem.span.path for problem in problems})
    for one in fixed:
        before, after = (data.decode("utf-8", "replace").splitlines() for data in (one.before, one.after))
        for line in unified_diff(before, after, f"a/{one.path}", f"b/{one.path}", lineterm="", n=1):
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            err.print(hide_in_line(line), style=style, markup=False)
    err.print(f"Fixed {counted(len(fixed), 'file')}." if fixed else "Nothing that can be fixed safely.")


def _write(problems: Sequence[Problem], format_: CheckFormat, source: "Source") -> None:
    """In a format for programs, with the paths that they know."""
    from registry.reports import FROM_THE_TOP, report_as

    line_of = lines_from(source.read)
    prefix = ""
    if format_.value in FROM_THE_TOP and source.repository is not None:
        prefix = source.repository.prefix_of(source.root)
    moved = [
        replace(problem, span=problem.span._replace(path=prefix + problem.span.path)) for problem in problems
    ]
    write_text(report_as(format_.value)(moved, lambda path, line: line_of(path.removeprefix(prefix), line)))


def _look(root: Path, revision: str, base: str | None, *, changed: bool) -> "Review":
    """All problems; without `base` those of the files as they are."""
    from registry.review.review import Review, check_changed, review

    if changed and revision != "worktree":
        raise UsageError("--changed is for the work tree", "leave out --source, or --changed")
    if changed:
        return check_changed(root, base or "HEAD")
    if base is not None:
        return review(root, base, revision)
    from registry.load.source import open_source
    from registry.pipeline import check_source

    source = open_source(root, revision)
    checked = check_source(source)
    return Review(checked.problems, source, len(checked.loaded.definitions))


def _within(root: Path, paths: list[str]) -> list[str]:
    """The paths as the registry knows them; each must exist."""
    found = []
    for path in paths:
        # From where the person stands, or from the registry's top.
        full = Path(path) if Path(path).exists() else root / path
        if not full.exists():
            raise UsageError(f"{path} does not exist", "name a file or folder of the registry")
        try:
            found.append(full.resolve().relative_to(root.resolve()).as_posix())
        except ValueError as error:
            raise UsageError(
                f"{path} is not in the registry {root.resolve()}", "name another with --registry"
            ) from error
    return found


def _is_wanted(problem: Problem, wanted: list[str]) -> bool:
    return not wanted or any(
        path == "." or problem.span.path == path or problem.span.path.startswith(f"{path}/")
        for path in wanted
    )
