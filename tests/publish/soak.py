"""Many killed publications to a folder, a branch and a bucket: `python -m tests.publish.soak [--kills 50]`. Part of `make soak`."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import Outcome
from tests.publish.kills import kill_beside_readers
from tests.publish.test_object_store_engines import kill_publications
from tests.support.engines import object_gateway
from tests.support.publishing import new_registry
from tests.support.repo import RepoBuilder


def run(*words: str) -> Outcome:
    """Run a command as `registry …` does."""
    done = subprocess.run(
        [sys.executable, "-m", "registry", *words], capture_output=True, text=True, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def main() -> None:
    """Kill publications, and compare what readers see."""
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=50)
    kills = options.parse_args().kills
    for target in ("folder", "git"):
        with tempfile.TemporaryDirectory() as folder:
            repo = new_registry(RepoBuilder(Path(folder, "repo")), run)
            killed = kill_beside_readers(repo, run, target, Path(folder), kills)
        print(f"{target}: {killed} of {kills} publications killed", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory() as folder, object_gateway() as gateway:
        os.environ |= gateway.variables
        repo = new_registry(RepoBuilder(Path(folder, "repo")), run)
        answers = kill_publications(repo, run, gateway, Path(folder), kills)
        print(f"bucket: {kills} kills, {answers:,} consistent answers", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
