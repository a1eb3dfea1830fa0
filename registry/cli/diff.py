"""`registry diff`: what a change means, and for whom."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.options import FailOn, fail_on_option, format_choice, registry_option
from registry.cli.terminal import find_root, out, write_report, write_text
from registry.errors import RegistryError, UnknownRevisionError, UsageError
from registry.reports import CHANGE_FORMATS

if TYPE_CHECKING:
    from registry.changes import Comparison


@click.command("diff")
@click.argument("revisions", metavar="[BASE[..HEAD]]", default="HEAD")
@registry_option
@format_choice(*CHANGE_FORMATS)
@fail_on_option
@click.option("--schema", is_flag=True, help="Print the JSON Schema of `--format json` and exit.")
def command(
    revisions: str, registry: Path | None, format_: str, fail_on: FailOn | None, schema: bool
) -> None:
    """Compare two revisions and show what the changes can break.

    The output also says who must act before each change. BASE alone is compared with the work tree; the default is HEAD. BASE..HEAD compares two commits, branches or tags.

    \b
    Exit codes:
      0  compared; there may be changes
      1  a change has at least the level of --fail-on
      2  the comparison could not run

    \b
    Examples:
      registry diff
      registry diff main
      registry diff v1.0..v1.1 --format markdown
      registry diff main --fail-on breaking
    """
    from registry.review.comparison import compare_revisions

    if schema:
        from registry.reports.changes.json import SCHEMA

        write_text(SCHEMA.read_text(encoding="utf-8"))
        return
    base, dots, head = revisions.partition("..")
    if head.startswith("."):
        raise UsageError(
            f"{revisions!r} contains three dots",
            f"use two dots to compare the revisions directly: {base}..{head.lstrip('.')}",
        )
    root = find_root(registry)
    try:
        comparison = compare_revisions(root, base or "HEAD", (head or "HEAD") if dots else "worktree")
    except UnknownRevisionError as error:
        raise _explained(root, error) from error
    show(comparison, format_)
    if fails(comparison, fail_on):
        sys.exit(1)


def _explained(root: Path, error: UnknownRevisionError) -> UsageError:
    """The error for a revision that does not exist; it points to the definition where the word names one."""
    from registry.cli.lookup import find, load_snapshot
    from registry.snapshot import Tombstone

    try:
        found = find(load_snapshot(root, "worktree"), error.revision, None)
    except RegistryError:
        hint = f"{error.hint}; `registry list` lists definitions, and `registry log NAME` the changes of one"
        return UsageError(error.message, hint)
    word = f"{found.kind}/{found.id if isinstance(found, Tombstone) else found.name}"
    return UsageError(
        f"{error.revision!r} is not a commit, it is the definition {found.kind}/{found.name}",
        f"`registry log {word}` shows its changes; `registry diff` compares two commits",
    )


def show(comparison: "Comparison", format_: str) -> None:
    """Print the comparison on stdout."""
    from registry.reports import changes_as

    write_report(changes_as(format_)(comparison, width=out.width, color=out.has_color), format_)


def fails(comparison: "Comparison", fail_on: FailOn | None) -> bool:
    """Return True if a change has at least the level of the option.

    Without the option, the level in the settings of the base applies.
    """
    from registry.changes import Level, failing

    def limit(party: str, name: str) -> Level | None:
        level = fail_on if fail_on is not None else comparison.settings.fails_from(party, name)
        return Level(level) if level in tuple(Level) else None

    return failing(comparison.changed, limit)
