"""Publications to folders and branches that are killed, and what readers see meanwhile."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.client import RegistryClient
from registry.publish.hash_tree import ROOT_FILE, SIGNATURE_FILE
from tests.conftest import Run
from tests.support.publishing import change, files_and_root, publish, reading, signing_key
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S


def kill_beside_readers(
    repo: RepoBuilder, run: Run, target: str, folder: Path, kills: int, seed: int = 1
) -> int:
    """Kill publications of changes at random moments. Fails if a reader sees anything but whole states.

    `target` is `folder` or `git`; `folder` is an empty folder. Returns the number of publications that were
    killed before they were complete.
    """
    moments = random.Random(seed)
    www = folder / "www"
    place = f"folder:{www}" if target == "folder" else "git:pages"
    signing = signing_key(folder)
    sign = ("--sign", str(signing.key))
    command = [sys.executable, "-m", "registry", "publish", place, "-C", str(repo.root), *sign]
    publish(run, repo, place, *sign)
    change(repo, run, "Not interrupted")
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
    whole_s = time.monotonic() - started
    killed = 0
    reader = reading(www, signing.signers, folder / "cache") if target == "folder" else _nothing()
    with reader as readings:
        for number in range(kills):
            change(repo, run, f"Title {number}")
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
            # In the second half, on machines of any speed: Python needs the first one to start.
            time.sleep(whole_s * moments.uniform(0.4, 1.1))
            os.killpg(process.pid, signal.SIGKILL)
            killed += process.wait(PATIENCE_S) == -signal.SIGKILL
            if target == "git":
                _check_branch(repo, run, www, signing.signers, folder / "cache")
    assert readings is None or readings.faults == []
    publish(run, repo, place, *sign)
    if target == "git":
        repo.git("worktree", "add", "-q", "--detach", "--force", str(www), "pages")
        (www / ".git").unlink()
    clean = folder / "clean"
    publish(run, repo, f"folder:{clean}")
    assert _without_root(www) == _without_root(clean)
    return killed


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _without_root(folder: Path) -> dict[str, bytes]:
    """All files, but not the numbers of publications."""
    found = files_and_root(folder)
    return {path: data for path, data in found.items() if path not in (ROOT_FILE, SIGNATURE_FILE)}


def _check_branch(repo: RepoBuilder, run: Run, work: Path, signers: Path, cache: Path) -> None:
    """Check the objects, and what a host shows that checks the branch out."""
    repo.git("fsck", "--strict", "--no-dangling")
    repo.git("worktree", "add", "-q", "--detach", "--force", str(work), "pages")
    done = run("verify", str(work), "--allowed-signers", str(signers))
    assert done.code == 0, done.err
    with RegistryClient(work, cache=cache, verify=signers) as client:
        assert {one.name for one in client.all()} >= {"a", "b"}
    repo.git("worktree", "remove", "--force", str(work))
