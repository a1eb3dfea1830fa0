"""Move several refs from their full old values to new ones: all of them or none (git-update-ref(1))."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from registry.git.environment import SYNCED
from registry.git.error import GitWriteError, WriteFailure, first_line
from registry.git.process import Git
from registry.git.refs import RefUpdate
from registry.git.running import RunningGit

# A lock of another process usually lasts milliseconds.
_SETTINGS = (*SYNCED, ("core.filesRefLockTimeout", "1000"), ("core.packedRefsTimeout", "2000"))
_LOCK_EXISTS = re.compile(r"Unable to create '([^'\n]+\.lock)': File exists")
_CLOSE_LIMIT_S = 10.0
_REFNAME = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+\Z")


class Published(Enum):
    """How a publication ended."""

    MOVED = "moved"
    """All refs have their new values, and these are on the disk."""
    RACED = "raced"
    """Another client moved a ref first. Nothing changed."""
    LOCKED = "locked"
    """Another process holds a lock, or one that was killed left it. Nothing changed; try again."""
    FAILED = "failed"
    """Git or the disk failed. `present` shows whether the refs have moved; they may not be on the disk."""


class Publication(NamedTuple):
    """Result of a publication.

    `present` has the values of the refs after it (None: missing or broken). `message` has git's words. `lock`
    is the path of the lock file for LOCKED. `failure` is the kind of failure, None if nothing failed.
    """

    outcome: Published
    present: Mapping[str, str | None]
    message: str = ""
    lock: str = ""
    failure: WriteFailure | None = None


class RefTransactions:
    """A running `git update-ref --stdin`, which saves the start of a process for each transaction."""

    def __init__(
        self, git: Git, committer: str, pass_fds: Sequence[int] = (), command: str = "registry serve"
    ) -> None:
        """Use `git`; `committer` and `command` are in reflogs, for repositories that have them."""
        self._git = git
        self._command = command
        self._env = {"GIT_COMMITTER_NAME": committer, "GIT_COMMITTER_EMAIL": f"{committer}@localhost"}
        self._pass_fds = pass_fds
        self._running: RunningGit | None = None

    @property
    def pid(self) -> int | None:
        """The id of the running process, if there is one."""
        return self._running.pid if self._running is not None else None

    def move(
        self,
        updates: Sequence[RefUpdate],
        limit_s: float,
        on_start: Callable[[int], None] = lambda pid: None,
        prepared: Callable[[], None] = lambda: None,
    ) -> Publication:
        """Move all refs or none. The folders of the refs are not synced.

        `on_start` receives the id of a new process. `prepared` is called between the two phases: all refs are
        locked then. In any outcome git has no lock afterwards, unless a process was killed. Raises
        GitWriteError or OSError when git cannot start, and ValueError for what is not a full name of a ref.
        """
        commands = "".join(f"update {ref} {new} {old or '0' * len(new)}\n" for ref, new, old in updates)
        # The protocol is text: a space or line end in a name would be another command.
        if not all(_REFNAME.match(update.ref) for update in updates):
            raise ValueError(f"not full names of refs: {[update.ref for update in updates]}")
        running = self._process(on_start)
        try:
            # Two phases: after `prepare` all refs are locked and compared, so `commit` cannot fail for a
            # single one of them.
            running.exchange(f"start\n{commands}prepare\n".encode(), 2, limit_s)
            prepared()
            running.exchange(b"commit\n", 1, limit_s)
        except GitWriteError as error:
            self._running = None
            return self._judge(updates, error)
        return Publication(Published.MOVED, {update.ref: update.new for update in updates})

    def _process(self, on_start: Callable[[int], None]) -> RunningGit:
        if self._running is not None and self._running.has_ended:
            self._running.kill()
            self._running = None
        if self._running is None:
            words = ("update-ref", "-m", self._command, "--stdin")
            process = self._git.start(*words, settings=_SETTINGS, env=self._env, pass_fds=self._pass_fds)
            self._running = RunningGit(process, "git update-ref")
            on_start(self._running.pid)
        return self._running

    def _judge(self, updates: Sequence[RefUpdate], error: GitWriteError) -> Publication:
        """Return what happened, from the present values: an answer can be lost after the refs have moved."""
        text = error.errors.removeprefix("fatal: prepare: ").removeprefix("fatal: commit: ")
        message = first_line(text) if text else error.message
        present = self.values([update.ref for update in updates])
        if all(present[update.ref] == update.new for update in updates):
            return Publication(Published.MOVED, present, failure=error.failure)
        lock = lock_in(text)
        if lock is not None:
            return Publication(Published.LOCKED, present, message, str(lock), WriteFailure.LOCKED)
        if all(present[update.ref] in (update.old, update.new) for update in updates) or "broken" in text:
            return Publication(Published.FAILED, present, message, failure=error.failure)
        return Publication(Published.RACED, present, message, failure=error.failure)

    def values(self, refs: Iterable[str]) -> dict[str, str | None]:
        """Return the present values of refs (full names); None for a missing or broken one."""
        return ref_values(self._git, refs)

    def close(self) -> None:
        """End the process."""
        if self._running is not None:
            self._running.finish(b"", _CLOSE_LIMIT_S)
            self._running = None


def lock_in(errors: str) -> Path | None:
    """Return the lock file that git's error output names as existing, or None."""
    found = _LOCK_EXISTS.search(errors)
    return Path(found[1]) if found is not None else None


def ref_values(git: Git, refs: Iterable[str]) -> dict[str, str | None]:
    """Return the present values of refs (full names); None for a missing or broken one."""
    wanted = list(refs)
    listing = git.query("for-each-ref", "--format=%(refname) %(objectname)", *wanted)[1]
    found = dict(line.split(" ", 1) for line in listing.splitlines())
    return {ref: found.get(ref) for ref in wanted}
