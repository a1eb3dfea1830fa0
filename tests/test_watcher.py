"""Changes on disk are seen, whatever way they come; reading is no change. With the real file system, editors' ways of saving and git."""

import mmap
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from registry.git import open_repository
from registry.watcher import Watcher
from tests.support.repo import RepoBuilder
from tests.support.seeds import in_soak
from tests.support.waiting import PATIENCE_S, eventually, settled

FILE = "definitions/process_definition/a.yaml"


class Seen:
    """What a watcher called back with."""

    def __init__(self) -> None:
        self.calls: list[set[str]] = []
        self.notes: list[str] = []
        self.lock = threading.Lock()

    def changed(self, paths: set[str]) -> None:
        with self.lock:
            self.calls.append(paths)

    @property
    def paths(self) -> set[str]:
        with self.lock:
            return set().union(*self.calls)


@pytest.fixture(params=["events", "poll"])
def watched(request: pytest.FixtureRequest, repo: RepoBuilder) -> Iterator[tuple[RepoBuilder, Seen]]:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.define("b")
    repo.commit("start")
    time.sleep(0.1)
    seen = Seen()
    watcher = Watcher(
        repo.root, state_files_of(repo), seen.changed, poll=request.param == "poll", notify=seen.notes.append
    )
    watcher.start()
    time.sleep(0.2)
    yield repo, seen
    watcher.stop()


def state_files_of(repo: RepoBuilder) -> Callable[[], list[Path]]:
    def files() -> list[Path]:
        found = open_repository(repo.root)
        assert found is not None
        return found.state_files()

    return files


def in_place(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def renamed_over(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name}.swp")
    aside.write_bytes(data)
    aside.replace(path)


def backup_and_new(path: Path, data: bytes) -> None:
    """As vim does with `backupcopy=no`."""
    path.rename(f"{path}~")
    path.write_bytes(data)
    Path(f"{path}~").unlink()


def safe_write(path: Path, data: bytes) -> None:
    """As JetBrains' editors do: beside it, the old one away, the new one there."""
    new, old = Path(f"{path}___jb_tmp___"), Path(f"{path}___jb_old___")
    new.write_bytes(data)
    path.rename(old)
    new.rename(path)
    old.unlink()


def mapped(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(len(data))
        with mmap.mmap(file.fileno(), len(data)) as area:
            area[:] = data
            area.flush()


def in_pieces(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        for start in range(0, len(data), 10):
            file.write(data[start : start + 10])
            file.flush()
            time.sleep(0.005)


@pytest.mark.parametrize("save", [in_place, renamed_over, backup_and_new, safe_write, mapped, in_pieces])
def test_every_way_of_saving_is_seen(
    watched: tuple[RepoBuilder, Seen], save: Callable[[Path, bytes], None]
) -> None:
    repo, seen = watched
    path = repo.root / FILE
    save(path, b"title: Saved\nowners: [t]\ndefinition: {exec: /bin/saved}\n")
    eventually(lambda: FILE in seen.paths, "the change")
    last = path.read_bytes()
    time.sleep(0.5)
    assert path.read_bytes() == last


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere the system does not tell that a file was closed"
)
def test_a_file_is_not_looked_at_while_it_is_written(repo: RepoBuilder) -> None:
    path = repo.define("a")
    repo.commit("start")
    whole = b"title: Whole\nowners: [t]\ndefinition: {exec: /bin/whole}\n"
    found: list[bytes] = []
    watcher = Watcher(repo.root, state_files_of(repo), lambda _paths: found.append(path.read_bytes()))
    watcher.start()
    time.sleep(0.5)
    partial = 0
    try:
        for _ in range(20):
            path.write_bytes(b"title: Before\n")
            time.sleep(0.5)
            found.clear()
            stamps = [time.monotonic()]
            with path.open("wb") as file:
                for start in range(0, len(whole), 5):
                    file.write(whole[start : start + 5])
                    file.flush()
                    time.sleep(0.02)
                    stamps.append(time.monotonic())
            eventually(lambda: bool(found))
            # A pause of this process or of the one that delivers events looks like the end of the file. A
            # watcher that does not wait reads a part in every attempt.
            if found[0] == whole:
                break
            partial += max(after - before for before, after in pairwise(stamps)) < 0.06
        else:
            assert not partial
            pytest.skip("this machine is too busy to write a file without a pause")
    finally:
        watcher.stop()


def test_what_gave_way_is_done_when_nothing_happens_any_more(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.commit("start")
    answers = [False, False, True]
    asked: list[bool] = []

    def settled() -> bool:
        asked.append(answers[len(asked)])
        return asked[-1]

    watcher = Watcher(repo.root, state_files_of(repo), lambda _paths: True, settled=settled)
    watcher.start()
    try:
        repo.define("a", "title: New\nowners: [t]\ndefinition: {exec: /bin/a}\n")
        eventually(lambda: asked == answers)
        time.sleep(0.5)
        assert asked == answers
    finally:
        watcher.stop()


def test_files_that_come_go_and_move_and_settings_are_seen(watched: tuple[RepoBuilder, Seen]) -> None:
    repo, seen = watched
    repo.define("new/folder/c")
    eventually(lambda: "definitions/process_definition/new/folder/c.yaml" in seen.paths)
    repo.define("new/folder/d")  # in a folder that was not there
    eventually(lambda: "definitions/process_definition/new/folder/d.yaml" in seen.paths)
    (repo.root / "definitions/process_definition/b.yaml").rename(
        repo.root / "definitions/process_definition/e.yaml"
    )
    eventually(
        lambda: (
            {"definitions/process_definition/b.yaml", "definitions/process_definition/e.yaml"} <= seen.paths
        )
    )
    repo.write("registry.yaml", "title: New\n")
    eventually(lambda: "registry.yaml" in seen.paths)
    repo.write("site_templates/404.html", "x")
    eventually(lambda: "site_templates/404.html" in seen.paths)


def test_folders_in_folders_made_all_at_once_are_seen_and_nothing_is_said_of_them(
    watched: tuple[RepoBuilder, Seen],
) -> None:
    repo, seen = watched
    for number in range(100):
        repo.define(f"n{number}/a/b/c/d")
    # (What the library that brings events warns of is an error here, and ends its thread.)
    eventually(
        lambda: (
            {f"definitions/process_definition/n{number}/a/b/c/d.yaml" for number in range(100)} <= seen.paths
        )
    )
    count = settled(lambda: len(seen.calls), 0.5)
    repo.define("n7/a/b/c/d", "title: New\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    eventually(lambda: len(seen.calls) > count)


def test_reading_everything_is_no_change(watched: tuple[RepoBuilder, Seen]) -> None:
    repo, seen = watched
    for _ in range(5):
        for path in repo.root.rglob("*"):
            if path.is_file():
                path.read_bytes()
        repo.git("log", "-1")
        time.sleep(0.15)
    assert seen.calls == []


def test_a_commit_is_seen_though_no_file_changes(watched: tuple[RepoBuilder, Seen]) -> None:
    repo, seen = watched
    repo.define("a", "title: New\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    eventually(lambda: FILE in seen.paths)
    before = settled(lambda: len(seen.calls), 0.5)
    repo.commit("take it")
    eventually(lambda: len(seen.calls) > before, "the commit")


def test_the_folder_removed_and_made_again_is_watched_again(watched: tuple[RepoBuilder, Seen]) -> None:
    repo, seen = watched
    shutil.rmtree(repo.root / "definitions")
    eventually(lambda: FILE in seen.paths)
    time.sleep(0.5)
    count = len(seen.calls)
    repo.define("a", "title: Again\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    eventually(lambda: len(seen.calls) > count)
    count = settled(lambda: len(seen.calls), 0.5)
    repo.define("a", "title: And again\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    eventually(lambda: len(seen.calls) > count)


def test_nothing_is_looked_at_while_git_is_at_work(watched: tuple[RepoBuilder, Seen]) -> None:
    repo, seen = watched
    lock = repo.root / ".git/index.lock"
    lock.touch()
    repo.define("a", "title: Half\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    time.sleep(1)
    assert FILE not in seen.paths
    lock.unlink()
    eventually(lambda: FILE in seen.paths)


def test_many_changes_at_once_are_all_seen_and_gathered(watched: tuple[RepoBuilder, Seen]) -> None:
    repo, seen = watched
    # Nothing is looked at meanwhile, so that it does not count how long this takes.
    lock = repo.root / ".git/index.lock"
    lock.touch()
    for number in range(300):
        repo.define(f"many/n{number}")
    lock.unlink()
    wanted = {f"definitions/process_definition/many/n{number}.yaml" for number in range(300)}
    eventually(lambda: wanted <= seen.paths)
    assert len(seen.calls) < 60


def test_links_are_not_followed_out_of_the_registry(
    watched: tuple[RepoBuilder, Seen], tmp_path: Path
) -> None:
    repo, seen = watched
    outside = tmp_path / "outside"
    outside.mkdir()
    (repo.root / "definitions/process_definition/link").symlink_to(outside)
    eventually(lambda: "definitions/process_definition/link" in seen.paths)
    (outside / "x.yaml").write_text("title: X\n")
    time.sleep(1)
    assert not any("x.yaml" in path for path in seen.paths)


def test_where_the_system_gives_no_more_events_it_looks_and_says_so(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of the system is for everybody on the machine; so it is the library's answer to it that is brought about."""
    from watchdog.observers import Observer

    def full(_self: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(Observer, "start", full)
    repo.define("a")
    repo.commit("start")
    seen = Seen()
    watcher = Watcher(repo.root, state_files_of(repo), seen.changed, notify=seen.notes.append)
    watcher.start()
    try:
        assert "inotify watch limit reached" in seen.notes[0]
        repo.define("a", "title: New\n")
        eventually(lambda: FILE in seen.paths)
    finally:
        watcher.stop()


def test_watch_builds_again_does_not_loop_and_survives_being_stopped(repo: RepoBuilder) -> None:
    repo.write(".gitignore", "/site\n/.site.generations\n")
    repo.define("a")
    repo.commit("start")
    log = repo.root.parent / "watch.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "registry", "watch", "-C", str(repo.root)],
            stdout=file,
            stderr=file,
            env={"PATH": os.environ["PATH"]},
        )
    page = repo.root / "site/process_definition/a/index.html"
    try:
        eventually(lambda: page.exists() and "Watching" in log.read_text())
        repo.define("a", "title: Seen\nowners: [t]\ndefinition: {exec: /bin/a}\n")
        eventually(lambda: "Seen" in page.read_text())
        settled((repo.root / "site").readlink, 2.5)  # its own output does not wake it
        process.send_signal(signal.SIGSTOP)
        repo.define("a", "title: Meanwhile\nowners: [t]\ndefinition: {exec: /bin/a}\n")
        time.sleep(0.3)
        process.send_signal(signal.SIGCONT)
        eventually(lambda: "Meanwhile" in page.read_text())
        repo.define("a", "title: [\n")
        eventually(lambda: "The previous site is kept" in log.read_text())
        assert "Meanwhile" in page.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("watched", ["events", *in_soak("poll")], indirect=True)
def test_another_branch_with_5000_differing_files_is_seen_whole(watched: tuple[RepoBuilder, Seen]) -> None:
    repo, seen = watched
    many = [f"many/d{number}" for number in range(5_000)]
    repo.git("checkout", "-q", "-b", "other")
    for name in many:
        repo.define(name)
    repo.commit("5,000 more")
    for name in many[:2_500]:
        repo.define(name, f"title: Two\nowners: [t]\ndefinition: {{exec: /bin/{name}}}\n")
    repo.commit("half of them changed")
    paths = {f"definitions/process_definition/{name}.yaml" for name in many}
    eventually(lambda: paths <= seen.paths)
    for branch, differing in (
        ("main", paths),
        ("other", paths),
        ("other~1", {f"definitions/process_definition/{name}.yaml" for name in many[:2_500]}),
    ):
        time.sleep(0.3)
        with seen.lock:
            seen.calls.clear()
        repo.git("checkout", "-q", branch)
        eventually(lambda differing=differing: differing <= seen.paths)  # type: ignore[misc]
        assert seen.paths - differing <= {FILE}
