"""`registry hook`: checks pushes to a bare repository."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.options import FailOn, fail_on_option
from registry.cli.streams import OutputError
from registry.cli.terminal import err, lines_from, out
from registry.errors import RegistryError, UsageError
from registry.model.problem import has_errors

if TYPE_CHECKING:
    from registry.changes.compare import Comparison
    from registry.review.pre_receive import Guard, PushedRef, Verdict


# git calls the first two.
_ACTIONS = ("pre-receive", "update", "install")


@click.command("hook")
@click.argument("action", type=click.Choice(_ACTIONS))
@click.argument("words", nargs=-1, metavar="[ARGS]...")
@click.option(
    "--branch",
    multiple=True,
    metavar="BRANCH",
    help="Branch to guard; can be repeated. Default: the branch of HEAD.",
)
@click.option(
    "--folder",
    default="",
    show_default=False,
    metavar="FOLDER",
    help="Folder of the registry in the repository. Default: its top folder.",
)
@click.option(
    "--max-id-gap",
    type=click.IntRange(min=0),
    metavar="N",
    help="Number of ids that a push may skip, for published ids that only the indexer knows. Default: 1000.",
)
@fail_on_option
def command(
    action: str,
    words: tuple[str, ...],
    branch: tuple[str, ...],
    folder: str,
    max_id_gap: int | None,
    fail_on: FailOn | None,
) -> None:
    """Reject pushes that would break the registry. For bare repositories on your own server.

    `install REPOSITORY` writes the hook with the given options. git calls `pre-receive` and `update REF OLD NEW`. The
    person who pushes sees the problems. A push that assigns ids must assign those that `registry index` would, commit
    by commit. Deletions and force pushes of a guarded branch are rejected, and pushes that cannot be checked.

    \b
    Exit codes:
      0  accepted
      other  rejected

    \b
    Examples:
      registry hook install /srv/git/processes.git
      registry hook install hub.git --branch main --folder registry --fail-on breaking
    """
    from registry.git import HEADS
    from registry.review.hook_script import folder_within
    from registry.review.pre_receive import Guard
    from registry.review.pushed_ids import MAX_ID_GAP

    prefix = folder_within(folder)
    other = next((name for name in branch if name.startswith("refs/") and not name.startswith(HEADS)), None)
    if other is not None:
        raise UsageError(f"{other} is not a branch", "as in --branch main")
    if action == "install":
        _install(words, branch, prefix, max_id_gap, fail_on)
        return
    updates = _updates(action, words)
    gap = MAX_ID_GAP if max_id_gap is None else max_id_gap
    _guard(updates, Guard(branch, prefix, gap, sees_whole_push=action == "pre-receive"), fail_on)


def _install(
    words: tuple[str, ...],
    branches: tuple[str, ...],
    folder: str,
    max_id_gap: int | None,
    fail_on: FailOn | None,
) -> None:
    from registry.git import branch_ref
    from registry.review.hook_script import install

    if len(words) > 1:
        raise UsageError("one repository at a time", "registry hook install REPOSITORY.git")
    options = [
        *(["--max-id-gap", str(max_id_gap)] if max_id_gap is not None else []),
        *(["--fail-on", fail_on] if fail_on else []),
    ]
    repository = Path(words[0]) if words else Path()
    installed = install(repository, [branch_ref(name) for name in branches], folder, options)
    where = (
        f"the registry in {installed.folder}"
        if installed.folder
        else "the registry at the top of the repository"
    )
    out.print(f"Wrote {installed.path}. It guards {', '.join(installed.refs)}, with {where}.", markup=False)
    for note in installed.notes:
        err.print(f"note: {note}", markup=False)


def _updates(action: str, words: tuple[str, ...]) -> "list[PushedRef]":
    """Return the ref updates, from the arguments of an update hook or the input of a pre-receive hook.

    Raises UsageError for other arguments and for malformed input.
    """
    from registry.review.pre_receive import PushedRef, parse_updates

    if action != "update":
        return list(parse_updates(sys.stdin))
    if len(words) != 3:
        raise UsageError("an update hook takes three arguments", "registry hook update REF OLD NEW")
    ref, old, new = words
    return [PushedRef(old, new, ref)]


def _guard(updates: "list[PushedRef]", guard: "Guard", fail_on: FailOn | None) -> None:
    """Check a push, report, and exit with 1 if it is refused."""
    from registry.review.pre_receive import judge_push

    # A push whose report cannot be printed is refused too: a client that disconnects early must not get it
    # accepted.
    try:
        reports = [_report(verdict, fail_on) for verdict in judge_push(Path(), updates, guard)]
    except RegistryError as error:
        _print(
            f"registry: the push is refused, because it cannot be checked: {error.message}\n"
            f"registry: {error.hint or _ASK}"
        )
        sys.exit(max(error.exit_code, 1))
    refused = any(is_refused for is_refused, _ in reports)
    texts = [text for _, text in reports if text]
    if refused:
        texts.append("registry: the push is refused.")
    _print("\n".join(texts))
    if refused:
        sys.exit(1)


_ASK = "ask the operator of the server; `git fsck` there finds unreadable objects"


def _print(text: str) -> None:
    if not text:
        return
    try:
        print(text, flush=True)
    except (OSError, OutputError):
        # The client has disconnected. The rest of the buffer must not be written again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(verdict: "Verdict", fail_on: FailOn | None) -> tuple[bool, str]:
    """Whether the update of one ref is refused, and the report: problems and changes."""
    from registry.cli.diff import fails
    from registry.model.characters import visible
    from registry.reports.text import report

    lines = [f"registry: {visible(reason)}" for reason in verdict.refused]
    if verdict.review is None:
        return bool(verdict.refused), "\n".join(lines)
    problems, comparison = verdict.review.problems, verdict.comparison
    if problems:
        lines.append(report(problems, lines_from(verdict.review.source.read)))
    too_grave = comparison is not None and fails(comparison, fail_on)
    if comparison is not None:
        lines.append(_changes_text(verdict.update.ref, comparison, in_full=too_grave))
    return has_errors(problems) or too_grave or bool(verdict.refused), "\n".join(lines)


def _changes_text(ref: str, comparison: "Comparison", *, in_full: bool) -> str:
    """Describe a change in one line, or `in_full`. A change that relaxes the checks is always shown in full."""
    from registry.changes import GUARDS
    from registry.model.characters import visible
    from registry.reports.changes import text as changes_text
    from registry.reports.changes.words import comparison_summary

    if in_full or any(one.kind == GUARDS for one in comparison.changed):
        return changes_text.report(comparison)
    return f"registry: {visible(ref.removeprefix('refs/heads/'))}: {comparison_summary(comparison)}"
