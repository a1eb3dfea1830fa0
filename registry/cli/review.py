"""`registry review`: everything that a reviewer needs to know about a change, in one run."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from registry.cli.diff import fails
from registry.cli.options import (
    FailOn,
    all_option,
    fail_on_option,
    format_choice,
    quiet_option,
    registry_option,
)
from registry.cli.terminal import find_root, lines_from, out, write_report
from registry.errors import UsageError
from registry.files.atomic_write import replace_file
from registry.model.problem import has_errors
from registry.runtime import never_collect

# The names in REVIEW_FORMATS, which are imported late.
_FORMATS = ("text", "markdown", "json", "github", "gitlab")


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
@fail_on_option
@all_option
@quiet_option
def command(
    base: str,
    head: str,
    registry: Path | None,
    format_: str,
    also: tuple[str, ...],
    fail_on: FailOn | None,
    every: bool,
    quiet: bool,
) -> None:
    """Review a change as it will be after the merge.

    The report has the problems, the ids, and the changes with what they can break and who must act.

    \b
    Exit codes:
      0  no errors, and no change at the level of --fail-on
      1  errors, or a change with at least the level of --fail-on
      2  the review could not run

    \b
    Examples:
      registry review --base origin/main
      registry review --base main --head feature --format markdown
      registry review --base origin/main --format github --also json=review.json
    """

    from registry.reports.review import REVIEW_FORMATS, Given
    from registry.review.comparison import compare_sources
    from registry.review.review import review

    files = [_file(one) for one in also]
    never_collect()
    result = review(find_root(registry), base, head, of_change=True)
    comparison = None
    if result.base is not None and result.is_comparable:
        comparison = compare_sources(result.base, result.source)
    source = result.source
    given = Given(
        result.problems,
        comparison,
        lines_from(source.read),
        result.note,
        source.repository.prefix_of(source.root) if source.repository is not None else "",
        out.width,
        out.has_color,
        is_quiet=quiet,
    )
    if every:
        given = replace(given, at_most_alike=None)
    for name, path in files:
        # For a file: no color, and a fixed width.
        replace_file(
            path, REVIEW_FORMATS[name](replace(given, color=False, width=100)).encode("utf-8", "replace")
        )
    write_report(REVIEW_FORMATS[format_](given), format_)
    if has_errors(result.problems) or (comparison is not None and fails(comparison, fail_on)):
        sys.exit(1)


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
