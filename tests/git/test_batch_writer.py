"""Batches of commits: what is acknowledged is on main after any fault, and the next start needs no help."""

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psutil
import pytest

from registry.errors import UsageError
from registry.git import (
    CommitSpec,
    GitError,
    GitWriteError,
    Published,
    RefUpdate,
    Signature,
    WriteFailure,
    open_repository,
)
from registry.git.batch_writer import MOST_BATCHES, POINTS, BatchWriter
from registry.git.remote import Pushed
from tests.support.batch_server import HIGH_WATER, MAIN, publish, spec
from tests.support.fsck import check_objects
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S, eventually

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def bare(tmp_path: Path) -> RepoBuilder:
    """A bare repository with one commit on `main`."""
    work = RepoBuilder(tmp_path / "work")
    work.write("registry.yaml", "registry_id: registry-1\n")
    work.commit()
    work.git("clone", "-q", "--no-local", "--bare", str(work.root), str(tmp_path / "hub.git"))
    return RepoBuilder.at(tmp_path / "hub.git", work.clock)


Open = Callable[..., BatchWriter]


@pytest.fixture
def opened(bare: RepoBuilder) -> Iterator[Open]:
    """Opens writers on the repository, and closes them at the end."""
    writers: list[BatchWriter] = []

    def open_writer(name: str = "one", root: Path = bare.root, **options: object) -> BatchWriter:
        repository = open_repository(root)
        assert repository is not None
        writers.append(BatchWriter(repository, name, **options))  # type: ignore[arg-type]
        return writers[-1]

    yield open_writer
    for writer in writers:
        writer.close()


def head(bare: RepoBuilder) -> str:
    return bare.git("rev-parse", MAIN)


def children(name: str) -> list[psutil.Process]:
    """The git processes of this process that run one command."""
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and name in child.cmdline()
    ]


def is_clean(bare: RepoBuilder) -> bool:
    check_objects(bare.root)
    return True


def leftovers(bare: RepoBuilder) -> list[str]:
    """Files that only a running or a killed writer has, except a lock that is removed after a minute."""
    names = [path.relative_to(bare.root).as_posix() for path in bare.root.rglob("*")]
    return [
        name
        for name in names
        if (
            name.endswith((".lock", ".keep"))
            and not name.startswith("registry/")
            and "multi-pack" not in name
        )
        or "/tmp_" in name
        or "crash" in name
        or name.startswith(("refs/tmp/", "registry/servers/"))
    ]


def lock_file(bare: RepoBuilder, ref: str, text: str) -> Path:
    path = bare.root / f"{ref}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# Writing


def test_a_file_that_grows_with_each_commit_is_stored_as_deltas(bare: RepoBuilder, opened: Open) -> None:
    chance = random.Random(3)
    me = Signature("Ana", "ana@example.org", 1_700_000_000)
    lines = [chance.randbytes(40).hex().encode() + b"\n" for _ in range(240)]
    specs = [
        CommitSpec("Add", me, me, {f"x/{end}.yaml": lines[end], "ledger": b"".join(lines[:end])})
        for end in range(200, 240)
    ]
    before = sum(path.stat().st_size for path in bare.root.glob("objects/pack/*.pack"))
    writer = opened()
    with writer.lock():
        ids = writer.write(head(bare), specs)
    grown = sum(path.stat().st_size for path in bare.root.glob("objects/pack/*.pack")) - before
    assert grown < 4 * sum(map(len, lines)), "each of the 40 versions takes half of its length alone"
    assert bare.git("show", f"{ids[20]}:ledger").encode() == b"".join(lines[:220]).rstrip()


def test_a_batch_is_commits_on_top_of_each_other(bare: RepoBuilder, opened: Open) -> None:
    ana = Signature("Ana <Autor>\n", "ana@example.org", 1_700_000_000, "+0230")
    server = Signature("", "server@example.org", 1_700_000_001)
    odd = 'a "b"\\c/ü\n.yaml'
    base = head(bare)
    writer = opened()
    with writer.lock():
        ids = writer.write(
            base,
            [
                CommitSpec("Add it\n\nbody", ana, server, {odd: b"one\r\n\0", "x/y.yaml": b""}),
                CommitSpec(b"\xff\n", ana, server, {odd: None, "x/y.yaml": None, "x": b"a file now"}),
                CommitSpec("", ana, server, {}),
            ],
        )
    assert bare.git("rev-list", "--reverse", f"{base}..{ids[2]}").split() == ids
    assert bare.git("log", "-1", "--format=%an|%ae|%ai|%cn|%ci|%B", ids[0]) == (
        "Ana Autor|ana@example.org|2023-11-15 00:43:20 +0230|unknown|2023-11-14 22:13:21 +0000|Add it\n\nbody"
    )
    assert bare.git("ls-tree", "-r", "-z", "--name-only", ids[0]).split("\0")[:-1] == [
        odd, "registry.yaml", "x/y.yaml",
    ]  # fmt: skip
    content = subprocess.run(
        ["git", "cat-file", "blob", f"{ids[0]}:{odd}"], cwd=bare.root, capture_output=True, check=True
    )
    assert content.stdout == b"one\r\n\0"
    assert bare.git("ls-tree", "-r", "--name-only", ids[1]).split() == ["registry.yaml", "x"]
    assert head(bare) == base, "no branch has moved"
    assert bare.git("rev-parse", "refs/tmp/one") == ids[2]
    assert is_clean(bare)


@pytest.mark.parametrize("path", ["", "/a", "a//b", "a/", "./a", "a/../b", ".git/config", "a/.GIT/b", "a\0"])
def test_a_path_that_git_cannot_store_is_refused_before_anything_is_sent(
    path: str, bare: RepoBuilder, opened: Open
) -> None:
    writer = opened()
    with pytest.raises(ValueError, match="path"):
        writer.write(head(bare), [spec("a"), spec("b", path)])
    assert publish(writer, [spec("c")])


def test_an_unknown_base_is_an_error_and_the_next_batch_works(bare: RepoBuilder, opened: Open) -> None:
    writer = opened()
    with pytest.raises(GitWriteError, match="git fast-import"):
        writer.write("1" * 40, [spec("a")])
    assert not list(bare.root.glob("fast_import_crash_*"))
    assert publish(writer, [spec("a")])


def test_other_repositories_are_refused(bare: RepoBuilder, tmp_path: Path, opened: Open) -> None:
    with pytest.raises(UsageError, match="has a work tree"):
        opened(root=tmp_path / "work")
    with pytest.raises(UsageError, match="name of a server"):
        opened("a/../b")
    bare.git("config", "extensions.refStorage", "reftable", ok=False)
    with pytest.raises(UsageError, match="reftable"):
        opened()


def test_every_file_and_folder_is_synced_before_the_answer(
    bare: RepoBuilder, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        events.append(path.relative_to(bare.root).as_posix())

    writer = opened(at=events.append)
    publish(writer, [spec("a")])
    events.clear()
    monkeypatch.setattr(os, "fsync", fsync)
    publish(writer, [spec("b")])
    assert events == [
        "write:sent", "write:packed", "objects/pack", "write:synced",
        "publish:prepared", "publish:moved", "refs/heads", "refs/registry", "publish:synced",
    ]  # fmt: skip
    # Git syncs the files themselves.
    words = [" ".join(child.cmdline()) for name in ("fast-import", "update-ref") for child in children(name)]
    assert len(words) == 2
    assert all("core.fsync=all" in word and "core.fsyncMethod=fsync" in word for word in words)


@pytest.fixture
def in_memory(bare: RepoBuilder) -> Iterator[RepoBuilder]:
    """The repository where syncing costs nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        bare.git("clone", "-q", "--no-local", "--bare", ".", f"{folder}/hub.git")
        yield RepoBuilder.at(Path(folder, "hub.git"), 0)


def test_the_number_of_packs_is_bounded(in_memory: RepoBuilder, opened: Open) -> None:
    bare = in_memory
    writer = opened(root=bare.root)
    most = 0
    base = head(bare)
    for number in range(300):
        ours = writer.write(base, [spec(f"a{number}", f"definitions/{number % 20}/a{number}.yaml")])[0]
        assert writer.publish([RefUpdate(MAIN, ours, base)]).outcome is Published.MOVED
        base = ours
        if number % MOST_BATCHES == 0:
            writer.wait_for_repacking(PATIENCE_S)
        most = max(most, len(list(bare.root.glob("objects/pack/*.pack"))))
    assert most < 2 * MOST_BATCHES
    writer.restart()
    writer.wait_for_repacking(PATIENCE_S)
    assert len(list(bare.root.glob("objects/pack/*.pack"))) < 10
    assert not list(bare.root.glob("objects/??"))
    assert bare.git("rev-list", "--count", MAIN) == "301"
    assert is_clean(bare)
    writer.close()
    assert leftovers(bare) == []


# Publishing


def test_refs_move_from_their_old_values_or_not_at_all(bare: RepoBuilder, opened: Open) -> None:
    writer = opened()
    base = head(bare)
    with writer.lock():
        ours = writer.write(base, [spec("a")])[0]
        theirs = bare.git("commit-tree", f"{base}^{{tree}}", "-p", base, "-m", "theirs")
        bare.git("update-ref", MAIN, theirs)
        lost = writer.publish([RefUpdate(HIGH_WATER, ours, None), RefUpdate(MAIN, ours, base)])
        assert lost.outcome is Published.RACED
        assert lost.present == {MAIN: theirs, HIGH_WATER: None}
        again = writer.write(theirs, [spec("a")])[0]
        won = writer.publish([RefUpdate(MAIN, again, theirs), RefUpdate(HIGH_WATER, again, None)])
        assert (won.outcome, won.present) == (Published.MOVED, {MAIN: again, HIGH_WATER: again})
        gone = writer.publish([RefUpdate(HIGH_WATER, ours, None)])
        assert gone.outcome is Published.RACED
    assert writer.values([MAIN, HIGH_WATER, "refs/heads/none"]) == {
        MAIN: again, HIGH_WATER: again, "refs/heads/none": None,
    }  # fmt: skip


def test_an_empty_ref_file_is_a_clear_error(bare: RepoBuilder, opened: Open) -> None:
    writer = opened()
    base = head(bare)
    ours = writer.write(base, [spec("a")])[0]
    (bare.root / MAIN).write_bytes(b"")
    failed = writer.publish([RefUpdate(MAIN, ours, base)])
    assert (failed.outcome, failed.present) == (Published.FAILED, {MAIN: None})
    assert "broken" in failed.message
    (bare.root / MAIN).write_text(f"{base}\n")
    assert publish(writer, [spec("b")])


def test_a_lock_that_only_seems_old_is_not_removed_when_it_is_first_seen(
    bare: RepoBuilder, opened: Open
) -> None:
    lock = bare.root / f"{MAIN}.lock"
    lock.write_bytes(b"")
    os.utime(lock, (1e9, 1e9))  # as after a jump of the clock
    log: list[str] = []
    opened(log=log.append)
    assert (lock.exists(), log) == (True, [])


def test_a_lock_of_an_unknown_process_is_removed_after_a_minute(bare: RepoBuilder, opened: Open) -> None:
    log: list[str] = []
    writer = opened(log=log.append)
    lock = bare.root / f"{MAIN}.lock"
    lock.touch()
    base = head(bare)
    ours = writer.write(base, [spec("a")])[0]
    locked = writer.publish([RefUpdate(MAIN, ours, base)])
    assert (locked.outcome, Path(locked.lock).name) == (Published.LOCKED, "main.lock")
    assert (lock.exists(), log) == (True, [])
    assert head(bare) == base
    os.utime(lock, (time.time() - 61,) * 2)
    eventually(
        lambda: writer.publish([RefUpdate(MAIN, ours, base)]).outcome is Published.MOVED,
        "the next publication",
    )
    assert "main.lock" in log[0]


def test_a_lock_of_a_killed_server_is_removed_at_once(bare: RepoBuilder, opened: Open) -> None:
    writer = opened()
    base = head(bare)
    theirs = bare.git("commit-tree", f"{base}^{{tree}}", "-p", base, "-m", "theirs")
    bare.git("update-ref", "refs/tmp/dead", theirs)
    lock_file(bare, MAIN, f"{theirs}\n")
    assert publish(writer, [spec("a")])


# Several servers


def test_a_name_is_used_once(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.git.batch_writer.LOCK_LIMIT_S", 0.05)
    opened()
    with pytest.raises(GitWriteError, match="a server named one is running") as refused:
        opened()
    assert refused.value.failure is WriteFailure.LOCKED


def test_servers_of_a_host_wait_for_each_other_and_take_turns(bare: RepoBuilder, opened: Open) -> None:
    one, two = opened("one"), opened("two")
    with one.lock(), pytest.raises(GitWriteError, match="another server of this host"), two.lock(0.05):
        pass
    order: list[str] = []

    def work(name: str, writer: BatchWriter) -> None:
        while len(order) < 24:
            assert publish(writer, [spec(f"{name}{len(order)}")])
            order.append(name)

    threads = [Thread(target=work, args=pair) for pair in (("one", one), ("two", two))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns = "".join(name[0] for name in order)
    assert "ooooo" not in turns, turns
    assert "ttttt" not in turns, turns
    assert int(bare.git("rev-list", "--count", MAIN)) == len(order) + 1
    assert is_clean(bare)


def test_cleaning_leaves_running_servers_alone(bare: RepoBuilder, opened: Open) -> None:
    one = opened("one")
    publish(one, [spec("a")])
    before = set(leftovers(bare))
    assert {Path(name).suffix for name in before} >= {".keep", ""}
    assert any("tmp_pack_" in name for name in before)
    two = opened("two")
    assert publish(two, [spec("b")])
    two.restart()
    two.close()
    assert set(leftovers(bare)) == before
    assert publish(one, [spec("c")])


def test_garbage_collection_of_the_operator_takes_nothing(bare: RepoBuilder, opened: Open) -> None:
    one, two = opened("one", most_batches=4), opened("two")
    published: list[str] = []

    def collect() -> None:
        for command in (("gc", "-q", "--prune=now"), ("repack", "-q", "-a", "-d", "-l")) * 3:
            bare.git(*command)

    thread = Thread(target=collect)
    thread.start()
    while thread.is_alive() or len(published) < 10:
        for writer in (one, two):
            base = head(bare)
            writer.write(base, [spec(f"lost-{len(published)}")])  # never published
            published += publish(writer, [spec(f"lost-{len(published)}"), spec(f"b{len(published)}")]) or []
    thread.join()
    assert bare.git("rev-list", "--reverse", MAIN).split()[1:] == published
    bare.git("gc", "-q", "--prune=now")
    assert is_clean(bare)


# Faults


def test_a_killed_or_stopped_git_process_costs_at_most_one_request(bare: RepoBuilder, opened: Open) -> None:
    writer = opened()
    assert publish(writer, [spec("a")])
    children("fast-import")[0].kill()
    children("update-ref")[0].kill()
    assert publish(writer, [spec("b")])
    children("fast-import")[0].suspend()
    with pytest.raises(GitWriteError, match="within") as over:
        writer.write(head(bare), [spec("c")], limit_s=0.3)
    assert over.value.failure is WriteFailure.TIMED_OUT
    assert publish(writer, [spec("d")])
    base = head(bare)
    ours = writer.write(base, [spec("e")])[0]
    children("update-ref")[0].suspend()
    stopped = writer.publish([RefUpdate(MAIN, ours, base)], limit_s=0.3)
    assert (stopped.outcome, stopped.failure) == (Published.FAILED, WriteFailure.TIMED_OUT)
    assert writer.publish([RefUpdate(MAIN, ours, base)]).outcome is Published.MOVED
    assert is_clean(bare)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_git_process_that_is_hit_while_it_holds_the_locks(
    number: signal.Signals, bare: RepoBuilder, opened: Open
) -> None:
    signals = [number]

    def hit(point: str) -> None:
        if point == "publish:prepared" and signals:
            children("update-ref")[0].send_signal(signals.pop())

    writer = opened(at=hit)
    base = head(bare)
    ours = writer.write(base, [spec("a")])[0]
    updates = [RefUpdate(MAIN, ours, base), RefUpdate(HIGH_WATER, ours, None)]
    failed = writer.publish(updates, limit_s=0.5)
    assert (failed.outcome, failed.present) == (Published.FAILED, {MAIN: base, HIGH_WATER: None})
    assert writer.publish(updates).outcome is Published.MOVED


def test_no_more_room(bare: RepoBuilder, opened: Open) -> None:
    writer = opened()
    assert publish(writer, [spec("a")])
    pid = children("fast-import")[0].pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    before = head(bare)
    large = random.Random(1).randbytes(200_000)
    with pytest.raises(GitWriteError) as full:
        writer.write(before, [spec("b", data=large)])
    assert full.value.failure is WriteFailure.DISK_FULL
    assert not list(bare.root.glob("objects/pack/tmp_*")), "the space is free again"
    assert head(bare) == before
    assert publish(writer, [spec("b", data=large)])
    assert is_clean(bare)


def mounted(folder: Path, options: str) -> bool:
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(bare: RepoBuilder, tmp_path: Path) -> Iterator[RepoBuilder]:
    """The repository on a disk of 6 MB."""
    folder = tmp_path / "disk"
    if not mounted(folder, "size=6m"):
        pytest.skip("mounting needs root")
    try:
        bare.git("clone", "-q", "--no-local", "--bare", ".", str(folder / "hub.git"))
        yield RepoBuilder.at(folder / "hub.git", 0)
    finally:
        while os.path.ismount(folder):
            subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: RepoBuilder, opened: Open) -> None:
    writer = opened(root=small_disk.root, most_batches=3)
    published: list[str] = []
    filler = small_disk.root.parent / "filler"
    noise = random.Random(2)
    for _ in range(2):  # full at every size
        left = os.statvfs(filler.parent).f_bavail * os.statvfs(filler.parent).f_bsize
        filler.write_bytes(b"x" * (left - 200_000))
        failures: list[WriteFailure] = []
        while len(failures) < 4:
            key = f"{len(published)}-{len(failures)}"
            try:
                published += publish(writer, [spec(key, data=noise.randbytes(10_000))]) or []
            except GitWriteError as error:
                failures.append(error.failure)
        assert set(failures) == {WriteFailure.DISK_FULL}
        assert small_disk.git("rev-list", "--reverse", MAIN).split()[1:] == published
        filler.unlink()
        published += publish(writer, [spec(f"room-{len(published)}")]) or []
        assert small_disk.git("rev-list", "--reverse", MAIN).split()[1:] == published
    assert is_clean(small_disk)


def test_a_read_only_disk(small_disk: RepoBuilder, opened: Open) -> None:
    writer = opened(root=small_disk.root)
    disk = str(small_disk.root.parent)
    base = head(small_disk)
    assert publish(writer, [spec("a")])
    subprocess.run(["mount", "--bind", disk, disk], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
    with pytest.raises(GitWriteError, match="Read-only") as locking, writer.lock():
        pass
    with pytest.raises(GitWriteError, match="Read-only") as writing:
        writer.write(base, [spec("b")])
    assert {locking.value.failure, writing.value.failure} == {WriteFailure.READ_ONLY}
    subprocess.run(["umount", "-l", disk], check=True)
    assert publish(writer, [spec("b")])


# Kills


class Server:
    """A write server in a process group of its own."""

    def __init__(self, bare: RepoBuilder, name: str, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.batch_server", str(bare.root), name, *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def family(self) -> list[psutil.Process]:
        """The server and its git processes."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def end(self) -> list[str]:
        """Wait for the end; gives what was acknowledged."""
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.lines


def is_whole(bare: RepoBuilder, acknowledged: list[str]) -> None:
    """Every acknowledged commit is on main once, both refs agree, and the repository is in order."""
    history = bare.git("rev-list", MAIN).split()
    assert set(acknowledged) <= set(history)
    subjects = bare.git("log", "--format=%s", MAIN).splitlines()
    assert len(subjects) == len(set(subjects))
    assert bare.git("rev-parse", HIGH_WATER) == history[0]
    assert is_clean(bare)


@pytest.mark.parametrize("point", POINTS)
def test_a_server_that_is_killed_at_any_point(point: str, bare: RepoBuilder, opened: Open) -> None:
    server = Server(bare, "one", point, "2")
    acknowledged = server.end()
    assert server.process.returncode == -signal.SIGKILL
    writer = opened()
    new = publish(writer, [spec("next")])
    assert new
    is_whole(bare, acknowledged + new)
    writer.close()
    assert leftovers(bare) == []


def kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.mark.parametrize("victims", ["server", "git", "all", "all", "both servers"])
def test_acknowledged_batches_survive_kills_at_random_times(
    victims: str, bare: RepoBuilder, opened: Open
) -> None:
    servers = [Server(bare, name) for name in ("one", "two")[: 2 if victims == "both servers" else 1]]
    eventually(lambda: all(server.lines for server in servers), "a batch of each server")
    time.sleep(random.random() / 4)
    families = [server.family() for server in servers]
    if victims == "git":
        kill(families[0][1:])
        acknowledged = len(servers[0].lines)
        eventually(lambda: len(servers[0].lines) > acknowledged, "a batch after the kill")
    chosen = [process for family in families for process in (family[:1] if victims == "server" else family)]
    kill(random.sample(chosen, len(chosen)))
    lines = [line for server in servers for line in server.end() if not line.startswith("failed")]
    writer = opened("three" if victims == "both servers" else "one")
    new = publish(writer, [spec("next")])
    assert new
    is_whole(bare, lines + new)
    writer.close()
    if victims != "both servers":
        assert {name: (bare.root / name).read_bytes() for name in leftovers(bare)} == {}


def test_a_stopped_git_process_of_a_killed_server_is_ended(bare: RepoBuilder, opened: Open) -> None:
    server = Server(bare, "one")
    eventually(lambda: len(server.lines) > 3, "a batch")
    stopped = 0
    for process in server.family()[1:]:
        with suppress(psutil.NoSuchProcess):  # a short process may have ended
            # One that has not become git yet holds the output of the server, for whose end the test waits.
            if process.name() == "git":
                process.suspend()
                stopped += 1
    assert stopped
    server.process.kill()
    acknowledged = server.end()
    new = publish(opened(), [spec("next")])
    assert new
    is_whole(bare, acknowledged + new)


def test_leftovers_of_dead_servers_are_removed_and_nothing_else(bare: RepoBuilder, opened: Open) -> None:
    base = head(bare)
    ours = bare.git("commit-tree", f"{base}^{{tree}}", "-p", base, "-m", "ours")
    bare.git("update-ref", "refs/tmp/dead", ours)
    (bare.root / "refs/tmp/empty").write_bytes(b"")
    packs = bare.root / "objects/pack"
    removed = [
        lock_file(bare, MAIN, f"{ours}\n"),
        lock_file(bare, "HEAD", ""),
        lock_file(bare, "refs/tmp/dead", ""),
        bare.root / "fast_import_crash_999999999",
        packs / "tmp_pack_abcdef",
        packs / ".tmp-999999999-pack-1.pack",
        packs / "pack-1.keep",
        packs / "pack-1.pack",
        packs / "pack-3.keep",
        bare.root / "refs/tmp/empty",
        bare.root / "refs/tmp/dead",
    ]
    kept = [
        packs / f".tmp-{os.getpid()}-pack-1.pack",
        lock_file(bare, "refs/heads/other", f"{ours}\n".replace(ours[0], "z")),
        packs / "pack-2.keep",
        bare.root / f"fast_import_crash_{os.getpid()}",
        packs / "tmp_pack_in_use",
        packs / "pack-4.keep",
        packs / "pack-4.pack",
    ]
    for path in (*removed, *kept):
        if path.suffix != ".lock" and path.parent.name != "tmp":
            path.write_bytes(b"fast-import")
    (packs / "pack-2.keep").write_bytes(b"receive-pack 1 on host")
    (packs / "pack-3.keep").write_bytes(b"")
    (packs / "pack-4.keep").write_bytes(b"")  # as operators make them, for a pack that is there
    with (packs / "tmp_pack_in_use").open():
        opened()
        assert [path.name for path in removed if path.exists()] == []
        assert [path.name for path in kept if not path.exists()] == []


def test_a_publication_that_was_interrupted_between_two_refs_is_finished(
    bare: RepoBuilder, opened: Open
) -> None:
    server = Server(bare, "one", "publish:prepared", "1")
    acknowledged = server.end()
    assert acknowledged == []
    record = bare.root / "registry/servers/one"
    eventually(lambda: not list(bare.root.glob("refs/heads/*.lock")), "the end of git")
    ours = bare.git("rev-parse", "refs/tmp/one")
    bare.git("update-ref", MAIN, ours)
    lock_file(bare, HIGH_WATER, f"{ours}\n")
    assert record.exists()
    log: list[str] = []
    opened(log=log.append)
    assert bare.git("rev-parse", HIGH_WATER) == ours
    assert "finished an interrupted publication" in log[0]


def test_a_server_on_another_machine_counts_as_running(bare: RepoBuilder, opened: Open) -> None:
    folder = bare.root / "registry/servers"
    folder.mkdir(parents=True)
    (folder / "far").write_text('{"host":"elsewhere","boot":"other","pid":1,"started":"1"}\n')
    bare.git("update-ref", "refs/tmp/far", head(bare))
    keep = bare.root / "objects/pack/pack-1.keep"
    keep.write_bytes(b"fast-import")
    assert publish(opened(), [spec("a")])
    assert keep.exists()
    assert (folder / "far").exists()
    assert bare.git("rev-parse", "refs/tmp/far")


# Remote


@pytest.fixture
def cloned(bare: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A bare clone; `origin` is the repository of `bare`."""
    bare.git("clone", "-q", "--no-local", "--bare", str(bare.root), str(tmp_path / "clone.git"))
    return RepoBuilder.at(tmp_path / "clone.git", 0)


def hook(bare: RepoBuilder, name: str, text: str) -> None:
    path = bare.root / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_push_moves_all_refs_of_the_remote_or_none(
    bare: RepoBuilder, cloned: RepoBuilder, opened: Open
) -> None:
    writer = opened(root=cloned.root)
    assert writer.fetch("origin", [MAIN, HIGH_WATER]) == {MAIN: head(bare), HIGH_WATER: None}
    base = head(bare)
    ours = writer.write(base, [spec("a"), spec("b")])[-1]
    updates = [RefUpdate(MAIN, ours, base), RefUpdate(HIGH_WATER, ours, None)]
    hook(bare, "pre-receive", "echo 'E042: not now'; echo >&2 'try later'; exit 1")
    refused = writer.push("origin", updates)
    assert refused.outcome is Pushed.REFUSED
    assert refused.message.splitlines() == ["E042: not now", "try later"]
    (bare.root / "hooks/pre-receive").unlink()
    bare.git("update-ref", HIGH_WATER, base)
    assert writer.push("origin", updates).outcome is Pushed.RACED
    assert writer.fetch("origin", [MAIN, HIGH_WATER]) == {MAIN: base, HIGH_WATER: base}
    updates[1] = RefUpdate(HIGH_WATER, ours, base)
    assert writer.push("origin", updates).outcome is Pushed.ACCEPTED
    assert writer.fetch("origin", [HIGH_WATER, MAIN]) == {MAIN: ours, HIGH_WATER: ours}
    assert head(cloned) == base, "no local branch moves"
    assert writer.find_trailer(ours, "Request-Id", "a", since=base) == cloned.git("rev-parse", f"{ours}^")
    assert writer.find_trailer(ours, "Request-Id", "c", since=base) is None
    assert writer.find_trailer(ours, "Request-Id", "a", since=ours) is None


def test_a_remote_that_accepts_and_never_answers_is_unclear(
    bare: RepoBuilder, cloned: RepoBuilder, opened: Open
) -> None:
    writer = opened(root=cloned.root)
    base = head(bare)
    ours = writer.write(base, [spec("a")])[0]
    hook(bare, "post-receive", "exec sleep 617")
    push = writer.push("origin", [RefUpdate(MAIN, ours, base)], limit_s=3)
    assert push.outcome is Pushed.UNCLEAR
    eventually(lambda: head(bare) == ours, "the accepted push")
    found = writer.fetch("origin", [MAIN])[MAIN]
    assert found == ours
    assert writer.find_trailer(found, "Request-Id", "a", since=base) == ours
    for process in psutil.process_iter(["cmdline"]):
        assert process.info["cmdline"] != ["sleep", "617"], "the group has ended"


def test_a_remote_that_is_gone(bare: RepoBuilder, cloned: RepoBuilder, opened: Open) -> None:
    writer = opened(root=cloned.root)
    base = head(cloned)
    ours = writer.write(base, [spec("a")])[0]
    bare.root.rename(bare.root.with_name("gone"))
    assert writer.push("origin", [RefUpdate(MAIN, ours, base)]).outcome is Pushed.UNCLEAR
    with pytest.raises(GitError, match="origin cannot be fetched"):
        writer.fetch("origin", [MAIN])
    with pytest.raises(UsageError, match="no remote `other`"):
        writer.fetch("other", [MAIN])
