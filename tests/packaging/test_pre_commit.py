"""The hook, with the real pre-commit: it installs this project and refuses a commit with a mistake."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.repo import RepoBuilder

ROOT = Path(__file__).parent.parent.parent


def test_pre_commit_refuses_a_mistake_and_lets_a_good_commit_through(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    # A copy of the project as its users get it, by commit.
    ours = tmp_path / "ours"
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "registry",
            "schema",
            "site_templates",
            "docs/rules.md",
            "README.md",
            "LICENSE",
            "pyproject.toml",
            ".pre-commit-hooks.yaml",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in listed.split("\0")[:-1]:
        if (ROOT / name).exists():
            (ours / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, ours / name)
    project = RepoBuilder(ours)
    revision = project.commit("ours")
    hook = f"repos:\n- repo: {ours}\n  rev: {revision}\n  hooks:\n  - id: registry-check\n"
    repo.write(".pre-commit-config.yaml", hook)
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: x, args: []}\n")
    repo.git("add", "-A")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PIP_CONSTRAINT": str(ROOT / "requirements-dev.lock"),
        **{key: value for key, value in os.environ.items() if key.startswith("PIP_")},
    }

    def pre_commit() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "pre_commit", "run", "--color", "never"]
        return subprocess.run(
            command, cwd=repo.root, env=environment, capture_output=True, text=True, check=False
        )

    refused = pre_commit()
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "a.yaml:3:23: error S002: unknown key `args`" in refused.stdout
    repo.define("a")
    repo.git("add", "-A")
    passed = pre_commit()
    assert (passed.returncode, "Passed" in passed.stdout) == (0, True), passed.stdout + passed.stderr
