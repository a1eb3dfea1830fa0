"""`registry check`: say everything that is wrong, in every file, in one run."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import Format, FormatOption, RegistryOption, SourceOption, counted, find_root, out, show_problems
from registry.errors import Problem, UsageError, has_errors


def command(
    paths: Annotated[list[str] | None, typer.Argument(help="Only what is wrong in these files or folders.", metavar="[PATHS]...")] = None,
    registry: RegistryOption = None,
    source: SourceOption = "worktree",
    format_: FormatOption = Format.TEXT,
) -> None:
    """Check the definitions: schema, references, adapters and placeholders, names, ids.

    Exit code 0: no errors (warnings do not count); 1: errors; 2: could not check.

    Examples: `registry check` · `registry check definitions/process_definition/weather` ·
    `registry check --source HEAD~1 --format json`
    """
    from registry.build import check_source
    from registry.source import open_source

    root = find_root(registry)
    opened = open_source(root, source)
    checked = check_source(opened)
    wanted = _within(root, paths or [])
    problems = [problem for problem in checked.problems if _is_wanted(problem, wanted)]
    if format_ is Format.JSON:
        import sys

        from registry.reports.json import report

        sys.stdout.write(report(problems))
    elif problems:
        show_problems(problems, opened.read, to_stdout=True)
    else:
        out.print(f"{counted(len(checked.loaded.definitions), 'definition')} checked. No problems.")
    if has_errors(problems):
        raise typer.Exit(1)


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
            raise UsageError(f"{path} is not in the registry {root.resolve()}", "name another with --registry") from error
    return found


def _is_wanted(problem: Problem, wanted: list[str]) -> bool:
    return not wanted or any(path == "." or problem.span.path == path or problem.span.path.startswith(f"{path}/") for path in wanted)
