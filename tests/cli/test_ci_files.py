"""The CI files that `registry init --ci …` writes: their own commands are run, on a real change and on a real main."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from registry.scaffold import CI_FILES
from tests.conftest import Run
from tests.support.repo import RepoBuilder

ROOT = Path(__file__).parent.parent.parent
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
    script = script.replace("${{ github.event.pull_request.number }}", "12")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GITHUB_BASE_REF": "main",
        "CI_DEFAULT_BRANCH": "main",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PAGES_URL": str(published),
        "GITHUB_STEP_SUMMARY": str(folder.parent / "summary.md"),
        "CI_MERGE_REQUEST_IID": "12",
    }
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("forge", CI_FILES)
def test_its_commands_check_a_change_give_ids_on_main_and_build_the_site(
    forge: str, run: Run, tmp_path: Path
) -> None:
    start, hub = tmp_path / "start", tmp_path / "hub.git"
    assert run("init", str(start), "--ci", forge).code == 0
    for path, text in CI_FILES[forge].items():
        assert (start / path).read_text() == text
    text = next(iter(CI_FILES[forge].values()))
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
    assert (
        repo.git("--git-dir", str(hub), "log", "-1", "--format=%s", "main")
        == "Give an id to example/upper-case"
    )

    change = checkout("change")
    change.git("checkout", "-q", "-b", "change")
    change.define("good")
    change.commit()
    assert run_as_ci(commands(text, "review"), change.root, published).returncode == 0
    change.define("bad", "id: 7\ntitle: T\nowners: [t]\ndefinition: {exec: x}\n")
    change.commit()
    done = run_as_ci(commands(text, "review"), change.root, published)
    assert (done.returncode, "I030" in done.stdout) == (1, True), done.stderr
    assert json.loads((change.root / "review/review.json").read_text())["errors"] == 1


def test_several_forges_at_once_and_one_that_is_not_known(run: Run, tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "both"), "--ci", "gitlab", "--ci", "forgejo").code == 0
    assert (tmp_path / "both/.gitlab-ci.yml").exists()
    assert not (tmp_path / "both/.github").exists()
    assert run("init", str(tmp_path / "none"), "--ci", "sourcehut").code == 2
    assert (tmp_path / "both/.gitattributes").read_text() == "definitions/ledger.jsonl -text\n"


def checkout_of_change(repo: RepoBuilder, tmp_path: Path, *options: str) -> RepoBuilder:
    """A clone on a branch that lowers a time-out, of a repository that has moved on."""
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 60}\n")
    repo.commit("start")
    repo.git("checkout", "-q", "-b", "change")
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 6}\n")
    repo.commit("lower")
    repo.git("checkout", "-q", "main")
    repo.define("b")
    repo.commit("beside")
    repo.git("clone", "-q", *options, "--branch", "change", repo.root.as_uri(), str(tmp_path / "checkout"))
    return RepoBuilder.at(tmp_path / "checkout", repo.clock)


@pytest.mark.parametrize("options", [[], ["--depth=1"]])
def test_the_action_reviews_a_whole_and_a_shallow_checkout(
    repo: RepoBuilder, tmp_path: Path, options: list[str]
) -> None:
    clone = checkout_of_change(repo, tmp_path, *options)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "REGISTRY_BASE": "main",
        "REGISTRY_NUMBER": "12",
    }
    (tmp_path / "runner").mkdir()

    def action(**more: str) -> "subprocess.CompletedProcess[str]":
        script = ["bash", str(ROOT / "scripts/action")]
        return subprocess.run(
            script, cwd=clone.root, env=environment | more, capture_output=True, text=True, check=False
        )

    done = action()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::warning file=definitions/process_definition/a.yaml,line=3" in done.stdout
    assert "C140" in (tmp_path / "summary").read_text()
    report = Path((tmp_path / "output").read_text().removeprefix("report=").strip())
    assert "Preview of pull request 12" in (report / "preview-site/index.html").read_text()
    assert clone.git("rev-parse", "--is-shallow-repository") == ("true" if options else "false")
    assert action(REGISTRY_FAIL_ON="breaking").returncode == 1
    assert action(REGISTRY_BASE="$(touch pwned)").returncode == 2
    assert not list(tmp_path.rglob("pwned"))
    assert action(REGISTRY_BASE="").returncode == 2
    clone.define("a", "title: [")
    clone.commit("broken")
    broken = action()
    assert broken.returncode == 1
    assert "::error file=definitions/process_definition/a.yaml" in broken.stdout


def test_the_action_names_files_and_inputs_that_are_there() -> None:
    document: Any = YAML(typ="safe").load((ROOT / "action.yml").read_text())
    text = (ROOT / "action.yml").read_text()
    assert all(f"inputs.{name}" in text for name in document["inputs"])
    assert os.access(ROOT / "scripts/action", os.X_OK)
    # Text from outside reaches a script as a variable only.
    assert all("${{" not in step.get("run", "") for step in document["runs"]["steps"])


def test_gitlabs_file_runs_in_gitlab_ci_local(repo: RepoBuilder, tmp_path: Path) -> None:
    """The real file, through gitlab-ci-local with its shell executor; only `pip install` is that of this machine already."""
    clone = checkout_of_change(repo, tmp_path)
    clone.write(".gitlab-ci.yml", CI_FILES["gitlab"][".gitlab-ci.yml"])
    clone.commit("ci")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip").write_text("#!/bin/sh\nexit 0\n")
    (programs / "pip").chmod(0o755)
    tool = ROOT / "tests/support/node/node_modules/.bin/gitlab-ci-local"
    environment = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    variables = [
        "CI_PIPELINE_SOURCE=merge_request_event",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main",
        "CI_MERGE_REQUEST_IID=12",
    ]
    clone.git("remote", "set-url", "origin", repo.root.as_uri())

    def pipeline() -> "subprocess.CompletedProcess[str]":
        command = [
            str(tool),
            "--force-shell-executor",
            *[word for one in variables for word in ("--variable", one)],
            "review",
        ]
        return subprocess.run(
            command, cwd=clone.root, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    done = pipeline()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "C140" in done.stdout
    found = (
        next(iter(tmp_path.glob("checkout/.gitlab-ci-local/artifacts/*/review/gl-code-quality.json")), None)
        or clone.root / "review/gl-code-quality.json"
    )
    assert [issue["check_name"] for issue in json.loads(found.read_text())] == ["C140"]
    shutil.rmtree(clone.root / "review", ignore_errors=True)
    clone.define("a", "title: [")
    clone.commit("broken")
    broken = pipeline()
    assert broken.returncode != 0
    assert "a.yaml" in broken.stdout
