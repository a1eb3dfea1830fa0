"""The main branch of the repository that writes go to: read its state, and add the commits of a batch."""

from __future__ import annotations

import re
import time
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from registry.errors import RefusedError, RegistryError, UsageError
from registry.git import (
    HEADS,
    HIGH_WATER,
    CommitSpec,
    GitError,
    GitWriteError,
    Published,
    RefUpdate,
    Signature,
    WriteFailure,
    iso_date,
    open_repository,
)
from registry.git.batch_writer import BatchWriter
from registry.git.remote import Pushed
from registry.indexing.indexer import INDEXED
from registry.indexing.published import high_water, lacks_lines_of
from registry.load.ledger_files import MAX_LEDGER_BYTES
from registry.load.source import Commit, EntryType
from registry.load.yaml import MAX_BYTES
from registry.model.definition import LEDGER_PATH, SAMPLES_FOLDER
from registry.writes.commits import MadeCommit, planned_commits, state_after
from registry.writes.followed import followed_state
from registry.writes.state import RegistryState, floors_of
from registry.writes.valid_snapshot import read_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from registry.cache.build_cache import BuildCache
    from registry.git import Repository
    from registry.writes.batch import Batch

_DEFAULT_BRANCH = f"{HEADS}main"
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


# Not a RegistryError: the committer handles it, and neither clients nor the operator see it.
class RacedError(Exception):
    """Another client has moved the branch first.

    `tip` is the last commit of the batch. Nothing was written, unless the branch contains it later: where
    `is_unclear`, a push can arrive after its connection broke.
    """

    def __init__(self, tip: str, *, is_unclear: bool = False) -> None:
        """Take the last commit of the batch, and whether the answer of the remote is missing."""
        super().__init__()
        self.tip = tip
        self.is_unclear = is_unclear


class RemoteGoneError(RegistryError):
    """The remote cannot be read. Nothing was written."""


class PushRefusedError(RegistryError):
    """The remote does not accept a batch: its hook or a rule. Nothing was written."""


class UnconfirmedError(RegistryError):
    """A batch is on the branch, here or on the remote, and the disk here has not confirmed it."""


class RewrittenError(Exception):
    """The branch does not contain the state that was read last."""


class MainBranch:
    """The branch of a bare repository that HEAD names, alone or as a copy of the branch of a remote.

    One thread uses it, except for `contains`. With a remote, a batch is on the remote before it is here.
    """

    def __init__(
        self,
        folder: Path,
        cache: BuildCache,
        server: str,
        remote: str | None = None,
        log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Open the bare repository in `folder`, and clean up what a server of this name has left.

        Raises UsageError for another folder or a remote that does not exist, GitWriteError when the
        repository cannot be written.
        """
        repository = open_repository(folder)
        if repository is None or not repository.is_bare:
            raise UsageError(
                f"{folder} is not a bare git repository",
                "make one with `registry init --bare DIR`, or with git clone --bare",
            )
        self.folder = folder
        # The repository of the committer's thread. Readers open their own, because git processes are not
        # shared between threads.
        self._repository: Repository = repository
        self._cache = cache
        self._remote = remote
        self._log = log
        self.ref = repository.head_ref() or _DEFAULT_BRANCH
        self._common = repository.location.common_dir
        self._writer = BatchWriter(repository, server, log=log)
        # The value of the high-water ref on the remote when it was last read.
        self._remote_mark: str | None = None

    def close(self) -> None:
        """End all git processes."""
        self._writer.close()

    def lock(self) -> AbstractContextManager[None]:
        """Exclude other servers of this host. Raises GitWriteError after five seconds."""
        return self._writer.lock()

    def head(self) -> str | None:
        """Return the commit of the branch, or None if it has none."""
        return self._value(self.ref)

    def _value(self, ref: str) -> str | None:
        with suppress(OSError):
            # Starting git for each batch would take longer than all other checks.
            found = (self._common / ref).read_text(encoding="ascii", errors="replace").strip()
            if _OBJECT_ID.match(found):
                return found
        return self._writer.values([ref])[ref]  # packed, or broken

    def follow_remote(self, *, accepts_rewritten: bool = False) -> None:
        """Take over what the remote has. Call it inside `lock`. Does nothing without a remote.

        A branch of the remote without the commits here is accepted if it has all ids that were published,
        and either `accepts_rewritten` or its newest commit is of `registry index`. Raises RewrittenError for
        any other, RemoteGoneError when the remote cannot be read, RacedError and PushRefusedError when it
        does not take the commits that are only here, and GitWriteError when the refs here cannot be moved.
        """
        if self._remote is None:
            return
        there = self._fetch(self._remote)
        here, theirs = self.head(), there[self.ref]
        if theirs == here or theirs is None:
            return
        # A crash between the publication here and the push leaves commits that the remote has to get first.
        if here is not None and self._lacks_commits_from_here(theirs, here):
            self._push([RefUpdate(self.ref, here, theirs), *self._mark_updates(here, self._remote_mark)])
        elif here is None or self._repository.is_ancestor(here, theirs):
            with suppress(UnconfirmedError):  # the remote has it
                self._publish(
                    [RefUpdate(self.ref, theirs, here), *self._mark_updates(theirs, self._value(HIGH_WATER))]
                )
        elif self._is_accepted(theirs, accepts_rewritten=accepts_rewritten):
            # The mark stays: it must be contained in the ledger.
            self._publish([RefUpdate(self.ref, theirs, here)])
        else:
            raise RewrittenError

    def _fetch(self, remote: str) -> dict[str, str | None]:
        try:
            there = self._writer.fetch(remote, [self.ref, HIGH_WATER])
        except GitError as error:
            raise RemoteGoneError(error.message, error.hint) from error
        self._remote_mark = there[HIGH_WATER]
        return there

    def _lacks_commits_from_here(self, theirs: str, here: str) -> bool:
        """True when the remote never had the commits from here; False when its branch was reset."""
        mark = self._remote_mark
        was_set_back = mark is not None and not self._repository.is_ancestor(mark, theirs)
        # Without the mark both cases look the same: the branch of the remote is an ancestor of the branch
        # here.
        return not was_set_back and self._repository.is_ancestor(theirs, here)

    def _is_accepted(self, commit: str, *, accepts_rewritten: bool) -> bool:
        if not accepts_rewritten and not self._is_of_index(commit):
            return False
        published = high_water(self.folder, self._repository)
        return published is None or not lacks_lines_of(
            published.mark, Commit(self.folder, self._repository, commit)
        )

    def _mark_updates(self, commit: str, old: str | None) -> list[RefUpdate]:
        return [RefUpdate(HIGH_WATER, commit, old)] if old != commit else []

    def contains(self, commit: str, head: str) -> bool:
        """True when the history of `head` contains a commit. Safe to call from any thread."""
        repository = open_repository(self.folder)
        return repository is not None and repository.is_ancestor(commit, head)

    def messages_with(
        self, line: str, commit: str, after: str | None = None, *, at_most: int
    ) -> list[tuple[int, str]]:
        """Return time (Unix time) and message of commits with a line that starts with `line`, oldest first.

        Of those in `commit` and not in `after`, the newest `at_most`.
        """
        return self._repository.messages_with(line, commit, after, at_most=at_most)

    def has(self, commit: str) -> bool:
        """True when the branch contains a commit of this server."""
        head = self.head()
        return head is not None and self._repository.is_ancestor(commit, head)

    def read(self, known: str | None = None) -> RegistryState:
        """Return the state of the branch, which contains the commit `known`.

        Raises RewrittenError when it does not, unless `registry index` has run after that. Raises
        RefusedError when ids that were published are missing in it: the branch was reset. Raises
        ProblemsError for errors in its files, and UsageError for a branch without commits.
        """
        commit = self.head()
        if commit is None:
            raise UsageError(f"{self.ref} has no commit", "push a registry to it")
        if known is not None and not self._is_continued(known, commit):
            raise RewrittenError
        # Readers use the repository of the source, in other threads.
        reader = open_repository(self.folder)
        assert reader is not None
        source = Commit(self.folder, reader, commit)
        found = read_valid(source, self._cache)
        if not found.settings.registry_id:
            raise RefusedError("the registry has no registry_id", f"registry index -C {self.folder}")
        published = high_water(self.folder, self._repository)
        if published is not None and not found.ledger.extends(published.mark):
            raise RefusedError(
                f"{self.ref} lacks ledger lines of {published.mark.where}: the branch was reset",
                f"restore them: registry index --recover -C {self.folder}",
            )
        mailmap = self._repository.mailmap(commit)
        samples = source.entries(SAMPLES_FOLDER)
        return RegistryState(
            found.persistent(),
            source.read(LEDGER_PATH, at_most=MAX_LEDGER_BYTES) or b"",
            floors_of((published.mark,) if published is not None else ()),
            self._read_blob,
            frozenset(one.path for one in samples if one.type is EntryType.FILE),
            author_name=mailmap.name if mailmap else None,
        )

    def follow(self, state: RegistryState) -> RegistryState:
        """Return the state of the branch, from an earlier state of it where that is possible.

        Raises RewrittenError, RefusedError, ProblemsError and UsageError as `read` does, and GitError when
        git cannot read the commits.
        """
        head = self.head()
        found = followed_state(state, self._repository, head) if head is not None else None
        return found if found is not None else self.read(state.commit)

    def _is_continued(self, known: str, commit: str) -> bool:
        """True when `commit` contains `known`, or is of `registry index`, which checks what was published."""
        if self._repository.is_ancestor(known, commit):
            return True
        return self._is_of_index(commit)

    def _is_of_index(self, commit: str) -> bool:
        return f"\n{INDEXED}: " in self._repository.read_commit(commit).message

    def _read_blob(self, blob: str) -> bytes:
        data = next(self._repository.read_blobs([blob], at_most=MAX_BYTES))[1]
        return data if isinstance(data, bytes) else b""

    def add(self, batch: Batch) -> RegistryState:
        """Commit the steps of a batch, and return the state after them. Call it inside `lock`.

        Raises RacedError when the branch has moved, PushRefusedError when the remote does not accept the
        batch, and GitWriteError when git cannot write: nothing was written then. Raises UnconfirmedError when
        the branch has all of the commits, but they may be lost in a crash of this machine.
        """
        planned = planned_commits(batch)
        base, now = batch.state.commit, int(time.time())
        server = Signature(batch.settings.bot_name, batch.settings.bot_email, now)
        specs = [
            CommitSpec(one.message, Signature(*one.author, now), server, one.files) for one in planned.commits
        ]
        commits = self._writer.write(base, specs)
        if self._remote is not None:
            updates = [
                RefUpdate(self.ref, commits[-1], base),
                *self._mark_updates(commits[-1], self._remote_mark),
            ]
            # The remote first: a commit that is only here could lose the race there, after a client got its
            # answer.
            self._push(updates)
            self._remote_mark = commits[-1]
        try:
            self._publish(
                [
                    RefUpdate(self.ref, commits[-1], base),
                    *self._mark_updates(commits[-1], self._value(HIGH_WATER)),
                ]
            )
        except GitError as error:
            if self._remote is not None:
                raise UnconfirmedError(error.message) from error
            raise
        date = iso_date(now, "+0000")
        return state_after(planned, [MadeCommit(one, date) for one in commits], date)

    def _publish(self, updates: Sequence[RefUpdate]) -> None:
        """Move the refs here. Raises RacedError, GitWriteError or UnconfirmedError."""
        result = self._writer.publish(updates)
        if result.outcome is Published.MOVED:
            return
        # Git failed after the branch had moved. A retry would write the batch a second time.
        if result.present.get(self.ref) == updates[0].new:
            raise UnconfirmedError(result.message)
        if result.outcome is Published.RACED:
            raise RacedError(updates[0].new)
        failure = WriteFailure.LOCKED if result.outcome is Published.LOCKED else result.failure
        raise GitWriteError(result.message, failure or WriteFailure.OTHER)

    def _push(self, updates: Sequence[RefUpdate]) -> None:
        """Move the refs of the remote. Raises RacedError or PushRefusedError."""
        assert self._remote is not None
        result = self._writer.push(self._remote, updates)
        if result.outcome is Pushed.UNCLEAR:
            # The remote may have accepted the push: its branch tells.
            with suppress(RemoteGoneError):
                head = self._fetch(self._remote)[self.ref]
                if head is not None and self._repository.is_ancestor(updates[0].new, head):
                    return
            raise RacedError(updates[0].new, is_unclear=True)
        if result.outcome is Pushed.RACED:
            raise RacedError(updates[0].new)
        if result.outcome is Pushed.REFUSED:
            raise PushRefusedError(f"the remote {self._remote} refused the push: {result.message}")
