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
    return Pushed(
        subprocess.run(
            ["git", "push", *words],
            cwd=clone.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    )


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
    assert (pushed.taken, "force pushes are refused" in pushed.said) == (False, True)


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


def test_wrong_use_refuses_and_says_so(
    run: Run, repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(repo.root)
    assert run("hook", "update", "refs/heads/main").code == 2
    monkeypatch.chdir(tmp_path)
    assert run("hook", "update", "refs/heads/main", "0" * 40, "0" * 40).code == 2


@pytest.fixture
def hub(repo: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A bare repository without a hook; `repo` has it as `origin`."""
    repo.write("reg/registry.yaml", "registry_id: registry-1\n")
    repo.write("reg/definitions/process_definition/a.yaml", PROCESS)
    repo.write("README.md", "code and a registry\n")
    repo.commit("start")
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "hub.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    return RepoBuilder.at(tmp_path / "hub.git", repo.clock)


def test_a_registry_in_a_subfolder_is_guarded_there_and_nothing_passes_unchecked(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    refused = run("hook", "install", str(hub.root))
    assert (refused.code, "has no definitions/" in refused.err, "--folder reg" in refused.err) == (
        2,
        True,
        True,
    )
    for wrong in ("/reg", "../reg", "reg/.."):
        assert run("hook", "install", str(hub.root), "--folder", wrong).code == 2
    outcome = run("hook", "install", str(hub.root), "--folder", "reg/")
    assert (outcome.code, "refs/heads/main" in outcome.out, "reg/" in outcome.out) == (0, True, True), (
        outcome.err
    )
    path = repo.write("reg/definitions/process_definition/b.yaml", "title: [")
    repo.commit("mistake")
    pushed = push(repo, "origin", "main")
    assert (pushed.taken, "definitions/process_definition/b.yaml" in pushed.said) == (False, True)
    path.write_text(PROCESS)
    repo.commit("mended")
    assert push(repo, "origin", "main").taken
    assert run("index", "--push", "-C", str(repo.root / "reg")).code == 0
    assert hub.git("rev-parse", "main") == hub.git("rev-parse", "refs/registry/high-water")
    repo.git("mv", "reg", "elsewhere")
    repo.commit("moved away")
    pushed = push(repo, "origin", "main")
    assert (pushed.taken, "it cannot be checked" in pushed.said, "--folder FOLDER" in pushed.said) == (
        False,
        True,
        True,
    )


def test_install_keeps_its_options_and_replaces_its_own_hook_alone(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    hub.git("branch", "release")
    words = ("hook", "install", str(hub.root), "--folder", "reg")
    assert run(*words).code == 0
    outcome = run(*words, "--branch", "release", "--fail-on", "breaking", "--max-id-gap", "7")
    assert (outcome.code, "refs/heads/release" in outcome.out) == (0, True), outcome.err
    script = hub.root / "hooks/pre-receive"
    assert "--branch refs/heads/release --folder reg --max-id-gap 7 --fail-on breaking" in script.read_text()
    repo.write("reg/definitions/process_definition/a.yaml", PROCESS.replace("60", "30"))
    repo.commit("breaking")
    assert push(repo, "origin", "HEAD:main").taken
    pushed = push(repo, "origin", "HEAD:release")
    assert (pushed.taken, "breaking" in pushed.said) == (False, True)
    script.write_text(script.read_text() + "echo mine\n")
    assert run(*words).code == 3
    assert "echo mine" in script.read_text()
    script.write_text(
        f"#!/bin/sh\n# Refuses a push that would break the registry.\nexec {sys.executable} -m registry hook pre-receive \n"
    )
    assert run(*words).code == 0  # what an earlier version wrote


def test_install_refuses_where_the_hook_would_guard_nothing(
    hub: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    words = ("hook", "install", str(hub.root), "--folder", "reg")
    hub.git("symbolic-ref", "HEAD", "refs/heads/master")
    outcome = run(*words)
    assert (
        outcome.code,
        "HEAD refers to refs/heads/master, which does not exist" in outcome.err,
        "main" in outcome.err,
    ) == (2, True, True)
    assert run(*words, "--branch", "refs/tags/x").code == 2
    assert run(*words, "--branch", "a..b").code == 2
    soon = run(*words, "--branch", "soon")
    assert (soon.code, "does not exist yet" in soon.err) == (0, True)
    hub.git("config", "core.hooksPath", str(tmp_path))
    outcome = run(*words, "--branch", "main")
    assert (outcome.code, "core.hooksPath" in outcome.err) == (2, True)


def test_a_tag_of_the_branchs_name_changes_nothing(hub: RepoBuilder, repo: RepoBuilder, run: Run) -> None:
    assert run("hook", "install", str(hub.root), "--folder", "reg").code == 0
    repo.git("tag", "main")
    assert push(repo, "origin", "refs/tags/main").taken
    repo.write("reg/definitions/process_definition/b.yaml", "title: [")
    repo.commit("mistake")
    assert not push(repo, "origin", "HEAD:refs/heads/main").taken


def test_a_hook_that_cannot_check_refuses_and_names_the_repair(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    assert run("hook", "install", str(hub.root), "--folder", "reg").code == 0
    repo.write("reg/definitions/process_definition/b.yaml", PROCESS)
    repo.commit("good")
    script = hub.root / "hooks/pre-receive"
    text = script.read_text()
    script.write_text(text.replace(sys.executable, "/nowhere/python"))
    pushed = push(repo, "origin", "main")
    assert (
        pushed.taken,
        "/nowhere/python does not run process-registry" in pushed.said,
        "Repair it" in pushed.said,
    ) == (False, True, True)
    # The check is killed, for want of memory.
    killed = repo.write(
        "../killed", '#!/bin/sh\ncase "$*" in *"import registry"*) exit 0;; *) exit 137;; esac\n'
    )
    killed.chmod(0o755)
    script.write_text(text.replace(sys.executable, str(killed)))
    pushed = push(repo, "origin", "main")
    assert (pushed.taken, "the check ended with status 137" in pushed.said, "Repair it" in pushed.said) == (
        False,
        True,
        True,
    )
    # What the branch is at now is damaged.
    script.write_text(text)
    tree = hub.git("rev-parse", "main:reg")
    damaged = hub.root / "objects" / tree[:2] / tree[2:]
    damaged.unlink()
    pushed = push(repo, "origin", "main")
    assert (pushed.taken, "it cannot be checked" in pushed.said, "git fsck" in pushed.said) == (
        False,
        True,
        True,
    ), pushed.said


def test_files_of_the_repository_replace_no_module_of_the_program(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    assert run("hook", "install", str(hub.root), "--folder", "reg").code == 0
    for name in ("registry.py", "click.py", "json.py"):
        (hub.root / name).write_text("raise SystemExit(0)\n")
    repo.write("reg/definitions/process_definition/b.yaml", "title: [")
    repo.commit("mistake")
    assert not push(repo, "origin", "main").taken


def test_a_pusher_who_goes_away_is_refused_all_the_same(hub: RepoBuilder, repo: RepoBuilder) -> None:
    old = hub.git("rev-parse", "main")
    repo.write("reg/definitions/process_definition/b.yaml", "title: [")
    new = repo.commit("mistake")
    hub.git("fetch", "-q", str(repo.root), "HEAD")
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-I", "-m", "registry", "hook", "pre-receive", "--folder", "reg"]
    line = f"{old} {new} refs/heads/main\n"
    done = subprocess.run(
        words, cwd=hub.root, input=line, text=True, stdout=writing, stderr=writing, check=False
    )
    os.close(writing)
    assert done.returncode != 0


def test_a_push_does_not_excuse_its_own_credential(clone: RepoBuilder) -> None:
    clone.write("registry.yaml", "registry_id: registry-1\nrules: {X001: ignore}\n")
    clone.define("a", "id: 1\n" + PROCESS + "  environment: {DB_PASSWORD: kXq9Lr2vTz81Wm4p}\n")
    clone.commit("both")
    pushed = push(clone, "origin", "main")
    assert (pushed.taken, "error X001" in pushed.said, "kXq9Lr2vTz81Wm4p" in pushed.said) == (
        False,
        True,
        False,
    ), pushed.said
    clone.define("a", "id: 1\n" + PROCESS)
    clone.commit("the settings alone")
    pushed = push(clone, "origin", "main")
    assert pushed.taken, pushed.said
    assert "C202 /rules/X001: setting relaxed" in pushed.said
