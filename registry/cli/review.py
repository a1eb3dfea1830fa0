"""`registry review`: everything that a reviewer needs to know about a change, in one run."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.diff import fails
from registry.cli.interrupts import interrupted_by_termination
from registry.cli.options import (
    FailOn,
    all_option,
    fail_on_option,
    format_choice,
    quiet_option,
    registry_option,
)
from registry.cli.terminal import err, find_root, lines_from, out, write_report
from registry.errors import RefusedError, UsageError
from registry.files.atomic_write import write_output
from registry.model.problem import has_errors
from registry.runtime import never_collect

if TYPE_CHECKING:
    from registry.execution.runner import Runner

# The names in REVIEW_FORMATS, which are imported late.
_FORMATS = ("text", "markdown", "json", "github", "gitlab")

# Folders of installed programs. Others may contain the clone of a CI job, with its credentials.
_SHOWN_FOLDERS = ("/opt",)


@click.command("review")
@click.option("--base", required=True, metavar="REF", help="Target branch of the change.")
@click.option(
    "--head", default="worktree", metavar="REF", help="The change: a commit, branch or tag, or the work tree."
)
@registry_option
@format_choice(*_FORMATS, help_text="Output format. github prints annotations for the changed lines.")
@click.option(
    "--also",
    multiple=True,
    metavar="FORMAT=FILE",
    help="Write the report in another format to a file as well; can be repeated.",
)
@click.option(
    "--try",
    "tries",
    is_flag=True,
    help="Also run the old and the new definition of each change on its examples, in a sandbox.",
)
@click.option(
    "--read",
    "readable",
    multiple=True,
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="With --try: folder that a definition may need, besides /opt and the folders of the system; can be repeated.",
)
@fail_on_option
@all_option
@quiet_option
def command(
    base: str,
    head: str,
    registry: Path | None,
    format_: str,
    also: tuple[str, ...],
    tries: bool,
    readable: tuple[Path, ...],
    fail_on: FailOn | None,
    every: bool,
    quiet: bool,
) -> None:
    """Review a change as it will be after the merge.

    The report has the problems, the ids, and the changes with what they can break and who must act.

    With --try, the report also shows where the output of a changed definition differs from that of the old one, and whom
    it concerns. Programs run only in a sandbox, with the examples of both definitions, and get no variables of this
    process. A definition that needs folders besides those of the system and /opt is not run, unless --read names them.
    What cannot run on this host is reported and is no error.

    \b
    Exit codes:
      0  no errors, and no change at the level of --fail-on
      1  errors, or a change with at least the level of --fail-on, or with --try, a changed definition fails an example
      2  the review could not run
      3  refused: --try without a sandbox

    \b
    Examples:
      registry review --base origin/main
      registry review --base main --head feature --format markdown
      registry review --base origin/main --format github --also json=review.json
      registry review --base origin/main --try
    """

    from registry.reports.review import REVIEW_FORMATS, Given
    from registry.review.comparison import compare_sources
    from registry.review.review import review

    files = [_file(one) for one in also]
    if readable and not tries:
        raise UsageError("--read needs --try")
    runner = _sandboxed_runner(readable) if tries else None
    never_collect()
    result = review(find_root(registry), base, head, of_change=True)
    comparison = None
    if result.base is not None and result.is_comparable:
        comparison = compare_sources(result.base, result.source)
    source = result.source
    tried = None
    if runner is not None and comparison is not None and result.base is not None:
        from registry.review.tried_changes import try_changes

        with interrupted_by_termination():
            tried = try_changes(result.base, source, comparison, runner, problems=result.problems)
    given = Given(
        result.problems,
        comparison,
        lines_from(source.read),
        result.note,
        source.repository.prefix_of(source.root) if source.repository is not None else "",
        out.width,
        out.has_color,
        is_quiet=quiet,
        tried=tried,
    )
    if every:
        given = replace(given, at_most_alike=None)
    for name, path in files:
        # For a file: no color, and a fixed width.
        write_output(
            path, REVIEW_FORMATS[name](replace(given, color=False, width=100)).encode("utf-8", "replace")
        )
    write_report(REVIEW_FORMATS[format_](given), format_)
    is_failing = any(one.is_failing for one in tried or ())
    if is_failing and format_ != "text":
        err.print("A changed definition does not meet its own examples.")
    if has_errors(result.problems) or is_failing or (comparison is not None and fails(comparison, fail_on)):
        sys.exit(1)


def _sandboxed_runner(readable: tuple[Path, ...]) -> "Runner":
    """Return what runs the definitions of a change that is not reviewed yet.

    Raises RefusedError if there is no sandbox here.
    """
    from registry.execution.bubblewrap import Bubblewrap
    from registry.execution.runner import Runner
    from registry.execution.running import Limits
    from registry.load.settings import environment_of_runner

    shown = [str(path.resolve()) for path in readable]
    sandbox = Bubblewrap(only_below=[*_SHOWN_FOLDERS, *shown])
    if sandbox.unusable_because:
        raise RefusedError(
            f"--try runs programs of the change only in a sandbox, and there is none: {sandbox.unusable_because}",
            "install bubblewrap (Linux), or omit --try",
        )
    own, limits = environment_of_runner(), Limits()
    return Runner(sandbox, own, limits, passes_references=False, allows_more=False)


def _file(words: str) -> tuple[str, Path]:
    name, _, path = words.partition("=")
    if name not in _FORMATS or not path:
        raise UsageError(
            f"--also {words!r} is not FORMAT=FILE",
            f"formats are {', '.join(_FORMATS)}; as in --also json=review.json",
        )
    if not Path(path).parent.is_dir():
        raise UsageError(f"{Path(path).parent} is not a folder", "create it first")
    return name, Path(path)
