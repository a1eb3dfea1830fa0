"""Which repository is read: git's own, and never one that a change brings as ordinary files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry.errors import RefusedError, UsageError
from registry.git import git_directories_in, location, open_repository
from tests.conftest import Run
from tests.support.repo import PROCESS, RepoBuilder

COMMANDS = (
    ["check"],
    ["check", "--base", "main"],
    ["check", "--changed"],
    ["review", "--base", "main"],
    ["diff", "main"],
    ["list"],
    ["show", "a"],
    ["log", "a"],
    ["blame", "a"],
    ["build"],
    ["index"],
    ["ids"],
    ["changelog"],
    ["schema", "process_definition"],
    ["new", "process_definition", "b"],
    ["nginx"],
)


@pytest.fixture
def nested(repo: RepoBuilder) -> RepoBuilder:
    """A registry in `reg/`; a branch replaces a program, where `main` has the old one."""
    define(repo, "a", "id: 1\n" + PROCESS.format(title="A", name="good"))
    repo.write("reg/registry.yaml", "registry_id: registry-1\n")
    repo.commit()
    repo.git("checkout", "-q", "-b", "change")
    define(repo, "a", "id: 77\n" + PROCESS.format(title="A", name="evil"))
    repo.commit()
    return repo


def define(repo: RepoBuilder, name: str, text: str) -> None:
    repo.write(f"reg/definitions/process_definition/{name}.yaml", text)


def embed(repo: RepoBuilder, folder: str, config: str = "[core]\n\tbare = false\n\tworktree = .\n") -> None:
    """Let `folder` hold a git directory as ordinary files, in which HEAD has what is in the work tree; commit it."""
    inner = repo.root.parent / "inner"
    shutil.rmtree(inner, ignore_errors=True)
    shutil.copytree(repo.root / "reg", inner)
    other = RepoBuilder(inner)
    other.commit()
    target = repo.root / folder
    target.mkdir(parents=True, exist_ok=True)
    for name in ("HEAD", "objects", "refs", "index"):
        source = inner / ".git" / name
        shutil.copytree(source, target / name) if source.is_dir() else shutil.copyfile(source, target / name)
    (target / "config").write_text(config)
    (target / "refs/tags/keep").write_text(other.git("rev-parse", "HEAD") + "\n")
    repo.commit("bring a git directory")


def test_a_git_directory_among_the_files_is_refused_by_every_command(
    nested: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    embed(nested, "reg")
    nested.git("clone", "-q", str(nested.root), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone/reg")
    for words in COMMANDS:
        for more in ([], ["-C", "."], ["-C", str(tmp_path / "clone/reg")]):
            outcome = run(*words, *more)
            assert (outcome.code, "reg/HEAD" in outcome.err) == (3, True), (words, more, outcome.err)


@pytest.mark.parametrize(
    "here", ["reg/definitions", "reg/definitions/process_definition", "reg/deeper/still"]
)
@pytest.mark.parametrize("place", ["reg", "."])
def test_also_from_a_deeper_folder(
    place: str, here: str, nested: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed(nested, place)
    (nested.root / here).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(nested.root / here)
    outcome = run("review", "--base", "main")
    assert (
        outcome.code,
        f"{nested.root / place / 'HEAD'}: the files here look like a git directory" in outcome.err,
    ) == (3, True)


def test_also_where_only_the_folder_of_the_caller_is_in_one(
    nested: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed(nested, "reg/definitions/x.git")
    monkeypatch.chdir(nested.root / "reg/definitions/x.git/refs")
    outcome = run("check")
    assert (outcome.code, "x.git/HEAD" in outcome.err) == (3, True)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[core]\n\tbare = true\n",
        "[include]\n\tpath = more\n[core]\n\tworktree = ..\n",
        "no config at all[",
    ],
)
def test_whatever_its_settings_say(config: str, nested: RepoBuilder, run: Run) -> None:
    embed(nested, "reg", config)
    assert run("review", "--base", "main", "-C", str(nested.root / "reg")).code == 3


def test_one_that_shares_the_objects_of_another_folder_is_refused(nested: RepoBuilder, run: Run) -> None:
    embed(nested, "store")
    nested.write("reg/HEAD", "ref: refs/heads/main\n")
    nested.write("reg/commondir", "../store\n")
    nested.commit()
    assert run("review", "--base", "main", "-C", str(nested.root / "reg")).code == 3


def test_a_file_git_that_leads_to_tracked_files_is_refused(nested: RepoBuilder, run: Run) -> None:
    embed(nested, "reg/innocent")
    (nested.root / "reg/.git").write_text("gitdir: innocent\n")
    for words in (["check"], ["review", "--base", "main"]):
        outcome = run(*words, "-C", str(nested.root / "reg"))
        assert (outcome.code, "reg/innocent/HEAD" in outcome.err) == (3, True), outcome.err
    (nested.root / "reg/.git").unlink()
    (nested.root / "reg/.git").symlink_to("innocent", target_is_directory=True)
    assert run("check", "-C", str(nested.root / "reg")).code == 3


def test_a_plain_change_in_a_subfolder_is_reviewed(
    nested: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(nested.root / "reg")
    outcome = run("review", "--base", "main")
    assert (outcome.code, "77" in outcome.out) == (1, True), outcome.out


def test_a_bare_repository_is_used_only_where_it_is_named(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repo.define("a")
    repo.commit()
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "bare.git"))
    monkeypatch.chdir(tmp_path / "bare.git")
    outcome = run("list", "--source", "main")
    assert (outcome.code, "only if -C names it" in outcome.err) == (2, True)
    assert run("list", "--source", "main", "-C", ".").code == 0
    assert run("list", "--source", "main", "-C", str(tmp_path / "bare.git")).code == 0
    inside = run("list", "--source", "main", "-C", "refs")
    assert (inside.code, "inside the bare repository" in inside.err) == (2, True)


def test_the_git_directory_of_a_work_tree_is_not_a_registry(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    for folder in (".git", ".git/refs"):
        outcome = run("list", "--source", "main", "-C", str(repo.root / folder))
        assert (outcome.code, f"name the work tree: {repo.root}" in outcome.err) == (2, True)


def test_work_trees_submodules_and_separate_git_directories_work(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.commit()
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    outer = RepoBuilder(tmp_path / "outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo.root), "sub")
    outer.commit()
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "project/.bare"))
    (tmp_path / "project/.git").write_text("gitdir: ./.bare\n")
    RepoBuilder.at(tmp_path / "project", 0).git("worktree", "add", "-q", "main")
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "hub.git"))
    RepoBuilder.at(tmp_path / "hub.git", 0).git("worktree", "add", "-q", "inside", "main")
    repo.git(
        "clone",
        "-q",
        "--separate-git-dir",
        str(tmp_path / "elsewhere"),
        str(repo.root),
        str(tmp_path / "separate"),
    )
    (tmp_path / "link").symlink_to(repo.root)
    for folder in ("linked", "outer/sub", "project/main", "hub.git/inside", "separate", "link"):
        for words in (["log", "a"], ["check", "--changed"], ["index"]):
            outcome = run(*words, "-C", str(tmp_path / folder))
            assert outcome.code == 0, (folder, words, outcome.err)
    assert run("list", "--source", "main", "-C", str(tmp_path / "project/.bare")).code == 0


def test_settings_do_not_move_the_work_tree(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit()
    repo.define("b")
    for settings in ({"core.bare": "true"}, {"core.worktree": str(tmp_path)}):
        for name, value in settings.items():
            repo.git("config", name, value)
        repository = open_repository(repo.root)
        assert repository is not None
        assert (repository.top, set(repository.changed_paths("definitions"))) == (
            repo.root,
            {"definitions/process_definition/b.yaml"},
        )
        for name in settings:
            repo.git("config", "--unset", name)


def test_variables_that_lead_elsewhere_do_not(
    nested: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = RepoBuilder(tmp_path / "other")
    other.define("z")
    other.commit()
    names = {
        "GIT_DIR": ".git",
        "GIT_WORK_TREE": "",
        "GIT_COMMON_DIR": ".git",
        "GIT_OBJECT_DIRECTORY": ".git/objects",
        "GIT_INDEX_FILE": ".git/index",
    }
    for name, value in names.items():
        monkeypatch.setenv(name, str(other.root / value))
        outcome = run("review", "--base", "main", "-C", str(nested.root / "reg"))
        assert (outcome.code, "77" in outcome.out) == (1, True), name


def test_git_is_asked_once_and_told_the_directories_afterwards(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit()
    repo.git("tag", "t")
    repo.define("b")
    repo.commit()
    asked = tmp_path / "asked"
    real = shutil.which("git")
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >>{asked}\nexec {real} "$@"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for words in (
        ["check"],
        ["build"],
        ["review", "--base", "t"],
        ["log", "a"],
        ["changelog"],
        ["check", "--changed"],
    ):
        asked.write_text("")
        command = [sys.executable, "-m", "registry", *words, "-C", str(repo.root)]
        assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
        lines = [line for line in asked.read_text().splitlines() if line != "version"]
        assert sum("--git-dir=" not in line for line in lines) == (0 if words == ["check"] else 1), (
            words,
            lines,
        )
        assert all("rev-parse --show-object-format" in line for line in lines if "--git-dir=" not in line)


def test_an_older_git_is_named(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit()
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho git version 2.30.2\n")
    program.chmod(0o755)
    command = [sys.executable, "-m", "registry", "log", "a", "-C", str(repo.root)]
    done = subprocess.run(
        command, env={"PATH": str(program.parent)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "is git 2.30.2, and 2.38 or newer is needed" in done.stderr) == (2, True)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("how", ["count", "parameters", "global", "home"])
def test_a_folder_that_the_user_trusts_is_read(how: str, repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit()
    for path in (repo.root, *repo.root.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    (tmp_path / ".gitconfig").write_text(f"[safe]\n\tdirectory = {repo.root}\n")
    trusted = {
        "count": {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": str(repo.root),
        },
        "parameters": {"GIT_CONFIG_PARAMETERS": f"'safe.directory'='{repo.root}'"},
        "global": {"GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig")},
        "home": {"HOME": str(tmp_path)},
    }[how]

    def log(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "registry", "log", "a", "-C", str(repo.root)]
        return subprocess.run(
            command,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    assert log(trusted).returncode == 0
    # What the repository itself says of trust does not count.
    settings = repo.root / ".git/config"
    settings.write_text(settings.read_text() + "[safe]\n\tdirectory = *\n")
    refused = log({})
    assert (refused.returncode, f"safe.directory {repo.root}" in refused.stderr) == (2, True)


def test_an_unreadable_repository_is_an_error_not_none(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    (repo.root / ".git/config").write_text("[core\n")
    outcome = run("log", "a", "-C", str(repo.root))
    assert (outcome.code, "bad config line 1" in outcome.err) == (2, True)


def test_the_checks_at_the_library_are_those_of_the_commands(nested: RepoBuilder) -> None:
    embed(nested, "reg")
    with pytest.raises(RefusedError):
        open_repository(nested.root / "reg")
    with pytest.raises(UsageError):
        open_repository(nested.root / ".git")


def test_settings_that_never_end_are_given_up(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.define("a")
    repo.commit()
    os.mkfifo(repo.root / ".git/endless")
    settings = repo.root / ".git/config"
    settings.write_text(settings.read_text() + "[include]\n\tpath = endless\n")
    monkeypatch.setattr("registry.git.location.TIMEOUT_S", 1)
    outcome = run("log", "a", "-C", str(repo.root))
    assert (outcome.code, "it took longer than 1 secs" in outcome.err) == (2, True), outcome.err


def test_odd_entries_above_do_no_harm(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    shutil.rmtree(repo.root / ".git")
    for make in (
        os.mkfifo,
        lambda path: path.symlink_to(path),
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b"\xff"),
    ):
        entry = repo.root / ".git"
        make(entry)
        assert run("check", "-C", str(repo.root)).code == 0
        entry.rmdir() if entry.is_dir() else entry.unlink()


def test_a_new_registry_is_not_made_inside_one(nested: RepoBuilder, run: Run) -> None:
    embed(nested, "reg")
    outcome = run("init", str(nested.root / "reg/inner"))
    assert (outcome.code, (nested.root / "reg/inner").exists()) == (3, False)


@pytest.mark.parametrize(
    "place", [".", "other/deep", "reg", "reg/definitions/process_definition/x", "reg/schema/y"]
)
def test_a_change_that_brings_one_is_an_error_wherever_it_is(
    place: str, nested: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    nested.git("checkout", "-q", "main")
    nested.git("clone", "-q", str(nested.root), str(tmp_path / "reader"))
    nested.git("checkout", "-q", "-b", "embedding")
    embed(nested, place)
    nested.git("push", "-q", str(tmp_path / "reader"), "embedding")
    for words in (
        ["review", "--base", "main"],
        ["check", "--base", "main", "--source", "refs/heads/embedding"],
    ):
        more = ["--head", "refs/heads/embedding"] if words[0] == "review" else []
        outcome = run(*words, *more, "-C", str(tmp_path / "reader/reg"))
        shown = outcome.out + outcome.err
        assert (outcome.code, "HEAD:1:1: error Y022" in shown) == (1, True), (words, outcome)


@pytest.mark.parametrize("place", [".", "other/deep", "reg", "reg/definitions/process_definition/x"])
def test_the_hook_refuses_a_push_that_brings_one(
    place: str, nested: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    nested.git("checkout", "-q", "main")
    hub = tmp_path / "hub.git"
    nested.git("clone", "-q", "--bare", str(nested.root), str(hub))
    assert run("hook", "install", str(hub), "--folder", "reg").code == 0
    nested.git("remote", "add", "origin", str(hub))
    embed(nested, place)
    nested.git("push", "-q", "origin", "main", ok=False)
    assert nested.git("ls-remote", "origin", "main").split()[0] == nested.git("rev-parse", "HEAD~1")
    RepoBuilder.at(hub, 0).git("update-ref", "-d", "refs/heads/main")  # the push that creates the branch
    nested.git("push", "-q", "origin", "main", ok=False)
    assert nested.git("ls-remote", "origin", "main") == ""
    nested.git("reset", "-q", "--hard", "HEAD~1")
    nested.git("push", "-q", "origin", "main")


def test_files_that_only_share_names_with_a_git_directory_are_none() -> None:
    assert (
        git_directories_in(["HEAD", "a/HEAD", "a/objects/x", "b/refs/x", "b/objects/y", "c/HEAD/refs/x"])
        == []
    )
    assert git_directories_in(["x/HEAD", "x/refs/y", "x/objects"]) == ["x/HEAD"]
    assert git_directories_in(["x/Head", "X/Commondir"]) == ["x/Head"]


def test_a_folder_that_is_removed_meanwhile_has_no_repository(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = location.find_work_tree

    def then_remove(start: Path) -> object:
        found = find(start)
        shutil.rmtree(repo.root)
        return found

    monkeypatch.setattr(location, "find_work_tree", then_remove)
    assert open_repository(repo.root) is None
