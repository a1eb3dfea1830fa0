"""An indexer that is killed, and the next one: whatever step it was, the next run needs no help."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from registry.ids import parse_ledger_files, verify
from registry.indexing.indexer import index
from registry.load.kinds import load_kinds
from registry.load.ledger_files import read_ledger_files
from registry.load.loader import load_definitions
from registry.load.source import open_source
from tests.histories.killed import MODES, STEPS
from tests.support.repo import RepoBuilder

ALL = [
    (mode, step, count)
    for mode, steps in STEPS.items()
    for step in steps
    for count in (range(1, 8) if mode == "files" else (1,))
]


def kill_and_go_on(folder: Path, mode: str, step: str, count: int, seed: int) -> None:
    """A registry with some history, an indexer that is killed, and a second one."""
    chance = random.Random(seed)
    repo = RepoBuilder(folder / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    for number in range(chance.randrange(1, 4)):
        repo.define(f"old-{number}")
    repo.commit()
    hub = folder / "hub.git"
    repo.git("clone", "-q", "--bare", str(repo.root), str(hub))
    repo.git("remote", "add", "origin", str(hub))
    index(repo.root, MODES["push"])
    (repo.root / "definitions/process_definition/old-0.yaml").rename(
        repo.root / "definitions/process_definition/renamed.yaml"
    )
    for number in range(3):
        repo.define(f"new-{number}")
    base = repo.commit()
    repo.git("push", "-q", "origin", "main")
    command = [sys.executable, "-m", "tests.histories.killed", str(repo.root), mode, step, str(count)]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    if step == "branch moved":
        # The ids are on the branch; the next run lets the files follow.
        assert repo.git("rev-parse", "HEAD^") == base
    elif mode != "files":
        # The old state or the new one, for everybody who looks.
        assert repo.git("status", "--porcelain") == ""
        assert repo.git("rev-parse", "HEAD^") == base or repo.git("rev-parse", "HEAD") == base
    index(repo.root, MODES[mode])
    assert mode == "files" or repo.git("status", "--porcelain") == ""
    source = open_source(repo.root)
    settings = source.settings
    ledger, problems = parse_ledger_files(read_ledger_files(source), settings.registry_id)
    definitions = load_definitions(source, load_kinds(source)[0]).definitions
    assert (problems, verify(definitions, ledger)) == ((), ())
    assert len({one.id for one in definitions}) == len(definitions)
    assert None not in {one.id for one in definitions}
    if mode == "push":
        assert repo.git("rev-parse", "HEAD") == repo.git("--git-dir", str(hub), "rev-parse", "main")
        assert repo.git("rev-parse", "HEAD") == repo.git(
            "--git-dir", str(hub), "rev-parse", "refs/registry/high-water"
        )
    shutil.rmtree(folder)
