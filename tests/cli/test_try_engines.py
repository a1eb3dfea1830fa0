"""`registry try` in the real sandbox."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.programs import usable_sandbox
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    usable_sandbox()


def test_the_examples_of_this_repository_pass(run: Run) -> None:
    done = run("try", "--all", "-C", str(ROOT))
    assert done.code == 0
    assert done.out.splitlines()[-1].startswith(
        "3 examples of 2 definitions, in a sandbox (bubblewrap): 2 passed"
    )


def test_more_folders_can_be_shown(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "word").write_text("a")
    example = "title: T\nowners: [t]\nexamples: [{title: one, output_text: a}]\n"
    repo.define("reads", f"{example}definition: {{exec: cat, argv: [{shown}/word]}}\n")
    assert run("try", "reads", "-C", str(repo.root)).code == 1
    assert run("try", "reads", "-C", str(repo.root), "--read", str(shown)).code == 0


def sleepers(seconds: str) -> list[str]:
    """The processes of this machine that sleep for a time that no other test uses."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:1] == [b"sleep"] and seconds.encode() in words:
            found.append(folder.name)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_program_ends_with_the_command(repo: RepoBuilder, tmp_path: Path, number: signal.Signals) -> None:
    seconds = f"6061{number:d}"
    script = f'trap "" TERM; setsid sleep {seconds} & sleep {seconds}'
    repo.define("slow", f"title: T\nowners: [t]\ndefinition: {{exec: sh, argv: ['-c', '{script}']}}\n")
    with subprocess.Popen(
        [sys.executable, "-m", "registry", "try", "slow", "--input", os.devnull, "-C", str(repo.root)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    ) as process:
        eventually(lambda: len(sleepers(seconds)) == 2, "the program")
        process.send_signal(number)
        process.wait(PATIENCE_S)
    eventually(lambda: sleepers(seconds) == [], "the end of the program")
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("registry-try-")] == []
