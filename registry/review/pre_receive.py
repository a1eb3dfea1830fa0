"""Check a push to a bare repository before its refs are updated, for teams without a forge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from registry.errors import UsageError
from registry.git import HEADS, HIGH_WATER, Repository, branch_ref, open_repository
from registry.ids import all_lines, parse_ledger_files, verify
from registry.load.kinds import load_kinds
from registry.load.ledger_files import read_ledger_files
from registry.load.source import Commit
from registry.model.definition import DEFINITIONS_FOLDER
from registry.pipeline import check_source
from registry.review.comparison import compare_sources
from registry.review.pushed_ids import MAX_ID_GAP, changes_the_ledger, check_pushed_ids
from registry.review.review import Review, all_git_directories, review_as_it_is

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from registry.changes.compare import Comparison
    from registry.model.problem import Problem

_OURS = "refs/registry/"
# Rules about ids in changes and in commits of `registry index`. `check_pushed_ids` checks these.
_ABOUT_IDS = frozenset({"I030", "I031", "I032", "I033"})
_ABOUT_THE_LEDGER = frozenset({"I034"})
_OF_THE_LEDGER = frozenset({"I020", "I022"})


class PushedRef(NamedTuple):
    """One ref update of a push, as git passes it to a hook.

    An id of zeros means that the ref does not exist.
    """

    old: str
    new: str
    ref: str

    @property
    def creates(self) -> bool:
        """True if the ref does not exist yet."""
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        """True if the push deletes the ref."""
        return not self.new.strip("0")


@dataclass(frozen=True, slots=True)
class Guard:
    """What a hook guards.

    `branches` are names or full refs; if empty, the branch of HEAD is guarded. `folder` is the registry's
    folder in the repository, "" or "some/folder/". `max_id_gap` is how many ids a push may skip.
    `sees_whole_push` is False for git's `update` hook, which is called separately for each ref.
    """

    branches: Sequence[str] = ()
    folder: str = ""
    max_id_gap: int = MAX_ID_GAP
    sees_whole_push: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """The problems and changes of one ref update.

    `refused` lists the reasons why it cannot be accepted at all.
    """

    update: PushedRef
    review: Review | None = None
    comparison: Comparison | None = None
    refused: tuple[str, ...] = ()


def parse_updates(lines: Iterable[str]) -> Iterator[PushedRef]:
    """Yield the updates from the lines that git passes to `pre-receive`: old, new, ref.

    Raises UsageError for a malformed line.
    """
    for line in lines:
        parts = line.rstrip("\n").split(" ", 2)
        if len(parts) != 3:
            raise UsageError(
                f"{line!r} is not valid input for a hook",
                "git runs this command as a hook; `registry hook install` sets it up",
            )
        yield PushedRef(*parts)


def guarded_refs(repository: Repository, branches: Sequence[str]) -> tuple[str, ...]:
    """Return the full names of `branches`, or of the branch of HEAD.

    Raises UsageError if HEAD is not on a branch.
    """
    if branches:
        return tuple(branch_ref(branch) for branch in branches)
    head = repository.head_ref()
    if head is None:
        raise UsageError(
            "HEAD of the repository is not on a branch", "name the branch to guard: --branch main"
        )
    return (head,)


def judge_push(root: Path, updates: Iterable[PushedRef], guard: Guard = Guard()) -> list[Verdict]:
    """Check the updates of guarded branches and of the registry's own refs. Other updates pass.

    Raises RegistryError if the check is not possible; the push must then be refused.
    """
    repository = open_repository(root, in_hook=True)
    if repository is None:
        raise UsageError(
            f"{root.resolve()} is not a git repository",
            "run the hook in the repository that receives the push",
        )
    repository.registry_folder = guard.folder
    guarded = guarded_refs(repository, guard.branches)
    pushed = list(updates)
    _require_guarded_branch(repository, guarded, pushed)
    # Git resolves a symbolic ref only after the hook, so a push to an alias would move the branch without a
    # check.
    aliases = {ref for ref, target in repository.symbolic_refs().items() if target in guarded}
    verdicts = []
    for update in pushed:
        if update.ref in (*guarded, HIGH_WATER) and _has_moved(repository, update):
            # Git would refuse only this ref, and would update the other refs of the push.
            verdicts.append(_refusal(update, f"another push moved {update.ref}: fetch it and push again"))
        elif update.ref in guarded:
            verdicts.append(_judge(root, repository, update, guard))
        elif update.ref in aliases:
            verdicts.append(
                _refusal(update, f"{update.ref} is an alias of a guarded branch: push to the branch itself")
            )
        elif update.ref.startswith(_OURS):
            wrong = _wrong_with_mark(root, repository, update, pushed, guarded, guard)
            verdicts.append(Verdict(update, refused=wrong))
    return verdicts


def _has_moved(repository: Repository, update: PushedRef) -> bool:
    """Return True if the ref is no longer where the client saw it."""
    return repository.commit_of(update.ref) != (None if update.creates else update.old)


def _refusal(update: PushedRef, reason: str) -> Verdict:
    return Verdict(update, refused=(reason,))


def _require_guarded_branch(
    repository: Repository, guarded: Sequence[str], pushed: Sequence[PushedRef]
) -> None:
    """Raise UsageError if no guarded branch exists or is created by the push.

    The hook then guards a branch that is not in use.
    """
    branches = [update.ref for update in pushed if update.ref.startswith(HEADS)]
    if branches and not any(ref in branches or repository.commit_of(ref) for ref in guarded):
        raise UsageError(
            f"the guarded branch {', '.join(guarded)} does not exist",
            "push it first; or, on the server: registry hook install --branch NAME",
        )


def _wrong_with_mark(
    root: Path,
    repository: Repository,
    update: PushedRef,
    pushed: Sequence[PushedRef],
    guarded: Sequence[str],
    guard: Guard,
) -> tuple[str, ...]:
    """Return the reasons why this update of the high-water mark is not allowed.

    The mark must point to a commit of a guarded branch and must never lose ids.
    """
    if update.ref != HIGH_WATER:
        return (f"{update.ref}: the only ref accepted below {_OURS} is {HIGH_WATER}",)
    if update.deletes:
        return (f"{HIGH_WATER} records the assigned ids and cannot be deleted by a push",)
    if not guard.sees_whole_push:
        return (
            f"{HIGH_WATER} is accepted only together with its branch, "
            "but an update hook sees one ref at a time: use the pre-receive hook",
        )
    if not any(other.ref in guarded and other.new == update.new for other in pushed):
        return (
            f"{HIGH_WATER} is accepted only in the same push as {' or '.join(guarded)} "
            "and for the same commit: use registry index --push",
        )
    if not update.creates:
        before, after = (
            all_lines(read_ledger_files(Commit(root, repository, commit)))
            for commit in (update.old, update.new)
        )
        # Byte by byte: the mark is the record of last resort, so not even an equivalent form of a line is
        # accepted.
        if not after.startswith(before):
            return (
                f"{HIGH_WATER} has ledger lines that {update.new[:12]} lacks: "
                "run registry index --recover --push",
            )
    return ()


def _judge(root: Path, repository: Repository, update: PushedRef, guard: Guard) -> Verdict:
    """Check an update of a guarded branch."""
    if update.deletes:
        return _refusal(update, f"{update.ref} is a guarded branch and cannot be deleted by a push")
    source = Commit(root, repository, update.new)
    # An empty registry would pass every check, so a wrong folder would turn the hook off silently.
    if not source.entries(DEFINITIONS_FOLDER):
        return _refusal(
            update,
            f"{update.ref} would have no {guard.folder}{DEFINITIONS_FOLDER}/, so it cannot be checked; "
            "if the registry is in another folder, run on the server: registry hook install --folder FOLDER",
        )
    if update.creates:
        return _judge_new_branch(update, source)
    path = repository.path_between(update.old, update.new)
    if path is None:
        return _refusal(
            update,
            f"{update.ref} would lose the commit {update.old[:12]}: "
            "fetch it, and merge or rebase your work; force pushes are refused",
        )
    return _judge_commits(update, Commit(root, repository, update.old), source, path, guard.max_id_gap)


def _judge_new_branch(update: PushedRef, source: Commit) -> Verdict:
    """Check everything: there is no older state to compare with."""
    checked = check_source(source)
    found = {*checked.problems, *_ledger_problems(source), *all_git_directories(source)}
    return Verdict(update, Review(_sorted(found), source, len(checked.loaded.definitions)))


def _judge_commits(
    update: PushedRef, base: Commit, source: Commit, path: list[str], max_id_gap: int
) -> Verdict:
    """Check the commits on `path`, from `base` to `source`: the result, the ids they assign, the changes."""
    review, refused = _with_pushed_ids(review_as_it_is(source, base), base, source, path, max_id_gap)
    comparison = compare_sources(base, source) if review.is_comparable else None
    return Verdict(update, review, comparison, refused)


def _with_pushed_ids(
    review: Review, base: Commit, source: Commit, path: list[str], max_id_gap: int
) -> tuple[Review, tuple[str, ...]]:
    """Replace the review's problems about ids by what the check of each commit finds.

    The rules of a change forbid all ids, but a push may contain commits of `registry index`. Returns the
    review and the reasons to refuse the push.
    """
    repository = base.repository
    assigns_ids = changes_the_ledger(repository, path, base.commit)
    if not assigns_ids and not any(problem.rule in _ABOUT_IDS for problem in review.problems):
        return review, ()
    kinds = load_kinds(source)[0].by_name
    wrong = check_pushed_ids(repository, base.commit, path, kinds, max_id_gap)
    if wrong and not assigns_ids:
        return review, ()  # the problems report the same, with file and line
    decided = _ABOUT_IDS | _ABOUT_THE_LEDGER if assigns_ids else _ABOUT_IDS
    remaining = tuple(one for one in review.problems if one.rule not in decided)
    refused = tuple(f"commit {commit[:12]}: {refusal.message}; {refusal.hint}" for commit, refusal in wrong)
    return replace(review, problems=remaining), refused


def _ledger_problems(source: Commit) -> Iterator[Problem]:
    """Yield the problems of the ledger alone, for a branch that is new in this repository."""
    ledger, problems = parse_ledger_files(read_ledger_files(source), source.settings.registry_id)
    yield from problems
    yield from (problem for problem in verify((), ledger) if problem.rule in _OF_THE_LEDGER)


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.sort_key))
