"""`registry diff`: what a change means, and to whom."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import RegistryOption, find_root, out, write_report, write_text
from registry.errors import RegistryError, UnknownRevisionError, UsageError
from registry.reports import CHANGE_FORMATS

if TYPE_CHECKING:
    from registry.changes import Comparison

DiffFormat = StrEnum("DiffFormat", {name.upper(): name for name in CHANGE_FORMATS})  # type: ignore[misc]
_TEXT = DiffFormat("text")


class FailOn(StrEnum):
    """The level from which on a change makes the command end with 1."""

    BREAKING = "breaking"
    RISKY = "risky"
    SAFE = "safe"
    NEVER = "never"


FailOnOption = Annotated[
    FailOn | None,
    typer.Option(
        "--fail-on",
        help="End with 1 when a change is as grave as this. Left out: as `fail_on` in registry.yaml says, else never.",
    ),
]


def command(
    revisions: Annotated[
        str,
        typer.Argument(help="BASE, to compare with the work tree, or BASE..HEAD.", metavar="[BASE[..HEAD]]"),
    ] = "HEAD",
    registry: RegistryOption = None,
    format_: Annotated[
        DiffFormat, typer.Option("--format", help="How to say it: for people, or for programs.")
    ] = _TEXT,
    fail_on: FailOnOption = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of `--format json`, and do nothing else.")
    ] = False,
) -> None:
    """Say what changed between two revisions: which definitions, what that can break, and who must act first.

    Exit code 0: compared (whatever changed); 1: a change as grave as --fail-on or `fail_on` says; 2: could not compare.

    Examples: `registry diff` · `registry diff main` · `registry diff v1.0..v1.1 --format markdown` · `registry diff main --fail-on breaking`
    """
    from registry.review.comparison import compare_revisions

    if schema:
        from registry.reports.changes.json import SCHEMA

        write_text(SCHEMA.read_text(encoding="utf-8"))
        return
    base, dots, head = revisions.partition("..")
    if head.startswith("."):
        raise UsageError(
            f"{revisions!r} has three dots",
            f"two compare the revisions as they are: {base}..{head.lstrip('.')}",
        )
    root = find_root(registry)
    try:
        comparison = compare_revisions(root, base or "HEAD", (head or "HEAD") if dots else "worktree")
    except UnknownRevisionError as error:
        raise _explained(root, error) from error
    show(comparison, format_.value)
    if fails(comparison, fail_on):
        raise typer.Exit(1)


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
    """The comparison on stdout."""
    from registry.reports import changes_as

    write_report(changes_as(format_)(comparison, width=out.width, color=out.has_color), format_)


def fails(comparison: "Comparison", fail_on: FailOn | None) -> bool:
    """True when a change is as grave as the option says, or the settings of the base where it was not given."""
    from registry.changes import Level, failing

    def limit(party: str, name: str) -> Level | None:
        level = fail_on.value if fail_on is not None else comparison.settings.fails_from(party, name)
        return Level(level) if level in tuple(Level) else None

    return failing(comparison.changed, limit)
