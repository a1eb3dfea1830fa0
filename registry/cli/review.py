"""`registry review`: all that a reviewer must know of a change, in one run."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from registry.cli.diff import FailOnOption, fails
from registry.cli.terminal import (
    AllOption,
    QuietOption,
    RegistryOption,
    find_root,
    lines_from,
    out,
    write_report,
)
from registry.errors import UsageError
from registry.files.atomic_write import replace_file
from registry.model.problem import has_errors
from registry.runtime import never_collect

ReviewFormatName = StrEnum(
    "ReviewFormatName",
    {"TEXT": "text", "MARKDOWN": "markdown", "JSON": "json", "GITHUB": "github", "GITLAB": "gitlab"},
)
_TEXT = ReviewFormatName("text")


def command(
    base: Annotated[
        str, typer.Option("--base", help="The branch that the change is meant for.", metavar="REF")
    ],
    head: Annotated[
        str,
        typer.Option(
            "--head", help="The change: a commit, branch or tag. Left out: the work tree.", metavar="REF"
        ),
    ] = "worktree",
    registry: RegistryOption = None,
    format_: Annotated[
        ReviewFormatName,
        typer.Option("--format", help="How to say it; `github` writes annotations on the changed lines."),
    ] = _TEXT,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            help="Write the same report to a file as well; may be given several times.",
            metavar="FORMAT=FILE",
        ),
    ] = None,
    fail_on: FailOnOption = None,
    every: AllOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a change as it would be after its merge, and say what it means: problems, ids and what it can break, in one report.

    Exit code 0: nothing against it; 1: errors, or a change as grave as --fail-on or `fail_on` says; 2: could not look.

    Examples: `registry review --base origin/main` · `registry review --base main --head feature --format markdown` ·
    `registry review --base origin/main --format github --also json=review.json`
    """

    from registry.reports.review import REVIEW_FORMATS, Given
    from registry.review.comparison import compare_sources
    from registry.review.review import review

    files = [_file(one) for one in also or ()]
    never_collect()
    result = review(find_root(registry), base, head, of_change=True)
    comparison = None
    # Without what the files say there is nothing to compare; that is said by the problems, never by "no changes".
    if result.base is not None and not any(
        problem.rule.startswith(("Y", "I036", "K")) for problem in result.problems if has_errors([problem])
    ):
        comparison = compare_sources(result.base, result.source)
    prefix = (
        result.source.repository.prefix_of(result.source.root) if result.source.repository is not None else ""
    )
    color = out.has_color
    given = Given(
        result.problems,
        comparison,
        lines_from(result.source.read),
        result.note,
        prefix,
        out.width,
        color,
        is_quiet=quiet,
    )
    if every:
        given = replace(given, at_most_alike=None)
    for name, path in files:
        # Not to a terminal: no color, and as wide as a mail.
        replace_file(
            path, REVIEW_FORMATS[name](replace(given, color=False, width=100)).encode("utf-8", "replace")
        )
    write_report(REVIEW_FORMATS[format_.value](given), format_.value)
    if has_errors(result.problems) or (comparison is not None and fails(comparison, fail_on)):
        raise typer.Exit(1)


def _file(words: str) -> tuple[str, Path]:
    name, _, path = words.partition("=")
    if name not in tuple(ReviewFormatName) or not path:
        raise UsageError(
            f"--also {words!r} is not FORMAT=FILE",
            f"formats are {', '.join(ReviewFormatName)}; as in --also json=review.json",
        )
    if not Path(path).parent.is_dir():
        raise UsageError(f"{Path(path).parent} is not a folder", "make it first")
    return name, Path(path)
