"""Publishing to another machine: a real sshd on this one, with rsync, and what readers of its folder see."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.errors import RefusedError
from registry.progress import silent
from registry.publish import plan_publication
from registry.publish.rsync import RsyncDestination
from registry.site import Site
from tests.conftest import Run
from tests.support.publishing import (
    build,
    change,
    files_in,
    index,
    page_of,
    publish,
    reading,
    shrink,
    signing_key,
)
from tests.support.repo import RepoBuilder
from tests.support.sshd import Sshd, sshd
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A running sshd."""
    with sshd(tmp_path_factory.mktemp("sshd") / "server") as running:
        yield running


@pytest.fixture
def place(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A target there, whose link is `www` in the test's folder."""
    monkeypatch.setenv("RSYNC_RSH", server.connect)
    return f"rsync:{server.host}:{tmp_path}/www"


def refused(run: Run, repo: RepoBuilder, target: str, *words: str) -> str:
    """Publish in vain; gives the exit code and the errors."""
    done = run("publish", target, "-C", str(repo.root), *words)
    assert done.code
    assert "Traceback" not in done.err
    return f"{done.code} {done.err}"


def generations(folder: Path) -> list[str]:
    """The names beside the link that are not hidden."""
    return sorted(one.name for one in (folder / ".www.generations").iterdir())


def test_only_changed_files_are_sent_and_the_last_three_publications_are_kept(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str
) -> None:
    first = publish(run, registry, place)
    assert (first["published"], first["sequence"]) == (True, 1)
    assert files_in(tmp_path / "www") == files_in(registry.root / "site")
    assert run("verify", str(tmp_path / "www")).code == 0
    assert publish(run, registry, place)["published"] is False
    page = page_of(tmp_path / "www", "b")
    before = page.stat()
    for number in range(2, 6):
        change(registry, run, f"Title {number}")
        build(registry, run, "--from-nothing")  # all files have new times
        done = publish(run, registry, place)
        assert done["sequence"] == number
        assert 0 < len(done["written"]) < done["files"]
        assert files_in(tmp_path / "www") == files_in(registry.root / "site")
    # The same file: caches of browsers and web servers stay valid.
    assert (page.stat().st_ino, page.stat().st_mtime) == (before.st_ino, before.st_mtime)
    assert page_of(tmp_path / "www").stat().st_nlink == 1
    assert generations(tmp_path) == ["000003", "000004", "000005"]
    assert run("verify", str(tmp_path / "www")).code == 0


def test_a_dry_run_changes_nothing(registry: RepoBuilder, run: Run, tmp_path: Path, place: str) -> None:
    done = run("publish", place, "-C", str(registry.root), "--dry-run")
    assert (done.code, "GitHub Pages: fits" in done.out) == (0, True), done.err
    assert not (tmp_path / "www").is_symlink()
    assert not (tmp_path / ".www.generations").exists()


def test_files_and_folders_that_the_site_lost_are_removed_and_come_back_with_a_rollback(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str
) -> None:
    publish(run, registry, place)
    first = files_in(tmp_path / "www")
    shrink(registry, run)
    assert publish(run, registry, place, "--allow-shrink")["removed"]
    assert files_in(tmp_path / "www") == files_in(registry.root / "site")
    assert folders_in(tmp_path / "www") == folders_in(registry.root / "site")
    back = publish(run, registry, place, "--rollback")
    assert (back["published"], back["sequence"]) == (True, 3)
    assert files_in(tmp_path / "www") == first
    assert run("verify", str(tmp_path / "www")).code == 0


def folders_in(folder: Path) -> set[str]:
    """All folders below a folder, without that of digests."""
    folder = folder.resolve()
    found = {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_dir()}
    return {path for path in found if not path.startswith("_registry")}


def test_a_rollback_needs_an_earlier_publication(registry: RepoBuilder, run: Run, place: str) -> None:
    publish(run, registry, place)
    assert "has no earlier publication" in refused(run, registry, place, "--rollback")


def test_what_would_lose_data_is_refused(registry: RepoBuilder, run: Run, tmp_path: Path, place: str) -> None:
    old = registry.git("rev-parse", "HEAD")
    for number in range(20):
        registry.define(f"many/n{number}")
    registry.commit()
    index(registry, run)
    publish(run, registry, place)
    shown = (tmp_path / "www").resolve()
    shrink(registry, run)
    assert "--allow-shrink" in refused(run, registry, place)
    build(registry, run, "--source", old)
    assert "ids would be lost" in refused(run, registry, place, "--allow-shrink")
    other = RepoBuilder(tmp_path / "other")
    for number in range(30):
        other.define(f"n{number}")
    other.commit()
    index(other, run)
    assert "another registry is published there" in refused(run, other, place)
    assert (tmp_path / "www").resolve() == shown


def test_files_of_others_are_never_touched(
    registry: RepoBuilder, run: Run, server: Sshd, tmp_path: Path, place: str
) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www/precious.txt").write_text("mine")
    assert refused(run, registry, place).startswith("3 ")
    assert (tmp_path / "www/precious.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    assert refused(run, registry, f"rsync:{server.host}:{tmp_path}/file").startswith("3 ")
    (tmp_path / "link").symlink_to("www")
    assert refused(run, registry, f"rsync:{server.host}:{tmp_path}/link").startswith("3 ")
    assert (tmp_path / "link").readlink() == Path("www")
    built = refused(run, registry, f"rsync:{server.host}:{registry.root}/site")
    assert "is the output of `registry build`" in built
    (tmp_path / "www/precious.txt").unlink()
    assert publish(run, registry, place)["published"]  # an empty folder is nothing that can be lost


def test_a_damaged_publication_is_reported_and_kept(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str
) -> None:
    publish(run, registry, place)
    (tmp_path / "www/_registry/tree/7f").unlink()
    change(registry, run, "Another title")
    assert "is not a complete publication: _registry/tree/7f is missing" in refused(run, registry, place)
    (tmp_path / "www/_registry/tree/7f").write_text(f"{'0' * 64} 1 ../../precious.txt\n")
    assert "a leaf lists '../../precious.txt'" in refused(run, registry, place)


def test_a_publication_is_signed(registry: RepoBuilder, run: Run, tmp_path: Path, place: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"ci@example.org {(tmp_path / 'key.pub').read_text()}")
    publish(run, registry, place)
    sign = ("--sign", str(tmp_path / "key"))
    assert publish(run, registry, place, *sign)["sequence"] == 2
    assert publish(run, registry, place, *sign)["published"] is False
    verify = ("verify", str(tmp_path / "www"), "--allowed-signers", str(signers))
    assert run(*verify).code == 0
    change(registry, run, "Another title")
    publish(run, registry, place)
    assert "is not signed" in run(*verify).err


@pytest.mark.parametrize("name", ["my site", 'it\'s $HOME `id` "x" \\', "-rf", "sité:x", ":80"])
def test_any_printable_path_works(
    registry: RepoBuilder, run: Run, server: Sshd, tmp_path: Path, place: str, name: str
) -> None:
    del place
    folder = tmp_path / name
    target = f"rsync:{server.host}:{folder}/{name}"
    publish(run, registry, target)
    change(registry, run, "Another title")
    publish(run, registry, target)
    assert files_in(folder / name) == files_in(registry.root / "site")
    assert publish(run, registry, target, "--rollback")["sequence"] == 3


def test_a_relative_path_starts_in_the_home_folder(
    registry: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    with sshd(
        tmp_path / "server", [f'ForceCommand cd {tmp_path}/home && eval "$SSH_ORIGINAL_COMMAND"']
    ) as one:
        monkeypatch.setenv("RSYNC_RSH", one.connect)
        publish(run, registry, f"rsync:{one.host}:~/-www")
    assert files_in(tmp_path / "home/-www") == files_in(registry.root / "site")


def test_posix_programs_and_rsync_are_enough(
    registry: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = [
        "cat",
        "cmp",
        "expr",
        "find",
        "ln",
        "ls",
        "mkdir",
        "mv",
        "ps",
        "printf",
        "rm",
        "rmdir",
        "sed",
        "sh",
        "sleep",
        "uname",
        "wc",
        "rsync",
    ]
    (tmp_path / "bin").mkdir()
    for name in programs:
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    with sshd(tmp_path / "server", [f"SetEnv PATH={tmp_path}/bin POSIXLY_CORRECT=1"]) as one:
        monkeypatch.setenv("RSYNC_RSH", one.connect)
        target = f"rsync:{one.host}:{tmp_path}/www"
        for number in range(5):
            change(registry, run, f"Title {number}")
            publish(run, registry, target)
        publish(run, registry, target, "--rollback")
        (tmp_path / "bin/rsync").unlink()
        change(registry, run, "Another title")
        assert "a program is missing on 127.0.0.1" in refused(run, registry, target)
        assert run("verify", str(tmp_path / "www")).code == 0


def test_each_failed_connection_is_one_line(
    registry: RepoBuilder,
    run: Run,
    server: Sshd,
    tmp_path: Path,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")]
    subprocess.run(key, check=True)

    def error_with(connect: str, target: str = place) -> str:
        monkeypatch.setenv("RSYNC_RSH", connect)
        found = refused(run, registry, target)
        assert found.count("\n") == 2, found  # the error and its hint
        return found

    assert "Connection refused" in error_with(server.connect.replace(f"-p {server.port}", "-p 1"))
    stranger = server.connect.replace(f"-i {server.folder}/key", f"-i {tmp_path}/other")
    assert "does not accept the login" in error_with(stranger)
    unknown = server.connect.replace("known_hosts", "no_hosts")
    assert "Host key verification failed" in error_with(unknown)
    assert "no-such-program is not installed" in error_with("no-such-program")
    assert "RSYNC_RSH is not a command" in error_with("ssh '")
    nowhere = place.replace(server.host, "no-such-host.invalid")
    assert "the connection to no-such-host.invalid failed" in error_with(server.connect, nowhere)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "ssh is not installed" in error_with("ssh")


def test_a_full_disk_and_a_missing_permission_are_one_line(
    registry: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("rsync")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/rsync"
    with sshd(tmp_path / "server", [f"SetEnv PATH={tmp_path}/bin:/usr/bin:/bin"]) as one:
        monkeypatch.setenv("RSYNC_RSH", one.connect)
        target = f"rsync:{one.host}:{tmp_path}/www"
        publish(run, registry, target)
        change(registry, run, "Another title")
        # The words of the real one, which nobody can make fail here without a disk of one's own.
        for words, expected in (
            ("write failed: No space left on device (28)", "the disk of 127.0.0.1 is full"),
            ('mkstemp "/x" failed: Permission denied (13)', "no permission on 127.0.0.1: rsync: mkstemp"),
        ):
            fake.write_text(
                f"#!/bin/sh\ncase $* in *--server*) echo 'rsync: {words}' >&2; exit 11;; esac\nexec {real} \"$@\"\n"
            )
            fake.chmod(0o755)
            assert expected in refused(run, registry, target)
            assert run("verify", str(tmp_path / "www")).code == 0
        fake.unlink()
        assert publish(run, registry, target)["published"]


def hold(registry: RepoBuilder, place: str) -> "subprocess.Popen[bytes]":
    """Start a publication that stops after it took the lock."""
    code = (
        "import sys; from registry.publish.rsync import RsyncDestination as R\n"
        "from registry.publish import plan_publication; from registry.site import Site; from pathlib import Path\n"
        "from registry.load.settings import remote_shell; from registry.publish.ssh_host import SshHost\n"
        "def wait(*_): print('holds', flush=True); sys.stdin.read(); sys.exit(9)\n"
        "SshHost.send = wait; d = R(sys.argv[1], remote_shell()); n = lambda *_: None\n"
        "p = plan_publication(Site(Path(sys.argv[2])), d, n); d.publish(p.publication, p.changes, n)\n"
    )
    command = [sys.executable, "-c", code, place.removeprefix("rsync:"), str(registry.root / "site")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"holds\n"
    return process


def test_one_publishes_at_a_time_and_a_lock_ends_with_its_owner(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run, registry, place)
    change(registry, run, "Another title")
    monkeypatch.setattr("registry.publish.rsync._LOCK_TIMEOUT_S", 1)
    owner = hold(registry, place)
    assert f"is being published by process {owner.pid} on" in refused(run, registry, place)
    os.killpg(owner.pid, signal.SIGKILL)
    owner.communicate()
    eventually(lambda: not (tmp_path / ".www.generations/lock").exists(), "the end of the lock")
    assert publish(run, registry, place)["sequence"] == 2
    assert generations(tmp_path) == ["000001", "000002"]


def test_a_lock_whose_process_is_gone_is_taken_over(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(run, registry, place)
    change(registry, run, "Another title")
    process = subprocess.Popen(["true"])
    process.wait()
    lock = tmp_path / ".www.generations/lock"
    monkeypatch.setattr("registry.publish.rsync._LOCK_TIMEOUT_S", 1)
    lock.write_text(f"{process.pid} another-machine 0123abcd process 7 on laptop, since 10:00:00 UTC\n")
    assert "is being published by process 7 on laptop, since 10:00:00 UTC" in refused(run, registry, place)
    lock.write_text(f"{process.pid} {os.uname().nodename} 0123abcd process 7 on laptop, since 10:00:00 UTC\n")
    assert publish(run, registry, place)["sequence"] == 2
    assert generations(tmp_path) == ["000001", "000002"]


def test_what_was_published_meanwhile_is_not_overwritten(
    registry: RepoBuilder, run: Run, server: Sshd, tmp_path: Path, place: str
) -> None:
    publish(run, registry, place)
    change(registry, run, "Second")
    mine = RsyncDestination(place.removeprefix("rsync:"), server.connect.split())
    plan = plan_publication(Site(registry.root / "site"), mine, silent)
    assert plan.publication is not None
    change(registry, run, "Third")
    publish(run, registry, place)
    with pytest.raises(RefusedError, match="was published by another since it was read"):
        mine.publish(plan.publication, plan.changes, silent)
    assert "Third" in page_of(tmp_path / "www").read_text()


def test_generations_that_were_never_shown_are_not_rolled_back_to(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str
) -> None:
    publish(run, registry, place)
    first = files_in(tmp_path / "www")
    # As after a kill just before the link is replaced.
    shutil.copytree(tmp_path / ".www.generations/000001", tmp_path / ".www.generations/000002")
    (tmp_path / ".www.generations/000002/index.html").write_text("never shown")
    change(registry, run, "Another title")
    publish(run, registry, place)
    publish(run, registry, place, "--rollback")
    assert files_in(tmp_path / "www") == first


_SLOW_CONNECTION = """
import os, socket, sys, threading, time
there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def back():
    while data := there.recv(65536):
        os.write(1, data)
threading.Thread(target=back, daemon=True).start()
while data := os.read(0, 1024):
    there.sendall(data)
    time.sleep(0.02)
"""


def sent_files(folder: Path) -> dict[str, int]:
    """The inodes of the files that an unfinished publication has there, by path."""
    found = {}
    for tree in (folder / ".www.generations").glob("*.next"):
        for one in tree.rglob("[!.]*"):
            if one.is_file() and "_registry" not in one.parts:
                found[one.relative_to(tree).as_posix()] = one.stat().st_ino
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_publication_continues_with_the_files_that_were_sent(
    registry: RepoBuilder,
    run: Run,
    tmp_path: Path,
    server: Sshd,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    how: signal.Signals,
) -> None:
    proxy = tmp_path / "proxy.py"
    proxy.write_text(_SLOW_CONNECTION)
    monkeypatch.setenv("RSYNC_RSH", f"{server.connect} -o 'ProxyCommand={sys.executable} {proxy} %h %p'")
    command = [sys.executable, "-m", "registry", "publish", place, "-C", str(registry.root)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    eventually(lambda: len(sent_files(tmp_path)) > 10, "a part of the site")
    os.killpg(process.pid, how)
    assert process.wait(PATIENCE_S) == (130 if how == signal.SIGINT else -how)
    monkeypatch.setenv("RSYNC_RSH", server.connect)
    eventually(lambda: not (tmp_path / ".www.generations/lock").exists(), "the end of the lock")
    sent = sent_files(tmp_path)
    assert 10 < len(sent) < len(files_in(registry.root / "site"))
    assert not (tmp_path / "www").is_symlink()
    change(registry, run, "Changed in the meantime")
    assert publish(run, registry, place)["sequence"] == 1
    now = {path: (tmp_path / "www" / path).stat().st_ino for path in sent}
    assert len(set(now.items()) & set(sent.items())) > len(sent) / 2  # most did not change
    assert files_in(tmp_path / "www") == files_in(registry.root / "site")
    assert generations(tmp_path) == ["000001"]


def test_a_reader_never_sees_half_while_publications_are_killed(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str
) -> None:
    www = tmp_path / "www"
    signing = signing_key(tmp_path)
    sign = ("--sign", str(signing.key))
    publish(run, registry, place, *sign)
    command = [sys.executable, "-m", "registry", "publish", place, "-C", str(registry.root), *sign]
    change(registry, run, "Not interrupted")
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
    whole_s = time.monotonic() - started
    with reading(www, signing.signers, tmp_path / "cache") as readings:
        for number in range(5):
            change(registry, run, f"Title {number}")
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
            time.sleep(whole_s * (0.2 + 0.15 * number))  # in the middle, on machines of any speed
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_S)
        publish(run, registry, place, *sign)
    assert readings.faults == []
    assert files_in(www) == files_in(registry.root / "site")
    assert folders_in(www) == folders_in(registry.root / "site")
