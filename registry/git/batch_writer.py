"""Write batches of commits to a bare repository, and publish them: the store of a write server.

One thread (the committer) owns a `BatchWriter`. One round is:

    with writer.lock():                              # one server of this host at a time; waits up to 5 s
        head = writer.values(["refs/heads/main"])    # present values
        ids = writer.write(head, [CommitSpec(…), …]) # objects are on the disk, no branch has moved
        result = writer.publish([RefUpdate("refs/heads/main", ids[-1], head), …])

`publish` compares and swaps: MOVED is durable; after RACED read the present values and write the batch again
on top of them; after LOCKED or FAILED answer 503 (`Publication.present` shows the refs). With a remote, push
first and publish locally afterwards:

    pushed = writer.push("origin", updates)          # ACCEPTED, REFUSED, RACED or UNCLEAR
    found = writer.fetch("origin", ["refs/heads/main"])            # objects and values of the remote
    writer.find_trailer(found["refs/heads/main"], "Request-Id", "r-17", since=head)   # after UNCLEAR

Durability. Before `write` returns, the pack, its index and their folder are synced; before `publish` returns
MOVED, the refs and their folders. Git syncs files (`core.fsync=all`) and no folder; the folders are synced
here.

Errors. `write`, `lock` and the constructor raise `GitWriteError`; its `failure` is the reason (disk full,
read-only, I/O error, locked, timed out, killed, other). Nothing has been published then. The next call starts
the processes it needs, so it succeeds once the cause is gone.

Objects of a running batch survive `git gc --prune=now` and `git repack -adl`: fast-import keeps its packs
(`.keep`) until it is restarted, and by then its commits are published or dropped. A temporary file that
`git gc --prune=now` removes costs one repetition inside `write`. Not covered, as for every git process: an
object that was unreachable before, is written again, and is pruned in the same second.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from registry.errors import UsageError
from registry.git.error import GitError, GitWriteError, WriteFailure, system_failure
from registry.git.fast_import import CommitSpec, FastImport
from registry.git.process import Git
from registry.git.recovery import TMP, Recovery
from registry.git.ref_transaction import Publication, Published, RefTransactions, lock_in, ref_values
from registry.git.refs import RefUpdate
from registry.git.remote import Push, Remote
from registry.git.repacking import Repacking
from registry.git.repository import Repository
from registry.git.server_file import ServerFile

WRITE_LIMIT_S = 30.0
"""Default time limit for one batch, in seconds."""
REMOTE_LIMIT_S = 30.0
"""Default time limit for one fetch or push, in seconds."""
LOCK_LIMIT_S = 5.0
"""How long a server waits for another server of its host, in seconds."""
MOST_BATCHES = 32
"""Batches after which fast-import is restarted: until then its packs are kept from repacking.

With 32 a repository has fewer than 50 packs, and a commit costs no more than with 200.
"""

POINTS = (
    "write:sent",  # git has the commits, the pack is not finished
    "write:packed",  # the pack is in place and refs/tmp/<server> is set; the folder is not synced
    "write:synced",  # the batch is on the disk
    "publish:prepared",  # the refs are locked and unchanged
    "publish:moved",  # the refs have moved; their folders are not synced
    "publish:synced",  # the publication is on the disk
    "restart:closed",  # fast-import has ended; the next is not started
)
"""Names of the points at which a test can interrupt a writer."""

_POLL_S = 0.002
# Each `git gc --prune=now` beside a batch can remove the temporary file of a fast-import, which then ends.
_TRIES = 5
# A process that ended without a word of its own cannot remove its locks.
_LEAVES_LOCKS = (WriteFailure.KILLED, WriteFailure.TIMED_OUT, WriteFailure.DISK_FULL)
_REPEATED = (WriteFailure.KILLED, WriteFailure.OTHER)


class BatchWriter:
    """Writes to one bare repository for the server `name`. Use it from one thread, and close it."""

    def __init__(
        self,
        repository: Repository,
        name: str,
        *,
        most_batches: int = MOST_BATCHES,
        log: Callable[[str], None] = lambda line: None,
        at: Callable[[str], None] = lambda point: None,
    ) -> None:
        """Register the server, and clean up what a killed predecessor has left.

        `name` (letters, digits, `-`, `_`) is unique among the servers of the repository, and the same after a
        restart. `log` receives lines for the operator. `at` is called at each of `POINTS`, for tests.

        Raises UsageError for a repository that is not bare or has another storage of refs, GitWriteError
        when a server of this name is running, when another server holds the lock, or when the disk fails.
        """
        self._repository = repository
        self._git = Git(repository.location)
        _refuse_other_repositories(repository, self._git)
        self._at = at
        self._most_batches = most_batches
        self._common = repository.location.common_dir
        self._pack_folder = self._common / "objects" / "pack"
        self._tmp_ref = f"{TMP}{name}"
        folder = self._common / "registry"
        # The first step that changes anything: without this lock two servers of one name would clean up each
        # other's work.
        self._file = ServerFile.claim(folder / "servers", name, LOCK_LIMIT_S)
        try:
            self._locks = _HostLock(folder, socket.gethostname())
            self._recovery = Recovery(self._git, folder / "servers", name, log)
            self._repacking = Repacking(self._git, folder / "repack.lock", log)
            self._transactions = RefTransactions(self._git, name, [self._file.fd])
            self._fast_import: FastImport | None = None
            self._known_keeps: set[str] = set()
            # Inodes of folders of refs whose parents are on the disk: git can remove and create them.
            self._synced_folders: dict[Path, int] = {}
            with self.lock():
                self._recover()
            if sum(1 for _ in self._pack_folder.glob("*.pack")) >= most_batches:
                self._repacking.start()  # the predecessor was killed before it could
        except BaseException:
            self._file.release()
            raise

    def _recover(self) -> None:
        try:
            self._pack_folder.mkdir(parents=True, exist_ok=True)
            self._recovery.recover(self._file.previous)
            self._file.begin()
            for folder in (self._pack_folder, self._pack_folder.parent):
                _sync_folder(folder)
        except OSError as error:
            raise system_failure("the repository cannot be prepared for writing", error) from error

    @contextmanager
    def lock(self, limit_s: float = LOCK_LIMIT_S) -> Iterator[None]:
        """Exclude other servers of this host. Waiting servers take turns.

        Raises GitWriteError (LOCKED) after `limit_s` seconds.
        """
        self._locks.acquire(limit_s)
        try:
            yield
        finally:
            self._locks.release()

    # Writing

    def write(self, base: str, commits: Sequence[CommitSpec], *, limit_s: float = WRITE_LIMIT_S) -> list[str]:
        """Write commits, the first on top of the commit `base`, each other on top of the previous one.

        Returns their ids once they are on the disk. No branch moves; `refs/tmp/<server>` names the last one.
        Call it inside `lock`. Raises ValueError for paths or times that git cannot store, GitWriteError
        otherwise; then nothing refers to the batch.
        """
        if not commits:
            return []
        deadline = time.monotonic() + limit_s
        for number in range(_TRIES):
            try:
                return self._write(base, commits, deadline)
            except GitWriteError as error:
                # Only failures that a new process can overcome are repeated: a full disk stays full.
                last = number == _TRIES - 1 or deadline <= time.monotonic()
                if last or error.failure not in _REPEATED:
                    raise
        raise AssertionError

    def _write(self, base: str, commits: Sequence[CommitSpec], deadline: float) -> list[str]:
        try:
            fast_import = self._started()
            marks = fast_import.send(base, commits, _left(deadline))
            self._at("write:sent")
            ids = fast_import.checkpoint(marks, _left(deadline))
            self._at("write:packed")
            self._note_batch(fast_import, ids[-1])
            self._at("write:synced")
        except ValueError:
            raise
        except OSError as error:
            self._abandon()
            raise system_failure("the batch was not written", error) from error
        except BaseException:
            self._abandon()
            raise
        return ids

    def _note_batch(self, fast_import: FastImport, tip: str) -> None:
        """Make the batch durable, and record its packs before another server can clean up."""
        if self._tmp_value() != tip:
            raise GitWriteError(
                f"{self._tmp_ref} could not be set: {fast_import.errors().strip() or 'no reason given'}",
                WriteFailure.OTHER,
            )
        # Recorded before any ref moves: recovery of another server removes packs that no record names.
        keeps = self._keep_files()
        self._file.note_packs([name.removesuffix(".keep") for name in sorted(keeps - self._known_keeps)])
        self._known_keeps = keeps
        _sync_folder(self._pack_folder)

    def _keep_files(self) -> set[str]:
        with os.scandir(self._pack_folder) as entries:
            return {entry.name for entry in entries if entry.name.endswith(".keep")}

    def _tmp_value(self) -> str | None:
        with suppress(FileNotFoundError):
            return (self._common / self._tmp_ref).read_text(encoding="ascii", errors="replace").strip()
        return self.values([self._tmp_ref])[self._tmp_ref]  # packed by `git gc`

    def _started(self) -> FastImport:
        """Return the running process: a new one after the last has ended, or has written many batches."""
        self._repacking.poll()
        if self._fast_import is not None and self._fast_import.has_ended:
            self._abandon()
        if self._fast_import is not None and self._fast_import.batches >= self._most_batches:
            self.restart()
        if self._fast_import is None:
            self._known_keeps = self._keep_files()
            self._fast_import = FastImport(self._git, self._tmp_ref, [self._file.fd])
            self._file.note_process(self._fast_import.pid)
        return self._fast_import

    def restart(self) -> None:
        """End fast-import, which releases its packs, and start repacking in the background.

        The next `write` starts a new process. A server that becomes idle can call it, inside `lock`: its
        repository then has few packs. Raises OSError.
        """
        if self._fast_import is None:
            return
        fast_import, self._fast_import = self._fast_import, None
        fast_import.close()
        self._at("restart:closed")
        self._file.forget_packs()
        self._recovery.clean_after_fast_import(fast_import.pid)
        self._recovery.clear_old_locks()
        self._note_transactions_process()
        self._repacking.start()

    def _note_transactions_process(self) -> None:
        pid = self._transactions.pid
        if pid is not None:
            self._file.note_process(pid)

    def _abandon(self) -> None:
        """End fast-import after an error, and free the space that it has used."""
        if self._fast_import is None:
            return
        fast_import, self._fast_import = self._fast_import, None
        with suppress(GitWriteError):
            fast_import.kill()
        with suppress(OSError):
            self._file.forget_packs()
            self._note_transactions_process()
        with suppress(OSError):
            self._recovery.clean_after_fast_import(fast_import.pid)

    # Refs

    def values(self, refs: Sequence[str]) -> dict[str, str | None]:
        """Return the present values of refs (full names); None for a missing or broken one."""
        return ref_values(self._git, refs)

    def publish(self, updates: Sequence[RefUpdate], *, limit_s: float = WRITE_LIMIT_S) -> Publication:
        """Move all refs from their full old values to the new ones, or none.

        The first ref is the one that decides: if the process is killed between two refs, the next start moves
        the rest. Call it inside `lock`. Never raises for a failure of git or the disk: see `Published`.
        """
        result = self._publish(updates, limit_s)
        if result.outcome is Published.LOCKED and self._clear_lock(result):
            result = self._publish(updates, limit_s)
        return result

    def _publish(self, updates: Sequence[RefUpdate], limit_s: float) -> Publication:
        try:
            self._file.note_publication(updates)
            result = self._transactions.move(
                updates, limit_s, self._file.note_process, lambda: self._at("publish:prepared")
            )
            has_partly_moved = any(result.present[update.ref] == update.new for update in updates)
            # Git's answer is not enough here: what happened is visible only in the refs and their locks.
            if result.failure in _LEAVES_LOCKS or (result.failure is not None and has_partly_moved):
                result = self._recovery.finish_publication(updates, result)
            if result.outcome is Published.MOVED:
                self._at("publish:moved")
                for folder in sorted({(self._common / update.ref).parent for update in updates}):
                    self._sync_ref_folder(folder)
        except (OSError, GitWriteError) as error:
            failed = error if isinstance(error, GitWriteError) else system_failure("publishing", error)
            present = self._values_or_none([update.ref for update in updates])
            return Publication(Published.FAILED, present, failed.message, failure=failed.failure)
        with suppress(OSError):  # recovery finds a finished publication in order
            self._file.note_publication(())
        if result.outcome is Published.MOVED:
            self._at("publish:synced")
        return result

    def _values_or_none(self, refs: Sequence[str]) -> dict[str, str | None]:
        try:
            return self.values(refs)
        except (GitError, OSError):
            return dict.fromkeys(refs)

    def _sync_ref_folder(self, folder: Path) -> None:
        """Sync the folder of a ref, and those above it if git has created it."""
        try:
            _sync_folder(folder)
            inode = folder.stat().st_ino
        except FileNotFoundError:
            return  # `git pack-refs` removes empty folders: the ref is packed by now
        if self._synced_folders.get(folder) != inode:
            for above in folder.parents:
                _sync_folder(above)
                if above == self._common:
                    break
            self._synced_folders[folder] = inode

    def _clear_lock(self, result: Publication) -> bool:
        """Remove the lock in the way if its process has ended; returns whether it is gone."""
        try:
            self._recovery.clean_dead_servers()
            return self._recovery.clear_lock(Path(result.lock))
        except (OSError, GitError):
            return False

    # Remote

    def push(self, remote: str, updates: Sequence[RefUpdate], *, limit_s: float = REMOTE_LIMIT_S) -> Push:
        """Set all refs of a remote, or none, if each has its old value there. See `Pushed`.

        Raises UsageError if there is no such remote.
        """
        return Remote(self._repository, remote).push_atomic(updates, limit_s)

    def fetch(
        self, remote: str, refs: Sequence[str], *, limit_s: float = REMOTE_LIMIT_S
    ) -> dict[str, str | None]:
        """Fetch refs (full names) and their objects; returns their values on the remote (None: missing).

        No local branch moves. Raises UsageError if there is no such remote, GitError when it cannot be read.
        """
        source = Remote(self._repository, remote)
        try:
            return source.fetch_refs(refs, limit_s)
        except GitError as error:
            lock = lock_in(error.message)  # a fetch was killed before
            if lock is None or not self._recovery.clear_lock(lock):
                raise
            return source.fetch_refs(refs, limit_s)

    def find_trailer(self, commit: str, key: str, value: str, since: str | None = None) -> str | None:
        """Return the newest commit with the trailer `key: value`, of those in `commit` and not in `since`."""
        return self._repository.find_trailer(commit, key, value, since)

    # Maintenance and end

    def wait_for_repacking(self, limit_s: float) -> None:
        """Wait for the running `git repack`, at most `limit_s` seconds."""
        self._repacking.wait(limit_s)

    def close(self) -> None:
        """End all git processes in order, and remove the files of this server. Can be called twice."""
        if self._file.fd < 0:
            return
        self._transactions.close()
        if self._fast_import is not None:
            self._fast_import.close()
            self._fast_import = None
        self._repacking.close()
        with suppress(GitError, OSError), self.lock():
            self._recovery.clean_own()
        self._file.close()

    def __enter__(self) -> "BatchWriter":
        """Return this object."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


class _HostLock:
    """The lock of a repository among the servers of one host.

    There are two files. A process that waits for the lock holds the other one, the queue: the holder, after
    its release, must wait in the queue like everyone else, and cannot take the lock twice in a row.
    """

    def __init__(self, folder: Path, host: str) -> None:
        # fcntl locks do not reliably work between hosts: each host has files of its own.
        self._lock = FileLock(folder / f"{host}.lock", thread_local=False)
        self._queue = FileLock(folder / f"{host}.queue", thread_local=False)

    def acquire(self, limit_s: float) -> None:
        """Take the lock. Raises GitWriteError (LOCKED) after `limit_s` seconds."""
        deadline = time.monotonic() + limit_s
        try:
            # The queue first, then the lock, and always in this order: two orders could wait for each other.
            with self._queue.acquire(limit_s, poll_interval=_POLL_S):
                self._lock.acquire(max(deadline - time.monotonic(), 0), poll_interval=_POLL_S)
        except Timeout as error:
            raise GitWriteError(
                f"another server of this host has been writing for {limit_s:g} seconds", WriteFailure.LOCKED
            ) from error
        except OSError as error:
            raise system_failure("the repository cannot be locked", error) from error

    def release(self) -> None:
        """Let the next server write."""
        self._lock.release()


def _refuse_other_repositories(repository: Repository, git: Git) -> None:
    if not repository.is_bare:
        raise UsageError(f"{repository.top} has a work tree", "writes need a bare repository")
    storage = git.query("config", "--get", "extensions.refStorage", ok=(0, 1))[1].strip() or "files"
    if storage.lower() != "files":
        raise UsageError(
            f"the refs of this repository are stored as {storage}, which writes do not support",
            "git refs migrate --ref-format=files",
        )


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _sync_folder(folder: Path) -> None:
    """Write the entries of a folder to the disk. Raises OSError."""
    # On Linux a new or renamed file survives a crash only if its folder is synced, too (fsync(2)).
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
