"""The CI files that `registry init --ci …` writes: their own commands are run, on a real change and on a real main."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from registry.scaffold import FORGES
from tests.conftest import Run
from tests.support.repo import RepoBuilder

# What belongs to a forge's machines, and not to us.
_NOT_OURS = ("pip install", "apt-get", "git remote set-url")


def commands(text: str, job: str) -> list[str]:
    """The shell commands of one job, those of the forge left out."""
    document: Any = YAML(typ="safe").load(text)
    if "jobs" in document:
        found = [step["run"] for step in document["jobs"][job]["steps"] if "run" in step]
    else:
        found = document[{"publish": "pages"}.get(job, job)]["script"]
    return [line for line in found if not line.startswith(_NOT_OURS)]


def run_as_ci(lines: list[str], folder: Path, published: Path) -> "subprocess.CompletedProcess[str]":
    script = "\n".join(lines).replace("${{ steps.pages.outputs.base_url }}", str(published))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder.parent), "GIT_CONFIG_GLOBAL": os.devnull,
        "GITHUB_BASE_REF": "main", "CI_DEFAULT_BRANCH": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_PAGES_URL": str(published),
    }  # fmt: skip
    return subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("forge", FORGES)
def test_its_commands_check_a_change_give_ids_on_main_and_build_the_site(forge: str, run: Run, tmp_path: Path) -> None:
    start, hub = tmp_path / "start", tmp_path / "hub.git"
    assert run("init", str(start), "--ci", forge).code == 0
    path, text = FORGES[forge]
    assert (start / path).read_text() == text
    repo = RepoBuilder.at(start, 1_700_000_000)
    repo.commit("start")
    repo.git("clone", "-q", "--bare", str(start), str(hub))

    def checkout(name: str, *options: str) -> RepoBuilder:
        repo.git("clone", "-q", *options, str(hub), str(tmp_path / name))
        return RepoBuilder.at(tmp_path / name, repo.clock)

    main = checkout("main")
    published = tmp_path / "published"
    published.mkdir()
    done = run_as_ci(commands(text, "publish"), main.root, published)
    assert done.returncode == 0, done.stderr
    assert (main.root / "site/api/process_definition/1/index.json").exists()
    assert repo.git("--git-dir", str(hub), "log", "-1", "--format=%s", "main") == "Give an id to example/upper-case"

    change = checkout("change")
    change.git("checkout", "-q", "-b", "change")
    change.define("good")
    change.commit()
    assert run_as_ci(commands(text, "check"), change.root, published).returncode == 0
    change.define("bad", "id: 7\ntitle: T\nowners: [t]\ndefinition: {exec: x}\n")
    change.commit()
    done = run_as_ci(commands(text, "check"), change.root, published)
    assert (done.returncode, "error I030" in done.stdout) == (1, True), done.stderr


def test_several_forges_at_once_and_one_that_is_not_known(run: Run, tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "both"), "--ci", "gitlab", "--ci", "forgejo").code == 0
    assert (tmp_path / "both/.gitlab-ci.yml").exists()
    assert not (tmp_path / "both/.github").exists()
    assert run("init", str(tmp_path / "none"), "--ci", "sourcehut").code == 2
    assert (tmp_path / "both/.gitattributes").read_text() == "definitions/ledger.jsonl -text\n"
