"""`registry hook`: a gate in front of a bare repository."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.diff import FailOn, FailOnOption
from registry.cli.streams import OutputError
from registry.cli.terminal import err, lines_from, out
from registry.errors import RegistryError, UsageError
from registry.model.problem import has_errors

if TYPE_CHECKING:
    from registry.review.pre_receive import Guard, RefUpdate, Verdict


class HookAction(StrEnum):
    """What to do; the first two are what git calls."""

    PRE_RECEIVE = "pre-receive"
    UPDATE = "update"
    INSTALL = "install"


def command(
    action: Annotated[
        HookAction, typer.Argument(help="`install` writes the hook; `pre-receive` and `update` are it.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="install: the repository. update: REF OLD NEW, as git gives them.", metavar="[ARGS]..."
        ),
    ] = None,
    branch: Annotated[
        list[str] | None,
        typer.Option(
            "--branch", help="A branch to guard; may be given several times. Default: the one HEAD names."
        ),
    ] = None,
    folder: Annotated[
        str,
        typer.Option(
            "--folder",
            help="The registry's folder within the repository. Default: its top.",
            metavar="FOLDER",
        ),
    ] = "",
    max_id_gap: Annotated[
        int | None,
        typer.Option(
            "--max-id-gap",
            help="How many numbers a push may leave out, for published ids that only the indexer knows. Default: 1000.",
            min=0,
        ),
    ] = None,
    fail_on: FailOnOption = None,
) -> None:
    """Refuse a push that would break the registry, in a bare repository on a server of your own; the pusher sees the findings.

    `install` keeps the options that it is given. A push that gives ids must give those that `registry index` would, commit by
    commit. Deleting or force-pushing a guarded branch is refused, and so is a push that cannot be checked.

    Exit code 0: accepted; anything else: refused.

    Examples: `registry hook install /srv/git/processes.git` · `registry hook install hub.git --branch main --folder registry --fail-on breaking`
    """
    from registry.git import HEADS, branch_ref
    from registry.review.hook_script import folder_within
    from registry.review.pre_receive import Guard, RefUpdate, parse_updates
    from registry.review.pushed_ids import MAX_ID_GAP

    given, prefix = words or [], folder_within(folder)
    other = next(
        (name for name in branch or () if name.startswith("refs/") and not name.startswith(HEADS)), None
    )
    if other is not None:
        raise UsageError(f"{other} is not a branch", "as in --branch main")
    if action is HookAction.INSTALL:
        if len(given) > 1:
            raise UsageError("one repository at a time", "registry hook install REPOSITORY.git")
        options = [
            *(["--max-id-gap", str(max_id_gap)] if max_id_gap is not None else []),
            *(["--fail-on", fail_on.value] if fail_on else []),
        ]
        _install(
            Path(given[0]) if given else Path(), [branch_ref(name) for name in branch or ()], prefix, options
        )
        return
    if action is HookAction.UPDATE and len(given) != 3:
        raise UsageError("git gives three arguments to an update hook", "registry hook update REF OLD NEW")
    updates = (
        [RefUpdate(given[1], given[2], given[0])]
        if action is HookAction.UPDATE
        else list(parse_updates(sys.stdin))
    )
    gap = MAX_ID_GAP if max_id_gap is None else max_id_gap
    _guard(
        updates, Guard(branch or (), prefix, gap, sees_whole_push=action is HookAction.PRE_RECEIVE), fail_on
    )


def _install(repository: Path, refs: list[str], folder: str, options: list[str]) -> None:
    from registry.review.hook_script import install

    installed = install(repository, refs, folder, options)
    where = (
        f"the registry in {installed.folder}"
        if installed.folder
        else "the registry at the top of the repository"
    )
    out.print(f"Wrote {installed.path}. It guards {', '.join(installed.refs)}, with {where}.", markup=False)
    for note in installed.notes:
        err.print(f"note: {note}", markup=False)


def _guard(updates: "list[RefUpdate]", guard: "Guard", fail_on: FailOn | None) -> None:
    """Judge a push, report, and end with 1 when it is refused."""
    from registry.review.pre_receive import judge_push

    # What cannot be reported is refused all the same: a pusher who goes away early must not be let through.
    try:
        reports = [_report(verdict, fail_on) for verdict in judge_push(Path(), updates, guard)]
    except RegistryError as error:
        _print(
            f"registry: the push is refused, because it cannot be checked: {error.message}\nregistry: {error.hint or _ASK}"
        )
        raise typer.Exit(max(error.exit_code, 1)) from None
    refused = any(is_refused for is_refused, _ in reports)
    _print(
        "\n".join(
            [*(text for _, text in reports if text), *(["registry: the push is refused."] if refused else [])]
        )
    )
    if refused:
        raise typer.Exit(1)


_ASK = "ask whoever runs the server; `git fsck` there finds objects that cannot be read"


def _print(text: str) -> None:
    if not text:
        return
    try:
        print(text, flush=True)
    except (OSError, OutputError):
        # The pusher is gone. What is left in the buffer must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(verdict: "Verdict", fail_on: FailOn | None) -> tuple[bool, str]:
    """Whether one ref cannot be moved so; and what is wrong with that, and what the push means."""
    from registry.changes import GUARDS
    from registry.cli.diff import fails
    from registry.model.characters import visible
    from registry.reports.changes import text as changes_text
    from registry.reports.changes.words import summary
    from registry.reports.text import report

    name = visible(verdict.update.ref.removeprefix("refs/heads/"))
    lines = [f"registry: {visible(reason)}" for reason in verdict.refused]
    if verdict.review is None:
        return bool(verdict.refused), "\n".join(lines)
    problems, comparison = verdict.review.problems, verdict.comparison
    too_grave = comparison is not None and fails(comparison, fail_on)
    if problems:
        lines.append(report(problems, lines_from(verdict.review.source.read)))
    if comparison is not None:
        loosens = any(one.kind == GUARDS for one in comparison.changed)
        lines.append(
            changes_text.report(comparison)
            if too_grave or loosens
            else f"registry: {name}: {summary(comparison)}"
        )
    return has_errors(problems) or too_grave or bool(verdict.refused), "\n".join(lines)
