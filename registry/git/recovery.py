"""Remove what killed write servers and git processes have left in a repository, and nothing else.

| left behind | removed when |
|---|---|
| `<ref>.lock` | it has the commit in `refs/tmp/<server>`, or of an unfinished publication, of a dead server |
| empty `HEAD.lock` | in the same case: git locks HEAD while it moves the branch of HEAD |
| `.keep` of fast-import, a pack without index | no running server has recorded the pack |
| `tmp_pack_*`, `tmp_idx_*` | no process has the file open |
| `.tmp-<process>-pack-*` of `git repack` | the process has ended |
| `fast_import_crash_*` | its process has ended |
| `refs/tmp/<server>` | the server no longer runs |
| any other lock | it is older than 60 seconds, with a line in the log |

A server runs while the lock on its file is held (`server_file`). One on another machine counts as running.
The caller holds the lock of the repository on this host, so no other server is in the middle of a batch.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from registry.git.error import GitError
from registry.git.process import Git
from registry.git.ref_transaction import Publication, Published, RefTransactions, ref_values
from registry.git.refs import RefUpdate
from registry.git.server_file import ServerRecord, open_locked, read_record

TMP = "refs/tmp/"
"""Refs with the last batch of each server, published or not."""

LOCK_AGE_S = 60.0
# The clock can jump: a lock must also be unchanged for this long by the monotonic clock.
_OBSERVED_S = 1.0
_IDLE_S = 0.5
_KEPT_BY_FAST_IMPORT = b"fast-import"
# Where processes cannot be listed (not Linux), a file this old is abandoned.
_ABANDONED_S = 24 * 3600.0
_CRASH = re.compile(r"fast_import_crash_(\d+)\Z")
# git-repack(1) gives a new pack the id of its process until it takes the place of others.
_REPACKED = re.compile(r"\.tmp-(\d+)-pack-")
_OBJECT_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n?\Z")
_LIMIT_S = 30.0

Log = Callable[[str], None]


class Others(NamedTuple):
    """The other servers of a repository: those that run, and those that are dead (name and record)."""

    running: dict[str, ServerRecord]
    dead: dict[str, ServerRecord]

    @property
    def packs(self) -> frozenset[str]:
        """The packs that running servers keep."""
        return frozenset().union(*(record.packs for record in self.running.values()))

    @property
    def is_one_elsewhere(self) -> bool:
        """True when a server runs on another machine."""
        return any(record.is_elsewhere for record in self.running.values())

    @property
    def are_all_visible(self) -> bool:
        """True when the processes of every running server, and the files they have open, can be seen."""
        return all(record.is_visible for record in self.running.values())


class Recovery:
    """Cleaning of one repository for one server."""

    def __init__(self, git: Git, servers: Path, own_name: str, log: Log) -> None:
        """`servers` is the folder of server files. `log` receives a line for what may surprise."""
        self._git = git
        self._servers = servers
        self._own_name = own_name
        self._log = log
        self._packs = git.location.common_dir / "objects" / "pack"
        # First observation of each foreign lock: identity of the file, and the monotonic time.
        self._locks: dict[Path, tuple[tuple[int, ...], float]] = {}

    def recover(self, previous: ServerRecord) -> None:
        """Clean up at the start of this server. `previous` is the record of its predecessor.

        Finishes publications that moved some of their refs. Raises GitError or OSError.
        """
        others = self.others()
        self._clean_dead({**others.dead, self._own_name: previous}, others)
        self.clean_packs(others)
        self._clean_crash_reports()
        self.clear_old_locks()

    def clean_dead_servers(self) -> None:
        """Remove locks and refs of other servers that were killed. Raises GitError or OSError."""
        others = self.others()
        self._clean_dead(others.dead, others)

    def clean_own(self) -> None:
        """Remove what this server leaves at its end. Raises GitError or OSError."""
        self._clean_refs(self._own_name, ServerRecord({}))
        self.clean_packs(self.others())

    def _clean_dead(self, dead: Mapping[str, ServerRecord], others: Others) -> None:
        for name in sorted(self._tmp_names() | set(dead)):
            if name in dead or name not in {*others.running, self._own_name}:
                self._clean_refs(name, dead.get(name, ServerRecord({})))
        for name in others.dead:
            self._forget(name)

    def others(self) -> Others:
        """Find the other servers."""
        running: dict[str, ServerRecord] = {}
        dead: dict[str, ServerRecord] = {}
        for path in sorted(self._servers.iterdir()):
            if path.name == self._own_name:
                continue
            record = read_record(path)
            handle = open_locked(path)
            if handle is not None:
                os.close(handle)
            (running if handle is None or record.is_elsewhere else dead)[path.name] = record
        return Others(running, dead)

    def _forget(self, name: str) -> None:
        """Remove the file of a dead server, unless it starts again at this moment."""
        handle = open_locked(self._servers / name)
        if handle is not None:
            (self._servers / name).unlink(missing_ok=True)
            os.close(handle)

    # Refs

    def _tmp_names(self) -> set[str]:
        """Names of all refs in refs/tmp/, and of files there that are no valid refs."""
        folder = self._git.location.common_dir / TMP
        files = {path.name.removesuffix(".lock") for path in folder.iterdir()} if folder.is_dir() else set()
        listing = self._git.query("for-each-ref", "--format=%(refname)", TMP)[1].split()
        return files | {ref.removeprefix(TMP) for ref in listing}

    def _clean_refs(self, name: str, record: ServerRecord) -> None:
        """Remove locks and the ref of a server that no longer runs."""
        ref = f"{TMP}{name}"
        file = self._git.location.common_dir / ref
        self._unlink(file.with_name(f"{name}.lock"))  # only this server writes this ref
        tip = ref_values(self._git, [ref])[ref]
        commits = {update.new for update in record.unfinished} | ({tip} if tip is not None else set())
        self._clean_locks(commits, record.unfinished)
        self._finish(record.unfinished)
        if tip is not None:
            try:
                self._git.run("update-ref", "-d", ref, tip)
            except GitError as error:  # for example, packed-refs is locked: the next start removes it
                self._log(f"{ref} could not be removed: {error.message}")
        elif file.is_file() and not _OBJECT_ID.match(file.read_bytes()):
            self._unlink(file)  # a machine that crashed can leave an empty file

    def _clean_locks(self, commits: Iterable[str], unfinished: Sequence[RefUpdate]) -> None:
        contents = {f"{commit}\n".encode() for commit in commits}
        were_locked = bool(unfinished)
        for path in self._ref_locks():
            data = _read_small(path)
            if data in contents or (
                data == b"" and self._ref_of(path) in {update.ref for update in unfinished} and _is_idle(path)
            ):
                self._unlink(path)
                were_locked = True
        head = self._git.location.git_dir / "HEAD.lock"
        if were_locked and _read_small(head) == b"" and _is_idle(head):
            self._unlink(head)

    def _ref_locks(self) -> list[Path]:
        common = self._git.location.common_dir
        return [
            path
            for path in (common / "refs").rglob("*.lock")
            if not path.relative_to(common).as_posix().startswith(TMP)
        ]

    def _ref_of(self, lock: Path) -> str:
        return lock.relative_to(self._git.location.common_dir).as_posix().removesuffix(".lock")

    def _finish(self, unfinished: Sequence[RefUpdate]) -> None:
        """Move the remaining refs of a publication that was interrupted after its first ref had moved."""
        if not unfinished:
            return
        present = ref_values(self._git, [update.ref for update in unfinished])
        rest = [update for update in unfinished if present[update.ref] == update.old != update.new]
        if rest and len(rest) < len(unfinished) and present[unfinished[0].ref] == unfinished[0].new:
            transactions = RefTransactions(self._git, self._own_name)
            result = transactions.move(rest, _LIMIT_S)
            transactions.close()
            self._log(f"finished an interrupted publication: {result.outcome.value} {rest[0].ref}")

    def clear_old_locks(self) -> None:
        """Remove locks on refs or packs that were seen before and are over 60 seconds old. Raises OSError."""
        folder = self._git.location.common_dir
        for path in (
            *self._ref_locks(),
            folder / "HEAD.lock",
            folder / "packed-refs.lock",
            self._packs / "multi-pack-index.lock",  # of a killed repack: until then packs are not combined
        ):
            self.clear_lock(path)

    def clear_lock(self, path: Path) -> bool:
        """Remove a lock of an unknown process if it is older than 60 seconds; returns whether it is gone.

        Raises OSError.
        """
        try:
            stat = path.stat()
        except FileNotFoundError:
            self._locks.pop(path, None)
            return True
        identity = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        now = time.monotonic()
        if self._locks.get(path, ((), 0.0))[0] != identity:
            self._locks[path] = (identity, now)
        observed = now - self._locks[path][1]
        age = time.time() - stat.st_mtime
        if observed >= LOCK_AGE_S or (age >= LOCK_AGE_S and observed >= _OBSERVED_S):
            self._log(f"removed {path}: its process has not moved it for {max(age, observed):.0f} seconds")
            self._unlink(path)
            del self._locks[path]
            return True
        return False

    # Packs

    def clean_packs(self, others: Others) -> None:
        """Remove `.keep` and temporary files of git processes that have ended. Raises OSError.

        Call it while this server has no running fast-import.
        """
        if others.is_one_elsewhere or not self._packs.is_dir():
            return
        names = {path.name for path in self._packs.iterdir()}
        for name in sorted(names):
            path = self._packs / name
            stem = name.removesuffix(".keep")
            if name != stem and stem not in others.packs and _read_small(path) == _KEPT_BY_FAST_IMPORT:
                if f"{stem}.idx" not in names:  # killed before the index: git has never seen this pack
                    self._unlink(self._packs / f"{stem}.pack")
                self._unlink(path)
        if others.are_all_visible:
            self._clean_temporary(name for name in names if name.startswith(("tmp_pack_", "tmp_idx_")))
            # Git creates this file, writes into it, and then moves the pack: it was killed in between.
            self._clean_temporary(name for name in names if self._is_empty_keep(name, names))
            self._clean_repacked(names)

    def _is_empty_keep(self, name: str, names: Collection[str]) -> bool:
        stem = name.removesuffix(".keep")
        return stem != name and f"{stem}.pack" not in names and _read_small(self._packs / name) == b""

    def _clean_temporary(self, names: Iterable[str]) -> None:
        paths = [self._packs / name for name in names]
        in_use = open_files() if paths else None
        for path in paths:
            with suppress(FileNotFoundError):
                stat = path.stat()
                can_tell = in_use is not None and stat.st_uid == os.geteuid()
                is_old = time.time() - stat.st_mtime > _ABANDONED_S
                is_in_use = in_use is not None and (stat.st_dev, stat.st_ino) in in_use
                if (can_tell or is_old) and not is_in_use:
                    self._unlink(path)

    def _clean_repacked(self, names: Iterable[str]) -> None:
        """Remove new packs that a killed `git repack` has not put in place."""
        for name in names:
            found = _REPACKED.match(name)
            if found and not _is_process(int(found[1])):
                self._unlink(self._packs / name)

    def _clean_crash_reports(self) -> None:
        for path in self._git.location.git_dir.glob("fast_import_crash_*"):
            found = _CRASH.match(path.name)
            if found and not _is_process(int(found[1])):
                self._unlink(path)

    def clean_after_fast_import(self, pid: int) -> None:
        """Remove what this server's fast-import `pid` has left after its end. Raises OSError."""
        self._unlink(self._git.location.git_dir / f"fast_import_crash_{pid}")
        self._unlink(self._git.location.common_dir / f"{TMP}{self._own_name}.lock")
        with suppress(GitError):
            self.clean_packs(self.others())

    def finish_publication(self, updates: Sequence[RefUpdate], result: Publication) -> Publication:
        """Clean up after this server's `git update-ref` was killed; returns the result with present values.

        If the first ref has moved, the rest follow. Raises GitError or OSError.
        """
        self._clean_locks({update.new for update in updates}, updates)
        self._finish(updates)
        present = ref_values(self._git, [update.ref for update in updates])
        has_moved = all(present[update.ref] == update.new for update in updates)
        return result._replace(present=present, outcome=Published.MOVED if has_moved else result.outcome)

    def _unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def _read_small(path: Path) -> bytes | None:
    """Return the first bytes of a file, or None if there is none."""
    try:
        with path.open("rb") as file:
            return file.read(256)
    except FileNotFoundError:
        return None


def open_files() -> set[tuple[int, int]] | None:
    """Return device and inode of every file that a visible process has open; None where this is unknown.

    Processes of other users are not visible.
    """
    processes = Path("/proc")
    if not (processes / "self" / "fd").is_dir():
        return None
    found = set()
    for process in processes.iterdir():
        if process.name.isdecimal():
            with suppress(OSError):  # it has ended, or belongs to another user
                for handle in (process / "fd").iterdir():
                    with suppress(OSError):
                        stat = handle.stat()
                        found.add((stat.st_dev, stat.st_ino))
    return found


def _is_idle(lock: Path) -> bool:
    """True when an empty lock stays the same for a moment. Another process needs milliseconds for it."""
    try:
        before = lock.stat()
        time.sleep(_IDLE_S)
        now = lock.stat()
    except FileNotFoundError:
        return False
    return (before.st_ino, before.st_mtime_ns) == (now.st_ino, now.st_mtime_ns) and now.st_size == 0


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
