"""A remote repository: reads its branch, and pushes commits by compare-and-swap."""

import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from registry.errors import UsageError
from registry.git.environment import SYNCED
from registry.git.error import GitError, first_line
from registry.git.refs import HIGH_WATER, RefUpdate, branch_ref
from registry.git.repository import Repository

_INCOMING = "refs/registry/incoming"
_MARKS = "refs/registry/marks"
_FETCHED = "refs/registry/fetched"
# Fetched objects become a pack, never loose files: syncing the folder of packs is enough.
_FETCH_SETTINGS = (*SYNCED, ("fetch.unpackLimit", "1"))
_NO_SUCH_REF = re.compile(r"couldn't find remote ref (\S+)")
_NOT_ATOMIC = re.compile(r"does not support --atomic")
# Another client pushed first: refused by git itself, or by the server during simultaneous pushes.
_LOST = re.compile(
    r"\[rejected\]|cannot lock ref|failed to update ref|failed to lock|incorrect old value"
    r"|reference already exists"
    r"|non-fast-forward|fetch first",
)

# Lines of `git push --porcelain` for refs that did not change: flag, refspec and reason, separated by tabs.
_REJECTED = "!\t"
# Prefix of what a hook of the remote writes.
_HOOK_LINE = "remote: "


class Pushed(Enum):
    """How a push ended."""

    ACCEPTED = "accepted"
    RACED = "raced"
    """Another client moved a ref first. Nothing changed."""
    REFUSED = "refused"
    """The remote does not accept it: a hook, a rule, or no atomic push. Nothing changed."""
    UNCLEAR = "unclear"
    """No answer in time, or the connection broke: the remote may have accepted it. Fetch and search."""


class Push(NamedTuple):
    """Result of a push, with the words of the remote: those of its hook, if it has any."""

    outcome: Pushed
    message: str = ""


class Remote:
    """A named remote of a repository."""

    def __init__(self, repository: Repository, name: str) -> None:
        """Raises UsageError if there is no such remote."""
        self.repository = repository
        self.name = name
        # The commit of the remote's high-water ref at the last fetch.
        self._mark: str | None = None
        self.mark_is_set = False
        names = repository.run_for_remote("remote")[1].split()
        if name not in names:
            known = f"existing remotes: {', '.join(names)}" if names else "git remote add origin ADDRESS"
            raise UsageError(f"there is no remote `{name}`", known)

    def fetch(self, branch: str) -> str:
        """Fetch the remote's branch and high-water mark; returns the commit of the branch.

        Raises GitError when the remote cannot be reached or has no such branch.
        """
        # With a `*`, because a ref with a full name must exist, and this one is optional. Pruned, because a
        # push must state the remote's value, which may be missing although an older one is known here.
        high_water = f"+{HIGH_WATER[:-1]}*:{_MARKS}/{self.name}/high-wate*"
        incoming = f"{_INCOMING}-{branch}"
        options = ("--quiet", "--prune", "--refmap=", "--no-tags", "--no-write-fetch-head")
        refspecs = (f"+{branch_ref(branch)}:{incoming}", high_water)
        self.repository.run_for_remote("fetch", *options, "--end-of-options", self.name, *refspecs)
        found = self.repository.commit_of(incoming)
        if found is None:
            raise GitError(f"{self.name} has no branch {branch}")
        self._mark = self.repository.find(f"{_MARKS}/{self.name}/high-water")
        if self._mark is not None:
            self.repository.note_high_water(self._mark)
        return found

    def push(self, commit: str, branch: str, expected: str, *, with_mark: bool = True) -> bool:
        """Set the remote's branch and, `with_mark`, its high-water ref to `commit`, both or neither.

        Returns False when another client pushed first: the branch no longer names `expected`, or the mark has
        moved since `fetch`. If a remote accepts the branch but not the mark, only the branch is pushed;
        `mark_is_set` reports this. Raises GitError when the remote refuses the branch.
        """
        ref = branch_ref(branch)
        updates = [(ref, expected), *([(HIGH_WATER, self._mark)] if with_mark else [])]
        status, output, stderr = self._push(commit, updates)
        if status == 0:
            self._note(commit, is_set=with_mark)
            return True
        rejected = [line for line in output.splitlines() if line.startswith(_REJECTED)]
        # Without a line for a ref, the words on stderr are all that there is.
        if any(map(_LOST.search, rejected or [stderr])):
            return False
        if with_mark and (rejected or _NOT_ATOMIC.search(stderr)):
            return self._push_separately(commit, branch, expected, is_mark_refused=bool(rejected))
        # GitPython wraps what git wrote.
        first_error = stderr.strip().replace("stderr: '", "").split("\n", 1)[0]
        reason = (rejected[0].rpartition("\t")[2] if rejected else "") or first_error
        raise GitError(
            f"{self.name} rejected the commit: {reason}", f"check that this account can push to {branch}"
        )

    def _push_separately(self, commit: str, branch: str, expected: str, *, is_mark_refused: bool) -> bool:
        """Push the branch first, then the mark unless the remote refused it; returns as `push`.

        For remotes that accept only branches and tags, or do not support atomic push.
        """
        if not self.push(commit, branch, expected, with_mark=False):
            return False
        if not is_mark_refused:
            self.push_high_water(commit)
        return True

    def fetch_refs(self, refs: Sequence[str], limit_s: float) -> dict[str, str | None]:
        """Fetch refs (full names) into `refs/registry/fetched/`; returns their values (None: missing).

        Objects are synced to the disk except for the folder of packs. No branch moves. Raises GitError when
        the remote cannot be read within `limit_s` seconds.
        """
        kept = {ref: f"{_FETCHED}/{self.name}/{ref.removeprefix('refs/')}" for ref in refs}
        # Git fetches nothing if one ref is missing, and names only the first. Each round leaves out one ref,
        # so it ends.
        wanted = list(refs)
        while wanted:
            missing = self._fetch_existing({ref: kept[ref] for ref in wanted}, limit_s)
            if missing is None:
                break
            wanted.remove(missing)
        return {ref: self.repository.commit_of(kept[ref]) if ref in wanted else None for ref in refs}

    def _fetch_existing(self, kept: dict[str, str], limit_s: float) -> str | None:
        """Fetch refs; returns the first that the remote does not have. Nothing is fetched then."""
        options = ("--quiet", "--no-auto-maintenance", "--refmap=", "--no-tags", "--no-write-fetch-head")
        refspecs = [f"+{ref}:{target}" for ref, target in kept.items()]
        status, _, errors = self.repository.run_for_remote_within(
            limit_s,
            "fetch",
            *options,
            "--end-of-options",
            self.name,
            *refspecs,
            settings=_FETCH_SETTINGS,
        )
        missing = _NO_SUCH_REF.search(errors)
        if status and missing is not None and missing[1] in kept:
            return missing[1]
        if status != 0:
            reason = first_line(errors) if status is not None else f"no answer within {limit_s:g} seconds"
            raise GitError(f"{self.name} cannot be fetched: {reason}", "can this machine reach the remote?")
        return None

    def push_atomic(self, updates: Sequence[RefUpdate], limit_s: float) -> Push:
        """Set all refs on the remote or none, if each has its old value there (None: missing)."""
        status, output, errors = self.repository.run_for_remote_within(
            limit_s,
            "push",
            "--porcelain",
            "--no-verify",
            "--atomic",
            *(f"--force-with-lease={update.ref}:{update.old or ''}" for update in updates),
            "--end-of-options",
            self.name,
            *(f"{update.new}:{update.ref}" for update in updates),
        )
        return Push(Pushed.ACCEPTED) if status == 0 else _judge(status, output, errors, limit_s)

    def push_high_water(self, commit: str) -> bool:
        """Set the remote's high-water ref to `commit` unless it has moved since `fetch`; best effort.

        Returns False when the remote refuses or another client pushed first; the next run sets the ref.
        """
        status, _, _ = self._push(commit, [(HIGH_WATER, self._mark)])
        self._note(commit, is_set=status == 0)
        return status == 0

    def _push(self, commit: str, updates: Sequence[tuple[str, str | None]]) -> tuple[int, str, str]:
        """Set refs to `commit` if each still has its expected value (None: missing); all of them or none."""
        # An explicit old value for each ref makes the push a compare-and-swap. An empty one means: the ref
        # must not exist.
        leases = [f"--force-with-lease={ref}:{expected or ''}" for ref, expected in updates]
        atomic = ["--atomic"] if len(updates) > 1 else []
        refspecs = [f"{commit}:{ref}" for ref, _ in updates]
        return self.repository.run_for_remote(
            "push",
            "--porcelain",
            "--no-verify",
            *atomic,
            *leases,
            "--end-of-options",
            self.name,
            *refspecs,
            ok=range(256),
        )

    def _note(self, commit: str, *, is_set: bool) -> None:
        self.mark_is_set = is_set
        if is_set:
            self.repository.note_high_water(commit)


def _judge(status: int | None, output: str, errors: str, limit_s: float) -> Push:
    """Return the result of a push that did not succeed, from git's answers for each ref."""
    if status is None:
        return Push(Pushed.UNCLEAR, f"no answer within {limit_s:g} seconds")
    rejected = [line for line in output.splitlines() if line.startswith(_REJECTED)]
    if any(_LOST.search(line) for line in rejected):
        return Push(Pushed.RACED, _reason(rejected))
    # `[remote failure]`: the remote did not report a status.
    if any("[remote rejected]" in line for line in rejected):
        words = [
            line.removeprefix(_HOOK_LINE).rstrip()
            for line in errors.splitlines()
            if line.startswith(_HOOK_LINE)
        ]
        return Push(Pushed.REFUSED, "\n".join(filter(None, words)) or _reason(rejected))
    if _NOT_ATOMIC.search(errors):
        return Push(Pushed.REFUSED, first_line(errors))
    return Push(Pushed.UNCLEAR, first_line(errors))


def _reason(rejected: Sequence[str]) -> str:
    """The first reason that is not the failure of another ref."""
    reasons = [line.rpartition("\t")[2] for line in rejected]
    return next((reason for reason in reasons if "atomic" not in reason), reasons[0])
