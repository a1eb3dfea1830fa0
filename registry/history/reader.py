"""The history of a source: what the memory knows of it already, the rest read from git while definitions are loaded."""

import gc
import signal
import tempfile
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import IO, TYPE_CHECKING

from registry.cache.build_cache import BuildCache
from registry.cache.spill_file import no_room
from registry.errors import RegistryError, UsageError
from registry.git import CommitOrder, LogCommit, PendingLogs, Repository
from registry.history.archive import History
from registry.history.blobs import BlobSpool, id_in
from registry.history.builder import HistoryBuilder, is_definition_row
from registry.load.kinds import Kinds
from registry.load.source import Source
from registry.load.yaml import MAX_BYTES
from registry.model.definition import DEFINITIONS_FOLDER
from registry.progress import Progress, silent
from registry.runtime import can_fork

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# So many commits are taken at once, while git reads the contents of the next ones.
_AT_ONCE = 200


def begin_history(
    source: Source, kinds: Kinds, memory: BuildCache, *, with_contents: bool = True
) -> "PendingHistory | None":
    """Start reading what is not known of the history of `source`; None where there is none.

    `with_contents`: those of all revisions are going to be asked for, and put aside where they are read anyway.
    """
    repository, commit = source.repository, source.commit
    if repository is None or commit is None:
        return None
    fields = sorted(
        {field for kind in kinds for field in kind.secret_fields}
    )  # of any kind: a file may have been of another
    memory.contents.read_from(repository, fields)
    prefix = repository.prefix_of(source.root)
    return PendingHistory(
        repository, commit, prefix, memory, with_changes=source.is_work_tree, with_contents=with_contents
    )


class PendingHistory:
    """A history that is being read: whole in a process of its own, the commits since a known one here.

    `is_complete`: no older commits exist elsewhere. `mailmap`: the names of authors, as the commit has them.
    """

    def __init__(
        self,
        repository: Repository,
        commit: str,
        prefix: str,
        memory: BuildCache,
        *,
        with_changes: bool,
        with_contents: bool,
    ) -> None:
        """Starts at once; `prefix` is the registry's folder within the repository ("" or "folder/"). `with_changes`: of a work tree."""
        self._repository, self._commit, self._prefix, self._memory = repository, commit, prefix, memory
        self._status = repository.begin_changed_paths(prefix or ".") if with_changes else None
        cut = repository.cut()
        self.is_complete = not cut
        # A clone that was cut, or made whole again, has another history up to the same commit.
        self._about = f"{prefix} {cut}"
        found = memory.head_before(repository, commit, self._about)
        self._since = found[0] if found is not None else None
        self.mailmap = repository.mailmap(commit)
        self._log: PendingLogs | None = None
        self._order = CommitOrder([], {}, frozenset())
        self._tracing: _HistoryProcess | None = None
        if found is not None:
            self._order = found[1]
            self._log = _begin_log(repository, self._order, prefix) if commit != self._since else None
        elif can_fork():
            self._tracing = _HistoryProcess(
                repository, commit, prefix, BlobSpool() if with_contents else None
            )
        else:
            self._begin_whole_log()

    def _begin_whole_log(self) -> None:
        self._order = self._repository.order(self._commit)
        self._log = _begin_log(self._repository, self._order, self._prefix)

    def history(self, progress: Progress = silent) -> History:
        """Every revision of every definition, once all is read; the memory knows them then."""
        if self._tracing is not None:
            progress("reading commits")
            stored, spool = self._tracing.result()
            self._memory.learn_history(self._commit, self._about, stored)
            if spool is not None:
                self._memory.contents.read_first_from(spool)
        elif self._log is not None:
            progress("reading commits" if self._since is None else "reading new commits")
            known = self._memory.history(self._since, self._about) if self._since is not None else None
            if known is not None or self._since is None:
                builder = HistoryBuilder(self._prefix, self._order, self._repository.read_commit, known)
                _trace(self._repository, self._log, builder)
                self._memory.learn_history(self._commit, self._about, builder.stored())
        found = self._memory.history(self._commit, self._about)
        if found is None:
            # Somebody removed the cache since we looked.
            if self._log is not None:
                self._log.close()
            self._since, self._tracing = None, None
            self._begin_whole_log()
            return self.history(progress)
        if self.mailmap:
            found.show_authors(self.mailmap.name)
        return found

    def changed_paths(self) -> set[str]:
        """What the work tree has otherwise than the commit, relative to the registry's root; of a commit nothing."""
        return (
            {path[len(self._prefix) :] for path in self._status.paths()}
            if self._status is not None
            else set()
        )

    def close(self) -> None:
        """End what still runs."""
        if self._status is not None:
            self._status.close()
        if self._log is not None:
            self._log.close()
        if self._tracing is not None:
            self._tracing.close()


def _begin_log(repository: Repository, order: CommitOrder, prefix: str) -> PendingLogs:
    return repository.begin_log(order, f"{prefix}{DEFINITIONS_FOLDER}")


def _trace(
    repository: Repository, log: PendingLogs, builder: HistoryBuilder, spool: BlobSpool | None = None
) -> None:
    """Follow all commits of a log, oldest first, while git still writes it; all contents are put into `spool`.

    Git reads the contents of some commits while it looks for the next, and those before are followed.
    """
    ids: dict[str, int | None] = {}
    waiting: deque[tuple[Sequence[LogCommit], int]] = deque()
    commits = log.commits()
    with repository.begin_blobs(at_most=MAX_BYTES) as blobs:

        def follow() -> None:
            some, count = waiting.popleft()
            for blob, data in blobs.answers(count):
                # What is larger than any definition can be reads as nothing, in the spool as well.
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
            ids.update(dict.fromkeys(new))  # asked for: nobody looks before they are followed
            blobs.ask(new)
            waiting.append((some, len(new)))
            if len(waiting) > 1:
                follow()
        while waiting:
            follow()


def _blobs_in(commits: Iterable[LogCommit], prefix: str, *, with_old: bool = False) -> list[str]:
    """The new contents of definitions in these commits, `with_old` those before, too; each once."""
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
    """A process that reads a whole history: reading 50,000 commits takes as long as loading 10,000 definitions."""

    def __init__(self, repository: Repository, commit: str, prefix: str, spool: BlobSpool | None) -> None:
        import multiprocessing  # late: where the history is known, nothing is forked

        context = multiprocessing.get_context("fork")
        self._spool = spool
        # Through a file: in a pipe it would be there several times, and it is most of what a large build holds at this time.
        self._stored = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._ours, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_trace_and_tell,
            args=(repository, commit, prefix, self._spool, self._stored, theirs),
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def result(self) -> tuple[bytes, BlobSpool | None]:
        """The state of the builder that has taken every commit, as `HistoryBuilder.stored` gives it; and all contents, where they are wanted."""
        try:
            told = self._ours.recv()
            if isinstance(told, OSError):
                raise no_room(told) from told
            if isinstance(told, BaseException):
                raise told
            if self._spool is not None:
                self._spool.index = told
            self._stored.seek(0)
            return self._stored.read(), self._spool
        except EOFError as error:
            raise UsageError(
                "the process that read the history was killed", "is there enough memory?"
            ) from error
        finally:
            self.close()

    def close(self) -> None:
        """End it, if it still runs."""
        self._process.kill()
        self._process.join()
        self._ours.close()
        self._stored.close()


def _trace_and_tell(
    repository: Repository,
    commit: str,
    prefix: str,
    spool: BlobSpool | None,
    stored: IO[bytes],
    told: "Connection",
) -> None:
    """In the other process: the history, or the error that stopped it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends us
    gc.disable()
    try:
        order = repository.order(commit)
        builder = HistoryBuilder(prefix, order, repository.read_commit)
        _trace(repository, _begin_log(repository, order, prefix), builder, spool)
        stored.writelines(builder.parts())
        stored.flush()
        told.send(spool.finish() if spool is not None else None)
    except (OSError, RegistryError) as error:
        with suppress(OSError):  # the parent is gone, and nobody asks any more
            told.send(error)
