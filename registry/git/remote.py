"""A remote repository: what its branch holds, and new commits for it by compare-and-swap."""

import re

from registry.errors import UsageError
from registry.git.error import GitError
from registry.git.repository import HIGH_WATER, Repository

_INCOMING = "refs/registry/incoming"
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
        names = repository.run_for_remote("remote")[1].split()
        if name not in names:
            known = f"there is {', '.join(names)}" if names else "git remote add origin ADDRESS"
            raise UsageError(f"there is no remote `{name}`", known)

    def fetch(self, branch: str) -> str:
        """The commit that the remote's branch names now, with all its objects here. Also takes over the high-water mark."""
        # With a `*`, because a ref that is named in full must be there, and this one need not be.
        high_water = f"+{HIGH_WATER[:-1]}*:{HIGH_WATER[:-1]}*"
        incoming = f"{_INCOMING}-{branch}"
        self.repository.run_for_remote("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options", self.name,
                                       f"+refs/heads/{branch}:{incoming}", high_water)  # fmt: skip
        found = self.repository.find(incoming)
        if found is None:
            raise GitError(f"{self.name} has no branch {branch}")
        return found

    def push(self, commit: str, branch: str, expected: str) -> bool:
        """Make the remote's branch name `commit` if it still names `expected`; False when somebody else was faster."""
        ref = f"refs/heads/{branch}"
        words = ("push", "--porcelain", "--no-verify", f"--force-with-lease={ref}:{expected}", "--end-of-options", self.name, f"{commit}:{ref}")
        status, output, stderr = self.repository.run_for_remote(*words, ok=(0, 1, 128))
        if status == 0:
            return True
        refused = next((line for line in output.splitlines() if line.startswith("!")), "")
        if _LOST.search(refused) or (not refused and _LOST.search(stderr)):
            return False
        reason = refused.rpartition("\t")[2] or stderr.strip().replace("stderr: '", "").split("\n", 1)[0]
        raise GitError(f"{self.name} does not take the commit: {reason}", f"may this account push to {branch}?")

    def push_high_water(self, commit: str, expected: str | None) -> bool:
        """Let the remote's high-water ref name `commit` if it still names `expected`. Best effort: a second copy.

        False when the remote does not want it, or somebody else was faster: who comes next sees to it.
        """
        lease = f"--force-with-lease={HIGH_WATER}:{expected or ''}"
        words = ("push", "--quiet", "--no-verify", lease, "--end-of-options", self.name, f"{commit}:{HIGH_WATER}")
        if self.repository.run_for_remote(*words, ok=range(256))[0] != 0:
            return False
        self.repository.note_high_water(commit)
        return True
