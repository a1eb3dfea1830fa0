"""`registry changelog`: the registry's own release notes."""

from enum import StrEnum
from typing import Annotated

import typer

from registry.cli.terminal import RegistryOption, find_root, write_report

ChangelogFormat = StrEnum("ChangelogFormat", {"TEXT": "text", "MARKDOWN": "markdown", "JSON": "json"})
_TEXT = ChangelogFormat("text")


def command(
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="A commit, branch or tag, or a date (YYYY-MM-DD). Left out: the newest tag before, else the beginning.",
            metavar="REF|DATE",
        ),
    ] = None,
    head: Annotated[str, typer.Option("--head", help="Up to which commit.", metavar="REF")] = "HEAD",
    registry: RegistryOption = None,
    format_: Annotated[
        ChangelogFormat, typer.Option("--format", help="How to say it: for people, or for programs.")
    ] = _TEXT,
) -> None:
    """Tell what happened to the definitions since a release or a date, what is breaking first, with who must act and the commits.

    Examples: `registry changelog` · `registry changelog --since v1.2 --format markdown` · `registry changelog --since 2026-01-01`
    """
    from registry.reports.changelog import CHANGELOG_FORMATS
    from registry.review.changelog import changelog

    write_report(CHANGELOG_FORMATS[format_.value](changelog(find_root(registry), since, head)), format_.value)
