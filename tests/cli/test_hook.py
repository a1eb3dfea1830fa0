"""The hook on a real bare repository, with real pushes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

PROCESS = "title: T\nowners: [team]\ndefinition:\n  exec: /bin/a\n  timeout: 60\n"


class Pushed:
    """How a push ended, and what the pusher saw."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.taken = done.returncode == 0
        self.said = done.stderr


@pytest.fixture(params=["pre-receive", "update"])
def clone(request: pytest.FixtureRequest, repo: RepoBuilder, run: Run, tmp_path: Path) -> RepoBuilder:
    """A clone of a bare repository with the hook; two definitions have ids there."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a", PROCESS)
    repo.define("b", PROCESS)
    repo.commit("start")
    assert run("index", "-C", str(repo.root)).code == 0
    hub = tmp_path / "hub.git"
    repo.git("clone", "-q", "--bare", str(repo.root), str(hub))
    if request.param == "pre-receive":
        assert run("hook", "install", str(hub)).code == 0
    else:
        hook = hub / "hooks/update"
        hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m registry hook update "$@"\n')
        hook.chmod(0o755)
    repo.git("clone", "-q", str(hub), str(tmp_path / "clone"))
    return RepoBuilder.at(tmp_path / "clone", repo.clock + 10_000)


def push(clone: RepoBuilder, *words: str) -> Pushed:
    environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    return Pushed(subprocess.run(["git", "push", *words], cwd=clone.root, env=environment, capture_output=True, text=True, check=False))


def test_a_good_push_is_taken_and_its_meaning_shown(clone: RepoBuilder) -> None:
    clone.define("a", "id: 1\n" + PROCESS.replace("60", "30"))
    clone.define("new", PROCESS)
    clone.commit("lower, add")
    pushed = push(clone, "origin", "main")
    assert pushed.taken, pushed.said
    assert "1 definition changed, 1 added: 1 breaking, 1 safe." in pushed.said


def test_a_mistake_is_refused_with_file_line_and_hint(clone: RepoBuilder) -> None:
    clone.define("a", "id: 1\n" + PROCESS.replace("timeout", "timeuot"))
    clone.commit("mistake")
    pushed = push(clone, "origin", "main")
    assert not pushed.taken
    assert "definitions/process_definition/a.yaml:6:3: error S002" in pushed.said
    assert "did you mean `timeout`?" in pushed.said
    assert clone.git("ls-remote", "origin", "main").split()[0] == clone.git("rev-parse", "HEAD~1")
    clone.define("a", "id: 1\n" + PROCESS)
    clone.commit("mended")
    assert push(clone, "origin", "main").taken


def test_an_id_by_hand_and_a_forced_push_that_forgets_ids_are_refused(clone: RepoBuilder) -> None:
    clone.define("new", "id: 9\n" + PROCESS)
    clone.commit("by hand")
    pushed = push(clone, "origin", "main")
    assert (pushed.taken, "I030" in pushed.said) == (False, True)
    clone.git("reset", "-q", "--hard", "HEAD~2")
    clone.define("other", PROCESS)
    clone.commit("before ids were given")
    pushed = push(clone, "--force", "origin", "main")
    assert (pushed.taken, "I034" in pushed.said) == (False, True)


def test_giving_ids_is_let_through_but_not_a_ledger_that_lies(clone: RepoBuilder, run: Run) -> None:
    clone.define("new", PROCESS)
    clone.commit("add")
    assert push(clone, "origin", "main").taken
    assert run("index", "--push", "-C", str(clone.root)).code == 0
    clone.git("fetch", "-q")
    assert clone.git("rev-parse", "origin/main") != clone.git("rev-parse", "HEAD~1")
    clone.git("reset", "-q", "--hard", "origin/main")
    clone.define("more", PROCESS)
    clone.commit("more")
    assert run("index", "-C", str(clone.root)).code == 0
    path = clone.root / "definitions/process_definition/more.yaml"
    path.write_text(path.read_text().replace("id: 4", "id: 2"))
    clone.commit("lie")
    pushed = push(clone, "origin", "main")
    assert (pushed.taken, "more.yaml" in pushed.said) == (False, True)


def test_other_branches_pass_and_the_guarded_one_cannot_be_deleted(clone: RepoBuilder) -> None:
    clone.git("checkout", "-q", "-b", "draft")
    clone.define("a", "title: [")
    clone.commit("half done")
    assert push(clone, "origin", "draft").taken
    pushed = push(clone, "origin", ":main")
    assert not pushed.taken
    assert "cannot be deleted" in pushed.said or "refusing to delete" in pushed.said


def test_a_hook_that_is_there_stays(run: Run, repo: RepoBuilder, tmp_path: Path) -> None:
    hub = tmp_path / "hub.git"
    repo.git("init", "-q", "--bare", str(hub))
    hook = hub / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 0\n")
    assert run("hook", "install", str(hub)).code == 3
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"
    assert run("hook", "install", str(repo.root)).code == 2


def test_wrong_use_refuses_and_says_so(run: Run, repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(repo.root)
    assert run("hook", "update", "refs/heads/main").code == 2
    monkeypatch.chdir(tmp_path)
    assert run("hook", "update", "refs/heads/main", "0" * 40, "0" * 40).code == 2


def test_a_repository_without_definitions_at_its_top_is_told_of_not_passed_in_silence(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    repo.write("README.md", "no registry here\n")
    repo.commit("start")
    hub = tmp_path / "hub.git"
    repo.git("clone", "-q", "--bare", str(repo.root), str(hub))
    assert run("hook", "install", str(hub)).code == 0
    repo.git("remote", "add", "origin", str(hub))
    repo.write("README.md", "still none\n")
    repo.commit("edit")
    pushed = push(repo, "origin", "main")
    assert (pushed.taken, "there was nothing to check" in pushed.said) == (True, True)
