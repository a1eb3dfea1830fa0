"""Assign ids on the main branch: read a commit, plan with `ids.plan`, make one commit, move the branch.

Until the branch moves, only git objects are written. A run that is stopped at any point leaves the old or the
new state, and the next run needs no repair.
"""

from __future__ import annotations

import random
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.errors import ProblemsError, RefusedError, RegistryError, UsageError
from registry.files.atomic_write import put_in
from registry.files.safe_paths import refuse_links
from registry.git import HEADS, HIGH_WATER, RefUpdate, Repository, branch_ref
from registry.git.branch_commit import advance, finish_advance, make_commit
from registry.git.remote import Remote
from registry.ids import (
    Assignment,
    Ledger,
    LedgerEntry,
    Mark,
    Plan,
    all_lines,
    encode,
    in_safe_order,
    parse_ledger,
    parse_ledger_files,
    plan,
    plan_append,
    plan_rewrite,
)
from registry.indexing.published import PublishedLedger, high_water, read_published
from registry.load.ledger_files import MAX_LEDGER_BYTES, read_ledger_files
from registry.load.settings import SETTINGS_PATH, Settings, source_date_epoch
from registry.load.source import Commit, Source, WorkTree, open_source
from registry.model.definition import DEFINITIONS_FOLDER, LEDGER_PATH
from registry.model.problem import Problem, Severity
from registry.pipeline import check_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from registry.model.ledger_files import LedgerFiles

INDEXED = "Registry-Index"
"""Trailer of the commits made here: the commit that was indexed."""
# Problems that indexing fixes.
_FIXED_HERE = frozenset({"I010"})
# Branches that a hint lists.
_MOST_BRANCHES = 8


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """Options of a run.

    With `remote`, the commit goes to the remote's `branch`, otherwise to the local branch.
    """

    make_commit: bool = True
    remote: str | None = None
    branch: str | None = None
    published: str | None = None
    accept_mark: int | None = None
    recover: bool = False
    give_up_after_s: float = 120


@dataclass(frozen=True, slots=True)
class IndexResult:
    """The assigned ids and new ledger entries.

    `commit` is None when nothing changed or no commit was requested. `notes` are messages for the user about
    unexpected states.
    """

    assignments: tuple[Assignment, ...]
    entries: tuple[LedgerEntry, ...]
    commit: str | None
    notes: tuple[str, ...] = ()


def index(
    root: Path, options: IndexOptions = IndexOptions(), step: Callable[[str], None] = lambda _name: None
) -> IndexResult:
    """Assign ids to definitions without one, and record renamed, deleted and restored definitions.

    Raises ProblemsError when the definitions have errors, and RefusedError when continuing could assign an id
    twice or lose work; nothing is written then. Raises UsageError for wrong options and when other clients
    keep changing the branch. `step` is called with the name of each step, so that tests can interrupt a run.
    """
    if not options.make_commit:
        return _into_files(open_source(root), options, step)
    repository = _repository_to_commit_to(root)
    if options.remote is None:
        return _until_done(lambda: _into_local_branch(root, repository, options, step), options)
    remote = Remote(repository, options.remote)
    branch = _branch_of_remote(repository, options.remote, options.branch)
    return _until_done(lambda: _into_remote_branch(root, repository, remote, branch, options, step), options)


def _branch_of_remote(repository: Repository, remote: str, given: str | None) -> str:
    """Return the short name of the branch of `remote` that gets the ids.

    That is `given`, otherwise the branch that HEAD's branch tracks there, otherwise HEAD's branch name.
    """
    if given is not None:
        return branch_ref(given).removeprefix(HEADS)
    local = repository.branch()
    if local is None:
        raise UsageError("HEAD is detached", "name the branch that gets the ids: --branch main")
    return repository.upstream(local, remote) or local


def _until_done(attempt: Callable[[], IndexResult | None], options: IndexOptions) -> IndexResult:
    """Repeat the attempt, from scratch, while other clients change the branch first."""
    deadline = time.monotonic() + options.give_up_after_s
    tries = 1
    while (result := attempt()) is None:
        # Random, so that several jobs that lost the same race do not meet again at once.
        wait = random.uniform(0.05, min(0.2 * tries, 5))
        if time.monotonic() + wait > deadline:
            raise UsageError(
                f"other clients changed the branch {tries} times in {options.give_up_after_s:g} s; no ids "
                "were assigned",
                "run it again",
            )
        time.sleep(wait)
        tries += 1
    return result


def _into_remote_branch(
    root: Path,
    repository: Repository,
    remote: Remote,
    branch: str,
    options: IndexOptions,
    step: Callable[[str], None],
) -> IndexResult | None:
    # Each attempt starts from what the remote has now: a plan for an older state could assign an id twice.
    base = remote.fetch(branch)
    step("fetched")
    head = repository.head() if not repository.is_bare else None
    # Otherwise local commits would need a merge with the new ids, and a conflict would be in the ledger.
    if head is not None and not repository.is_ancestor(head, base):
        raise RefusedError(
            f"HEAD has commits that {branch} of {remote.name} does not have",
            f"push them first, or git reset --hard {base}",
        )
    work = _Work.at(root, repository, base, options)
    needs_mark = work.needs_mark
    if work.commit_needed:
        commit = work.make_commit(repository, base)
        step("commit made")
        if not remote.push(commit, branch, base, with_mark=needs_mark):
            return None
        step("pushed")
    else:
        commit = base
        if needs_mark:
            remote.push_high_water(commit)
            step("marked")
    notes = list(work.notes)
    if needs_mark and not remote.mark_is_set:
        notes.append(
            f"{HIGH_WATER} could not be set on {remote.name}: until a later run sets it, the published site "
            "is the "
            "only other copy of the ids"
        )
    notes += _follow(repository, branch, commit, work.author)
    return work.result(commit if work.commit_needed else None, notes)


def _follow(repository: Repository, branch: str, commit: str, author: tuple[str, str]) -> list[str]:
    """Fast-forward the local branch to the pushed commit, or return a note with the reason why not."""
    ref = branch_ref(branch) if repository.is_bare else repository.head_ref() or "HEAD"
    here = repository.find(ref)
    if here == commit:
        return []
    try:
        if (here is None or repository.is_ancestor(here, commit)) and advance(
            repository, [RefUpdate(ref, commit, here)], author
        ):
            return []
    # The push has succeeded, so this is a note: the ids are assigned whatever the local state is.
    except RegistryError as error:
        return [f"the local work tree is not at {commit[:12]}: {error.message}"]
    return [f"the local {ref} is not at {commit[:12]}: run git pull"]


def _into_local_branch(
    root: Path, repository: Repository, options: IndexOptions, step: Callable[[str], None]
) -> IndexResult | None:
    ref = _local_ref(repository, options.branch)
    # Before everything else: if another client moves it meanwhile, this plan is outdated.
    mark = repository.commit_of(HIGH_WATER)
    base = repository.find(ref)
    if base is None:
        raise _no_commit(repository, ref)
    work = _Work.at(root, repository, base, options)
    # Others fetch from a bare repository, so its ids are published. A clone may drop its commits until then.
    needs_mark = repository.is_bare and work.needs_mark
    if not (work.commit_needed or needs_mark):
        return work.result(None)
    commit = base
    if work.commit_needed:
        commit = work.make_commit(repository, base)
        step("commit made")
    updates = [RefUpdate(ref, commit, base)]
    updates += [RefUpdate(HIGH_WATER, commit, mark)] if needs_mark else []
    if not advance(repository, updates, work.author, lambda: step("branch moved")):
        return None  # another client was faster
    step("moved")
    return work.result(commit if work.commit_needed else None)


def _no_commit(repository: Repository, ref: str) -> UsageError:
    """Return the error for a branch without a commit."""
    if not repository.is_bare:
        hint = "git add . && git commit, then run it again; or use --no-commit"
        return UsageError("there is no commit yet", hint)
    others = ", ".join(one.removeprefix(HEADS) for one in repository.branches()[:_MOST_BRANCHES])
    hint = f"name another one with --branch: {others}" if others else "push to it, then run it again"
    return UsageError(f"the branch {ref.removeprefix(HEADS)} does not exist", hint)


def _local_ref(repository: Repository, branch: str | None) -> str:
    """Return the full name of the branch that gets the ids, or HEAD if it is detached."""
    here = repository.head_ref()
    if branch is None:
        return here or "HEAD"
    ref = branch_ref(branch)
    if not repository.is_bare and ref != here:
        raise UsageError(
            f"HEAD is not on the branch {branch}; ids are assigned to what is checked out",
            f"git switch {branch}",
        )
    return ref


def _into_files(source: Source, options: IndexOptions, step: Callable[[str], None]) -> IndexResult:
    """Write into the work tree, without a commit.

    The ledger is written last, so an interrupted run can be repeated.
    """
    work = _Work.of(source, options, source.repository, source.commit)
    for path in (*work.files, *work.ledger_files):
        refuse_links(source.root, path)
    # Everything is read before the first write, so that a failure can restore the files.
    before = {path: source.read(path, at_most=MAX_LEDGER_BYTES) for path in (*work.files, *work.ledger_files)}
    try:
        for path, data in (*work.files.items(), *in_safe_order(work.open_segment, work.ledger_files)):
            put_in(source.root, path, data)
            step("file written")
    # Also Ctrl-C: half of the ids in the files without their ledger lines would be refused by the next check.
    except BaseException:
        for path, old in before.items():
            put_in(source.root, path, old)
        raise
    return work.result(None)


@dataclass(frozen=True, slots=True)
class _Work:
    """The planned changes to one state of the files.

    `files` are definitions and settings. `ledger_files` are those of the ledger, whose open segment was
    `open_segment`; None for a file to remove. `marked_lines` is the number of ledger lines at the high-water
    ref.
    """

    plan: Plan
    ledger: Ledger
    settings: Settings
    files: dict[str, bytes]
    open_segment: bytes
    ledger_files: dict[str, bytes | None]
    marked_lines: int = 0
    prefix: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def at(cls, root: Path, repository: Repository, base: str, options: IndexOptions) -> _Work:
        """Plan for the commit `base`."""
        return cls.of(Commit(root, repository, base), options, repository, base)

    @classmethod
    def of(
        cls, source: Source, options: IndexOptions, repository: Repository | None, base: str | None
    ) -> _Work:
        """Plan for the content of `source`.

        Raises ProblemsError, RefusedError or UsageError when ids must not be assigned.
        """
        checked = check_source(source)
        _refuse_errors(checked.problems, source)
        settings = checked.settings
        there = read_ledger_files(source)
        # A random id: two registries that start from one template must not accept each other's ledger.
        registry_id = settings.registry_id or str(uuid.uuid4())
        published, notes = _published(source.root, repository, options)
        ledger, recovered, known_lines = _ledger(there, settings, registry_id, published, options)
        marks = [one.mark for one in published] + _accepted(options, [kind.name for kind in checked.kinds])
        if not marks:
            _refuse_shallow(repository)
        planned = plan(checked.loaded.definitions, ledger, marks, base, known_lines)
        if planned.problems:
            raise ProblemsError(planned.problems, source.read, "nothing was indexed")
        files = dict(planned.edits)
        ledger_files = _ledger_files(there, encode(planned.entries), recovered, known_lines)
        if (files or ledger_files) and not settings.registry_id:
            files[SETTINGS_PATH] = _with_registry_id(source.read(SETTINGS_PATH), registry_id)
        prefix = repository.prefix_of(source.root) if repository is not None else ""
        marked = max((one.mark.lines for one in published if one.mark.where == HIGH_WATER), default=0)
        return cls(planned, ledger, settings, files, there.open, ledger_files, marked, prefix, tuple(notes))

    @property
    def commit_needed(self) -> bool:
        """False when every definition has its id and the ledger is complete."""
        return bool(self.files or self.ledger_files)

    @property
    def author(self) -> tuple[str, str]:
        """Name and e-mail of the committer."""
        return self.settings.bot_name, self.settings.bot_email

    @property
    def needs_mark(self) -> bool:
        """True when the high-water ref does not cover all assigned ids."""
        return len(self.ledger.entries) + len(self.plan.entries) > self.marked_lines

    def make_commit(self, repository: Repository, base: str) -> str:
        """Create the commit without moving a branch, and return its hash."""
        changed: dict[str, bytes | None] = {**self.files, **self.ledger_files}
        files = {f"{self.prefix}{path}": data for path, data in changed.items()}
        message = f"{_subject(self.plan)}\n\n{_details(self.plan)}\n\n{INDEXED}: {base}\n"
        return make_commit(repository, base, files, message, self.author, source_date_epoch())

    def result(self, commit: str | None, notes: Sequence[str] | None = None) -> IndexResult:
        """Return the result for the caller."""
        return IndexResult(
            self.plan.assignments, self.plan.entries, commit, tuple(self.notes if notes is None else notes)
        )


def _repository_to_commit_to(root: Path) -> Repository:
    source = WorkTree(root) if not (root / DEFINITIONS_FOLDER).is_dir() else open_source(root)
    repository = source.repository
    if repository is None:
        if not (root / DEFINITIONS_FOLDER).is_dir():
            open_source(root)  # raises if there is no registry
        raise UsageError(
            f"{root} is not in a git repository, so there is no branch to commit to",
            "git init, or use --no-commit",
        )
    if repository.is_bare:
        return repository
    open_source(root)
    # An earlier run may have been killed between the branch and the work tree.
    finish_advance(repository)
    prefix = repository.prefix_of(root)
    changed = repository.changed_paths(f"{prefix}{DEFINITIONS_FOLDER}") | repository.changed_paths(
        f"{prefix}{SETTINGS_PATH}"
    )
    if changed and repository.head() is not None:
        paths = sorted(changed)
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        raise RefusedError(
            f"{paths[0]}{more}: uncommitted changes, but ids are assigned to what is committed",
            "commit or stash them first, or use --no-commit",
        )
    return repository


def _refuse_errors(problems: Iterable[Problem], source: Source) -> None:
    """Raise ProblemsError for errors that indexing does not fix."""
    errors = [one for one in problems if one.severity is Severity.ERROR and one.rule not in _FIXED_HERE]
    if errors:
        raise ProblemsError(errors, source.read, "nothing was indexed: the definitions have errors")


def _refuse_shallow(repository: Repository | None) -> None:
    """Raise RefusedError for a shallow clone, which does not show all assigned ids."""
    # It lacks the commits that a reset would reveal.
    if repository is not None and repository.is_shallow():
        raise RefusedError(
            "this is a shallow clone without access to published ids: an id could be assigned twice",
            "git fetch --unshallow; or --published URL; or --accept-mark N, if no id is above N",
        )


def _published(
    root: Path, repository: Repository | None, options: IndexOptions
) -> tuple[list[PublishedLedger], list[str]]:
    """Return the available records of published ids, and notes."""
    found, notes = [], []
    if options.published is not None:
        one = read_published(options.published, root, repository)
        if one is None:
            notes.append(f"nothing is published at {options.published} yet")
        else:
            found.append(one)
    noted = high_water(root, repository) if repository is not None else None
    return [*found, *([noted] if noted else [])], notes


def _accepted(options: IndexOptions, kinds: Sequence[str]) -> list[Mark]:
    if options.accept_mark is None:
        return []
    return [Mark("--accept-mark", "", dict.fromkeys(kinds, options.accept_mark + 1), 0, "")]


def _ledger(
    files: LedgerFiles,
    settings: Settings,
    registry_id: str,
    published: Sequence[PublishedLedger],
    options: IndexOptions,
) -> tuple[Ledger, bytes | None, int | None]:
    """Return the ledger to continue.

    After a recovery the second value has its lines, and the third is the number of those that were present
    before. Raises RefusedError when it belongs to another registry, is broken, or has lost lines.
    """
    ledger, problems = parse_ledger_files(files, registry_id)
    _refuse_other_registries(ledger, published, settings, registry_id)
    lost = next((one for one in published if problems or not ledger.extends(one.mark)), None)
    if lost is not None and options.recover:
        whole, lines = _recovered(lost, registry_id, published)
        # `strict=False`, because the branch that was reset has fewer lines.
        same = sum(1 for ours, theirs in zip(ledger.entries, whole.entries, strict=False) if ours == theirs)
        # A broken ledger does not show how old the files are. They are treated as new.
        return whole, lines, None if problems else same
    if problems:
        span = problems[0].span
        hint = (
            _recovery(lost.mark, options)
            if lost
            else f"find the change with git log -p -- {span.path}, and restore the last valid version"
        )
        raise RefusedError(f"{span.path}:{span.line}: {problems[0].message}", hint)
    if lost is not None:
        raise RefusedError(
            f"{lost.mark.where} has {lost.mark.lines:,} ledger lines that are not all present here: the "
            "branch was reset",
            _recovery(lost.mark, options),
        )
    return ledger, None, None


def _refuse_other_registries(
    ledger: Ledger, published: Sequence[PublishedLedger], settings: Settings, registry_id: str
) -> None:
    """Raise RefusedError when a record of ids, here or published, has another `registry_id`."""
    owners = [(ledger.registry_id, LEDGER_PATH)]
    owners += [(one.mark.registry_id, one.mark.where) for one in published]
    for owner, where in owners:
        if owner == registry_id:
            continue
        if settings.registry_id:
            configured, hint = f"registry.yaml has {settings.registry_id}", "a fork assigns no ids"
        else:
            configured = "registry.yaml has none"
            hint = f"restore it in registry.yaml: registry_id: {owner}"
        raise RefusedError(f"{where} belongs to the registry {owner}, but {configured}", hint)


def _ledger_files(
    there: LedgerFiles, new: bytes, recovered: bytes | None, known_lines: int | None
) -> dict[str, bytes | None]:
    """Return the changed files of the ledger, which ends with the lines `new`.

    `recovered` and `known_lines` are those of `_ledger`. Sealed segments are only replaced when their lines
    are wrong.
    """
    if recovered is None:
        return plan_append(there, new)
    known = all_lines(there)
    if known_lines is not None and recovered.startswith(known):
        return plan_append(there, recovered[len(known) :] + new)
    return plan_rewrite(there, recovered + new)


def _recovery(mark: Mark, options: IndexOptions) -> str:
    words = ["registry index --recover"]
    words += [f"--published {mark.where}"] if mark.where != HIGH_WATER else []
    words += [f"--push --remote {options.remote}"] if options.remote else []
    words += [f"--branch {options.branch}"] if options.branch else []
    return f"restore the published ledger: {' '.join(words)}"


def _recovered(
    lost: PublishedLedger, registry_id: str, published: Sequence[PublishedLedger]
) -> tuple[Ledger, bytes]:
    """Return the published ledger.

    Raises RefusedError when it is broken or contradicts another published state.
    """
    data = lost.read_ledger()
    ledger, problems = parse_ledger(data, registry_id)
    if problems or ledger.registry_id != registry_id:
        raise RefusedError(
            f"the ledger published at {lost.mark.where} is broken too",
            "find a valid copy and name it with --published FILE",
        )
    against = next((one for one in published if not ledger.extends(one.mark)), None)
    if against is not None:
        raise RefusedError(
            f"{lost.mark.where} and {against.mark.where} have contradicting ledgers",
            "exclude the wrong one: --published names one, git update-ref -d removes the other",
        )
    return ledger, data


def _with_registry_id(data: bytes | None, registry_id: str) -> bytes:
    text = data or b""
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return text + f"registry_id: {registry_id}\n".encode()


def _subject(planned: Plan) -> str:
    given = [entry for entry in planned.entries if entry.state == "live"]
    noted = len(planned.entries) - len(given)
    words = (
        f"Assign {'an id' if len(given) == 1 else 'ids'} to "
        f"{given[0].name if len(given) == 1 else f'{len(given)} definitions'}"
        if given
        else ""
    )
    if noted:
        words += f"{', record' if words else 'Record'} {noted} renamed or deleted"
    return words or ("Restore ids" if planned.assignments else "Restore the published ledger")


def _details(planned: Plan) -> str:
    lines = [f"{entry.kind} {entry.id} {entry.state}: {entry.name}" for entry in planned.entries]
    for one in planned.assignments:
        if one.taken_off is not None:
            lines.append(
                f"{one.definition.path} had {one.taken_off}, which belongs to another definition; it now has "
                f"{one.id}"
            )
        elif not one.is_new:
            lines.append(f"{one.definition.path} lost its id {one.id}")
    # The first run of a large registry would make a message of a megabyte; the ledger has all lines.
    return "\n".join([*lines[:200], *([f"and {len(lines) - 200} more"] if len(lines) > 200 else [])])
