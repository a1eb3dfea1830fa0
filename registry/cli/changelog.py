"""`registry changelog`: the registry's own release notes."""

from pathlib import Path

import click

from registry.cli.options import format_choice, registry_option
from registry.cli.terminal import find_root, write_report


@click.command("changelog")
@click.option(
    "--since",
    metavar="REF|DATE",
    help="Start: a commit, branch, tag or date (YYYY-MM-DD). Default: the latest tag before --head, or the first commit.",
)
@click.option("--head", default="HEAD", metavar="REF", help="End: a commit, branch or tag.")
@registry_option
@format_choice("text", "markdown", "json")
def command(since: str | None, head: str, registry: Path | None, format_: str) -> None:
    """Print release notes for the definitions.

    They list the changes since a release or a date, breaking changes first. Each entry has its commits and says who
    must act.

    \b
    Examples:
      registry changelog
      registry changelog --since v1.2 --format markdown
      registry changelog --since 2026-01-01
    """
    from registry.reports.changelog import CHANGELOG_FORMATS
    from registry.review.changelog import changelog

    write_report(CHANGELOG_FORMATS[format_](changelog(find_root(registry), since, head)), format_)
