"""A remote repository: what its branch holds, and new commits for it by compare-and-swap."""

import re
from collections.abc import Sequence

from registry.errors import UsageError
from registry.git.error import GitError
from registry.git.refs import HIGH_WATER, branch_ref
from registry.git.repository import Repository

_INCOMING = "refs/registry/incoming"
_MARKS = "refs/registry/marks"
_NOT_ATOMIC = re.compile(r"does not support --atomic")
# Somebody else was faster: refused by git itself, or by the server while both of us were pushing.
_LOST = re.compile(
    r"\[rejected\]|cannot lock ref|failed to update ref|failed to lock|incorrect old value|reference already exists|non-fast-forward|fetch first",
)


class Remote:
    """A named remote of a repository."""

    def __init__(self, repository: Repository, name: str) -> None:
        """Raises UsageError when there is no such remote."""
        self.repository = repository
        self.name = name
        # What the remote's high-water ref named when it was fetched.
        self._mark: str | None = None
        self.mark_is_set = False
        names = repository.run_for_remote("remote")[1].split()
        if name not in names:
            known = f"there is {', '.join(names)}" if names else "git remote add origin ADDRESS"
            raise UsageError(f"there is no remote `{name}`", known)

    def fetch(self, branch: str) -> str:
        """The commit that the remote's branch names now, with all its objects here. Also takes over the high-water mark."""
        # With a `*`, because a ref that is named in full must be there, and this one need not be. Pruned, because a push
        # has to say what the remote has, which may be none although an older one is known here.
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
        """Let the remote's branch and, `with_mark`, its high-water ref name `commit`, both or neither.

        False when another client was faster: the branch no longer names `expected`, or the mark has moved since `fetch`.
        A remote that takes the branch but not the mark gets the branch alone; `mark_is_set` says so afterwards.
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
            # Refused by a rule of the remote. Some remotes take no refs beside branches and tags, or know no atomic push.
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
        """Let the remote's high-water ref name `commit`, where it has not moved since `fetch`. Best effort: a second copy.

        False when the remote does not want it, or another client was faster; the next run sets it.
        """
        status, _, _ = self._push(commit, [(HIGH_WATER, self._mark)])
        self._note(commit, is_set=status == 0)
        return status == 0

    def _push(self, commit: str, updates: Sequence[tuple[str, str | None]]) -> tuple[int, str, str]:
        """Let refs name `commit` where each still names what is expected (None: nothing); all of them or none."""
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
