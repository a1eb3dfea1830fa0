"""A remote repository: reads its branch, and pushes commits by compare-and-swap."""

import re
from collections.abc import Sequence

from registry.errors import UsageError
from registry.git.error import GitError
from registry.git.refs import HIGH_WATER, branch_ref
from registry.git.repository import Repository

_INCOMING = "refs/registry/incoming"
_MARKS = "refs/registry/marks"
_NOT_ATOMIC = re.compile(r"does not support --atomic")
# Another client pushed first: refused by git itself, or by the server during simultaneous pushes.
_LOST = re.compile(
    r"\[rejected\]|cannot lock ref|failed to update ref|failed to lock|incorrect old value"
    r"|reference already exists"
    r"|non-fast-forward|fetch first",
)


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
            known = f"there is {', '.join(names)}" if names else "git remote add origin ADDRESS"
            raise UsageError(f"there is no remote `{name}`", known)

    def fetch(self, branch: str) -> str:
        """Fetch the remote's branch and high-water mark; returns the commit of the branch."""
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
        `mark_is_set` reports this.
        """
        ref = branch_ref(branch)
        updates = [(ref, expected), *([(HIGH_WATER, self._mark)] if with_mark else [])]
        status, output, stderr = self._push(commit, updates)
        if status == 0:
            self._note(commit, is_set=with_mark)
            return True
        rejected = {
            line.split("\t")[1].partition(":")[2]: line
            for line in output.splitlines()
            if line.startswith("!\t")
        }
        if any(_LOST.search(line) for line in rejected.values()) or (not rejected and _LOST.search(stderr)):
            return False
        if with_mark and (rejected or _NOT_ATOMIC.search(stderr)):
            # Refused by a rule of the remote. Some remotes only accept branches and tags, or do not support
            # atomic push.
            if not self.push(commit, branch, expected, with_mark=False):
                return False
            if not rejected:
                self.push_high_water(commit)
            return True
        refused = next(iter(rejected.values()), "")
        reason = refused.rpartition("\t")[2] or stderr.strip().replace("stderr: '", "").split("\n", 1)[0]
        raise GitError(
            f"{self.name} does not take the commit: {reason}", f"may this account push to {branch}?"
        )

    def push_high_water(self, commit: str) -> bool:
        """Set the remote's high-water ref to `commit` unless it has moved since `fetch`; best effort.

        Returns False when the remote refuses or another client pushed first; the next run sets the ref.
        """
        status, _, _ = self._push(commit, [(HIGH_WATER, self._mark)])
        self._note(commit, is_set=status == 0)
        return status == 0

    def _push(self, commit: str, updates: Sequence[tuple[str, str | None]]) -> tuple[int, str, str]:
        """Set refs to `commit` if each still has its expected value (None: missing); all of them or none."""
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
