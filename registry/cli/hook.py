"""`registry hook`: a gate in front of a bare repository."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.diff import FailOn, FailOnOption
from registry.cli.terminal import lines_from, out
from registry.errors import UsageError, has_errors

if TYPE_CHECKING:
    from registry.gate import Verdict


class Action(StrEnum):
    """What to do; the first two are what git calls."""

    PRE_RECEIVE = "pre-receive"
    UPDATE = "update"
    INSTALL = "install"


def command(
    action: Annotated[Action, typer.Argument(help="`install` writes the hook; `pre-receive` and `update` are it.")],
    words: Annotated[
        list[str] | None, typer.Argument(help="install: the repository. update: REF OLD NEW, as git gives them.", metavar="[ARGS]...")
    ] = None,
    branch: Annotated[
        list[str] | None, typer.Option("--branch", help="A branch to guard; may be given several times. Left out: the one HEAD names.")
    ] = None,
    fail_on: FailOnOption = None,
) -> None:
    """Refuse a push that would break the registry, in a bare repository on a server of your own; the pusher sees the findings.

    Exit code 0: taken; anything else: refused. `registry index --push` is let through when its ledger and the files agree.

    Examples: `registry hook install /srv/git/processes.git` · `registry hook pre-receive --branch main --fail-on breaking`
    """
    from registry.gate import Update, install, judge, parse_updates

    given = words or []
    if action is Action.INSTALL:
        if len(given) > 1:
            raise UsageError("one repository at a time", "registry hook install REPOSITORY.git")
        out.print(f"Wrote {install(Path(given[0]) if given else Path())}.", markup=False)
        return
    if action is Action.UPDATE and len(given) != 3:
        raise UsageError("git gives three arguments to an update hook", "registry hook update REF OLD NEW")
    updates = [Update(given[1], given[2], given[0])] if action is Action.UPDATE else list(parse_updates(sys.stdin))
    refused = [_refuses(verdict, fail_on) for verdict in judge(Path(), updates, branch or ())]
    if any(refused):
        print("registry: the push is refused.")
        raise typer.Exit(1)


def _refuses(verdict: "Verdict", fail_on: FailOn | None) -> bool:
    """Say what is wrong with one branch and what the push means; True when it cannot be taken."""
    from registry.characters import visible
    from registry.cli.diff import fails
    from registry.reports.changes import text as changes_text
    from registry.reports.changes.words import summary
    from registry.reports.text import report

    name = visible(verdict.update.ref.removeprefix("refs/heads/"))
    if verdict.review is None:
        print(f"registry: {visible(verdict.refused)}")
        return True
    problems, comparison = verdict.review.problems, verdict.comparison
    if not verdict.review.source.entries("definitions"):
        print(f"registry: {name} holds no definitions/ at its top: there was nothing to check")
    too_grave = comparison is not None and fails(comparison, fail_on)
    if problems:
        print(report(problems, lines_from(verdict.review.source.read)))
    if comparison is not None:
        print(changes_text.report(comparison) if too_grave else f"registry: {name}: {summary(comparison)}")
    return has_errors(problems) or too_grave
