"""`registry check`: report all problems of all files in one run."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.options import all_option, format_choice, quiet_option, registry_option, source_option
from registry.cli.terminal import (
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


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path())
@registry_option
@source_option
@click.option(
    "--base",
    metavar="REF",
    help="Target branch of a change: check the result of a merge with it, and the ids of the change.",
)
@click.option(
    "--changed",
    is_flag=True,
    help="Check only files that differ from the last commit (or from --base), and files that depend on them.",
)
@click.option(
    "--fix",
    is_flag=True,
    help="Apply safe fixes (misspelled keys, quoting, known older forms), show them and check again.",
)
@click.option(
    "--second-opinion",
    is_flag=True,
    help="Also scan for credentials with detect-secrets. Requires it to be installed: pip install detect-secrets.",
)
@format_choice(*FORMATS)
@click.option(
    "--max-problems",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show at most N problems. The exit code and the counts include all.",
)
@all_option
@quiet_option
def command(
    paths: tuple[str, ...],
    registry: Path | None,
    source: str,
    base: str | None,
    changed: bool,
    fix: bool,
    second_opinion: bool,
    format_: str,
    max_problems: int | None,
    every: bool,
    quiet: bool,
) -> None:
    """Check the definitions and report all problems.

    The rules cover schema, references, adapters, placeholders, names, ids and credentials; `registry rules` lists them.
    PATHS are files or folders: show only their problems. Default: the whole registry.

    \b
    Exit codes:
      0  no errors (there may be warnings)
      1  errors
      2  the check could not run

    \b
    Examples:
      registry check
      registry check definitions/process_definition/weather
      registry check --source HEAD~1 --format json
      registry check --base origin/main
    """
    never_collect()
    root = find_root(registry)
    wanted = _within(root, paths)
    result = _review(root, source, base, changed=changed)
    if fix:
        # The second check is complete: a fix moves lines, and may reveal a problem that another one hid.
        _fix(root, source, _of_paths(wanted, result.problems))
        result = _review(root, source, base, changed=changed)
    if second_opinion:
        result = _with_detect_secrets(result)
    problems = _of_paths(wanted, result.problems)
    if result.note:
        err.print(f"note: {result.note}", markup=False)
    wanted_severity = [one for one in problems if one.severity is Severity.ERROR] if quiet else problems
    shown = wanted_severity[:max_problems]
    if format_ != "text":
        _write(shown, format_, result.source)
    elif shown:
        show_problems(shown, result.source.read, to_stdout=True, is_complete=every)
    elif not quiet:
        out.print(f"{counted(result.count, 'definition')} checked. No problems.")
    if len(shown) < len(wanted_severity):
        err.print(f"{len(wanted_severity) - len(shown):,} more are not shown.")
    if has_errors(problems):
        sys.exit(1)


def _with_detect_secrets(result: "Review") -> "Review":
    """The result with the findings of detect-secrets added."""
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
        raise UsageError("--fix changes the work tree, not a commit", "omit --source or --fix")
    fixed = fix_files(root, {problem.span.path for problem in problems})
    for one in fixed:
        before, after = (data.decode("utf-8", "replace").splitlines() for data in (one.before, one.after))
        for line in unified_diff(before, after, f"a/{one.path}", f"b/{one.path}", lineterm="", n=1):
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            err.print(hide_in_line(line), style=style, markup=False)
    err.print(f"Fixed {counted(len(fixed), 'file')}." if fixed else "Nothing that can be fixed safely.")


def _write(problems: Sequence[Problem], format_: str, source: "Source") -> None:
    """Print problems in a format for programs.

    Paths are relative to the repository if the format requires that.
    """
    from registry.reports import FROM_THE_TOP, report_as

    line_of = lines_from(source.read)
    prefix = ""
    if format_ in FROM_THE_TOP and source.repository is not None:
        prefix = source.repository.prefix_of(source.root)
    moved = [
        replace(problem, span=problem.span._replace(path=prefix + problem.span.path)) for problem in problems
    ]
    write_text(report_as(format_)(moved, lambda path, line: line_of(path.removeprefix(prefix), line)))


def _review(root: Path, revision: str, base: str | None, *, changed: bool) -> "Review":
    """All problems. Without `base`: those of the files as they are, without a merge."""
    from registry.review.review import Review, check_changed_files, review

    if changed and revision != "worktree":
        raise UsageError("--changed needs the work tree", "omit --source or --changed")
    if changed:
        return check_changed_files(root, base or "HEAD")
    if base is not None:
        return review(root, base, revision)
    from registry.load.source import open_source
    from registry.pipeline import check_source

    source = open_source(root, revision)
    checked = check_source(source)
    return Review(checked.problems, source, len(checked.loaded.definitions))


def _within(root: Path, paths: Sequence[str]) -> list[str]:
    """The paths relative to the registry. Raises UsageError for one that does not exist or is outside."""
    found = []
    for path in paths:
        # Relative to the current folder, or to the registry.
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


def _of_paths(wanted: Sequence[str], problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems of these files and folders; of all files if none are named."""
    if not wanted or "." in wanted:
        return [*problems]
    folders = tuple(f"{path}/" for path in wanted)
    return [one for one in problems if one.span.path in wanted or one.span.path.startswith(folders)]
