"""The history of a source, from the cache and from git, read in parallel with loading definitions."""

import tempfile
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from typing import IO

from registry.cache.build_cache import BuildCache, Table
from registry.cache.spill_file import no_room
from registry.git import CommitOrder, LogCommit, PendingLogs, PendingStatus, Repository
from registry.history.archive import History
from registry.history.blobs import BlobReader, BlobSpool, BlobSpoolIndex, id_in
from registry.history.builder import HistoryBuilder, is_definition_row
from registry.load.source import Source
from registry.load.yaml import MAX_BYTES
from registry.model.definition import DEFINITIONS_FOLDER
from registry.progress import Progress, silent
from registry.runtime import Child, can_fork, without_cycle_collector

HISTORIES: Table[History] = Table("histories", lambda history: history.stored, History, in_pieces=False)
"""Histories by commit, folder of the repository and depth of the clone."""
# Number of histories kept, since users switch between branches.
_MOST_HEADS = 3
# Number of commits processed at once, while git reads the contents for the next ones.
_AT_ONCE = 200


def begin_history(
    source: Source, cache: BuildCache, contents: BlobReader, *, with_contents: bool = True
) -> "PendingHistory | None":
    """Start reading the part of the history of `source` that is not in `cache`; None if there is no history.

    `with_contents`: all contents are needed later; those that are read anyway are spilled for `contents`.
    """
    repository, commit = source.repository, source.commit
    if repository is None or commit is None:
        return None
    prefix = repository.prefix_of(source.root)
    status = repository.begin_changed_paths(prefix or ".") if source.is_work_tree else None
    spool = BlobSpool() if with_contents else None
    return PendingHistory(repository, commit, prefix, cache, contents, status, spool)


def cached_history(
    source: Source, cache: BuildCache, contents: BlobReader, progress: Progress = silent
) -> History | None:
    """Return the history of `source` if `cache` has that of its commit or an earlier one; else None.

    Only later commits are read. Authors have their names from `.mailmap`.
    """
    repository, commit = source.repository, source.commit
    if repository is None or commit is None:
        return None
    prefix = repository.prefix_of(source.root)
    known = _nearest_known(repository, commit, _about(repository, prefix), cache)
    if known is None:
        return None
    pending = PendingHistory(repository, commit, prefix, cache, contents, None, None, known)
    try:
        return pending.history(progress)
    finally:
        pending.close()


def continue_history(
    repository: Repository, prefix: str, known: History, since: str, commit: str
) -> History | None:
    """Return `known`, which ends at the commit `since`, continued to `commit`; reads only later commits.

    Returns None if `since` is not on the first-parent line of `commit`, for example after a reset or switch
    of the branch.
    """
    order = repository.order_after(commit, since)
    if order is None:
        return None
    log = begin_log(repository, order, prefix)
    try:
        builder = HistoryBuilder(prefix, order, repository.read_commit, known)
        _trace(repository, log, builder)
    finally:
        log.close()
    return History(builder.stored())


_Known = tuple[str, CommitOrder]


def _about(repository: Repository, prefix: str) -> str:
    """Return the start of the cache keys of a registry.

    A clone that became shallow or complete has a different history up to the same commit.
    """
    return f"{prefix} {repository.cut()}\n"


def _known_heads(cache: BuildCache, about: str) -> list[str]:
    return [key.removeprefix(about) for key in cache.keys(HISTORIES) if key.startswith(about)]


def _nearest_known(repository: Repository, commit: str, about: str, cache: BuildCache) -> _Known | None:
    """Return an earlier commit with a history in `cache`, and the commits after it; None if there is none."""
    heads = _known_heads(cache, about)
    # Where the history is known, as in most builds after an edit, git need not list any commit.
    if commit in heads:
        return commit, CommitOrder([], {}, frozenset())
    for head in heads:
        order = repository.order_after(commit, head)
        if order is not None:
            return head, order
    return None


class PendingHistory:
    """A history that is being read: a full one in a child process, commits after a known one in this process.

    `is_complete`: the clone is not shallow. `mailmap`: the names of authors at the commit.
    """

    def __init__(  # noqa: PLR0913 - inputs and destinations
        self,
        repository: Repository,
        commit: str,
        prefix: str,
        cache: BuildCache,
        contents: BlobReader,
        status: PendingStatus | None,
        spool: BlobSpool | None,
        known: "_Known | None" = None,
    ) -> None:
        """Start at once. `prefix` is the registry's folder within the repository ("" or "folder/").

        `known` is the result of `_nearest_known`, if it was called before.
        """
        self._repository, self._commit, self._prefix = repository, commit, prefix
        self._cache, self._contents, self._status = cache, contents, status
        self.is_complete = not repository.is_shallow()
        self._about = _about(repository, prefix)
        self.mailmap = repository.mailmap(commit)
        self._since: str | None = None
        self._order = CommitOrder([], {}, frozenset())
        self._log: PendingLogs | None = None
        self._process: _HistoryProcess | None = None
        known = known or _nearest_known(repository, commit, self._about, cache)
        if known is not None:
            self._since, self._order = known
            if self._since != commit:
                self._log = begin_log(repository, self._order, prefix)
        elif can_fork():
            self._process = _HistoryProcess(repository, commit, prefix, spool)
        else:
            self._begin_whole_log()

    def _begin_whole_log(self) -> None:
        self._order = self._repository.order(self._commit)
        self._log = begin_log(self._repository, self._order, self._prefix)

    def history(self, progress: Progress = silent) -> History:
        """Wait for the rest and return every revision of every definition."""
        key = self._about + self._commit
        wanted = {key: self._commit}
        found = self._cache.get_or_compute(HISTORIES, wanted, lambda _: {key: self._read(progress)})[key]
        self._cache.forget(
            HISTORIES, [self._about + head for head in _known_heads(self._cache, self._about)[_MOST_HEADS:]]
        )
        # After the cache: names can change with every commit, and stored histories keep those of the commits.
        if self.mailmap:
            found.show_authors(self.mailmap.name)
        return found

    def _read(self, progress: Progress) -> History:
        if self._process is not None:
            progress("reading commits")
            stored, spool = self._process.result()
            if spool is not None:
                self._contents.read_first_from(spool)
            return History(stored)
        known = self._cache.get(HISTORIES, self._about + self._since, self._since) if self._since else None
        progress("reading commits" if known is None else "reading new commits")
        if self._log is None or (self._since and known is None):
            # Another process emptied the cache after this one started.
            if self._log is not None:
                self._log.close()
            self._begin_whole_log()
        assert self._log is not None
        builder = HistoryBuilder(self._prefix, self._order, self._repository.read_commit, known)
        _trace(self._repository, self._log, builder)
        return History(builder.stored())

    def changed_paths(self) -> set[str]:
        """Return the paths in the work tree that differ from the commit, relative to the registry.

        The result is empty for a commit.
        """
        return (
            {path[len(self._prefix) :] for path in self._status.paths()}
            if self._status is not None
            else set()
        )

    def close(self) -> None:
        """End all running processes."""
        if self._status is not None:
            self._status.close()
        if self._log is not None:
            self._log.close()
        if self._process is not None:
            self._process.close()


def begin_log(repository: Repository, order: CommitOrder, prefix: str) -> PendingLogs:
    """Start reading the changes of all definitions; `prefix` is the registry's folder.

    A registry that fills its repository is read without a path, which saves git time. The builder ignores
    the few other files.
    """
    return repository.begin_log(order, *([f"{prefix}{DEFINITIONS_FOLDER}"] if prefix else []))


def _trace(
    repository: Repository, log: PendingLogs, builder: HistoryBuilder, spool: BlobSpool | None = None
) -> None:
    """Take all commits of a log, oldest first, while git is still writing it; contents are added to `spool`.

    Git reads the contents for some commits while it finds the next, and earlier ones are processed.
    """
    ids: dict[str, int | None] = {}
    waiting: deque[tuple[Sequence[LogCommit], int]] = deque()
    commits = log.commits()
    with repository.begin_blobs(at_most=MAX_BYTES) as blobs:

        def follow() -> None:
            some, count = waiting.popleft()
            for blob, data in blobs.answers(count):
                # Content larger than any definition counts as empty, also in the spool.
                content = data if isinstance(data, bytes) else b""
                ids[blob] = id_in(content)
                if spool is not None:
                    spool.put(blob, content)
            for one in some:
                builder.take(one, ids)

        while some := list(islice(commits, _AT_ONCE)):
            new = [
                blob
                for blob in _blobs_in(some, builder.prefix, with_old=spool is not None)
                if blob not in ids
            ]
            ids.update(dict.fromkeys(new))  # requested; the ids are not read before the commits are processed
            blobs.ask(new)
            waiting.append((some, len(new)))
            # One batch stays behind, so that git reads its contents while the next commits are awaited.
            if len(waiting) > 1:
                follow()
        while waiting:
            follow()


def _blobs_in(commits: Iterable[LogCommit], prefix: str, *, with_old: bool = False) -> list[str]:
    """Return the new blobs of definitions in these commits, `with_old` also the previous ones; each once."""
    rows = (row for one in commits for row in (*one.rows, *one.brought) if is_definition_row(row, prefix))
    return list(
        dict.fromkeys(
            blob
            for row in rows
            for blob in ((row.blob, row.old_blob, *row.other_blobs) if with_old else (row.blob,))
            if blob
        )
    )


class _HistoryProcess:
    """A process that reads a full history: 50,000 commits take as long as loading 10,000 definitions."""

    def __init__(self, repository: Repository, commit: str, prefix: str, spool: BlobSpool | None) -> None:
        self._spool = spool
        # A file, because a pipe would hold several copies, and this is most of the memory of a large build.
        self._stored = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._child = Child(partial(_trace_and_store, repository, commit, prefix, spool, self._stored))

    def result(self) -> tuple[bytes, BlobSpool | None]:
        """Return all revisions, as in `HistoryBuilder.stored`, and all contents if requested."""
        try:
            index = self._child.result()
            if self._spool is not None and index is not None:
                self._spool.take_over(index)
            self._stored.seek(0)
            return self._stored.read(), self._spool
        finally:
            self.close()

    def close(self) -> None:
        """End the process if it is running."""
        self._child.close()
        self._stored.close()


def _trace_and_store(
    repository: Repository, commit: str, prefix: str, spool: BlobSpool | None, stored: IO[bytes]
) -> BlobSpoolIndex | None:
    """Write the history to `stored`; returns the index of the contents. Runs in the child process."""
    order = repository.order(commit)
    builder = HistoryBuilder(prefix, order, repository.read_commit)
    with without_cycle_collector():
        _trace(repository, begin_log(repository, order, prefix), builder, spool)
        try:
            stored.writelines(builder.parts())
            stored.flush()
        except OSError as error:
            raise no_room(error) from error
    return spool.finish() if spool is not None else None
