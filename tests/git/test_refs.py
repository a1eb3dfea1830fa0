"""Names of refs: full inside, and an ambiguous one is reported."""

import json
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.git import branch_ref, open_repository
from tests.conftest import Run
from tests.support.repo import PROCESS, RepoBuilder


@pytest.fixture
def changed(repo: RepoBuilder) -> RepoBuilder:
    """`main` and HEAD on `change`, which lets a program run no longer."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.commit()
    repo.git("branch", "old")
    repo.git("checkout", "-q", "-b", "change")
    repo.define("a", PROCESS.format(title="A", name="a") + "  timeout: 5\n")
    repo.commit()
    return repo


@pytest.mark.parametrize(
    "words",
    [
        ["review", "--base", "main"],
        ["check", "--base", "main"],
        ["diff", "main"],
        ["check", "--source", "main"],
        ["review", "--base", "old", "--head", "main"],
        ["review", "--base", "main~0"],
        ["changelog", "--since", "main"],
        ["build", "--source", "main"],
        ["list", "--source", "main^{commit}"],
    ],
)
def test_a_name_of_a_branch_and_of_a_tag_is_an_error(
    words: list[str], changed: RepoBuilder, run: Run
) -> None:
    changed.git("tag", "main", "change")
    outcome = run(*words, "-C", str(changed.root))
    assert outcome.code == 2
    assert "'main' is ambiguous: refs/heads/main, refs/tags/main" in outcome.err
    assert "hint: name one in full, for example refs/heads/main" in outcome.err
    in_full = [word.replace("main", "refs/heads/main") for word in words]
    assert run(*in_full, "-C", str(changed.root)).code == 0
    assert "timeout" in run("diff", "refs/heads/main", "-C", str(changed.root)).out
    assert "timeout" not in run("diff", "refs/tags/main", "-C", str(changed.root)).out


def test_it_does_not_depend_on_a_setting(changed: RepoBuilder, run: Run) -> None:
    changed.git("tag", "main", "change")
    changed.git("config", "core.warnAmbiguousRefs", "false")
    assert run("review", "--base", "main", "-C", str(changed.root)).code == 2


def test_a_remote_branch_and_a_tag(changed: RepoBuilder, run: Run) -> None:
    changed.git("update-ref", "refs/remotes/origin/main", "main")
    assert run("review", "--base", "origin/main", "-C", str(changed.root)).code == 0
    changed.git("tag", "origin/main", "change")
    outcome = run("review", "--base", "origin/main", "-C", str(changed.root))
    assert (outcome.code, "refs/remotes/origin/main, refs/tags/origin/main" in outcome.err) == (
        2,
        True,
    ) or "refs/tags/origin/main" in outcome.err
    assert run("review", "--base", "refs/remotes/origin/main", "-C", str(changed.root)).code == 0


def test_a_full_name_is_never_taken_for_a_short_one(changed: RepoBuilder, run: Run) -> None:
    changed.git("update-ref", "refs/tags/refs/heads/gone", "change")
    outcome = run("diff", "refs/heads/gone", "-C", str(changed.root))
    assert (outcome.code, "there is no commit 'refs/heads/gone'" in outcome.err) == (2, True)
    changed.git("update-ref", "refs/tags/refs/heads/main", "change")
    assert "timeout" in run("diff", "refs/heads/main", "-C", str(changed.root)).out


@pytest.mark.parametrize("ref", ["refs/tags/HEAD", "refs/heads/HEAD", "refs/remotes/HEAD"])
def test_head_is_always_what_is_checked_out(ref: str, changed: RepoBuilder, run: Run) -> None:
    changed.git("update-ref", ref, "main")
    assert run("list", "--source", "HEAD", "-C", str(changed.root)).code == 0
    repository = open_repository(changed.root)
    assert repository is not None
    assert repository.head() == changed.git("rev-parse", "refs/heads/change")


def test_a_branch_that_is_called_like_an_id(changed: RepoBuilder, run: Run) -> None:
    short = changed.git("rev-parse", "--short=8", "change")
    changed.git("update-ref", f"refs/heads/{short}", "main")
    outcome = run("diff", short, "-C", str(changed.root))
    assert (outcome.code, "could be a ref or an abbreviated object id" in outcome.err) == (2, True), (
        outcome.err
    )


def test_the_notes_of_a_release_start_at_the_tag_not_at_a_branch_of_its_name(
    changed: RepoBuilder, run: Run
) -> None:
    changed.git("tag", "v1", "main")
    changed.git("branch", "v1", "change")
    outcome = run("changelog", "-C", str(changed.root))
    assert (outcome.code, "timeout" in outcome.out) == (0, True), outcome.err


@pytest.fixture
def hub(repo: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A bare repository with the branch `main`, one definition without an id; `origin` of `repo`."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.commit()
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "hub.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    repo.git("fetch", "-q", "origin")
    return RepoBuilder.at(tmp_path / "hub.git", 0)


def test_ids_are_pushed_where_a_tag_has_the_name_of_the_branch(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    hub.git("tag", "main")
    repo.git("tag", "main")
    outcome = run("index", "--push", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert "id: 1" in hub.git("show", "refs/heads/main:definitions/process_definition/a.yaml")
    assert "refs/heads/heads/main" not in hub.git("for-each-ref")
    assert repo.git("rev-parse", "HEAD") == hub.git("rev-parse", "refs/heads/main")


def test_a_branch_that_tracks_one_of_another_name_pushes_there(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    repo.git("checkout", "-q", "-b", "work/ids", "--track", "origin/main")
    outcome = run("index", "--push", "--format", "json", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert (
        hub.git("rev-parse", "refs/heads/main")
        == json.loads(outcome.out)["commit"]
        == repo.git("rev-parse", "refs/heads/work/ids")
    )
    assert hub.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"


def test_a_branch_that_tracks_another_remote_gives_its_own_name(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    repo.git("remote", "add", "other", str(hub.root))
    repo.git("fetch", "-q", "other")
    repo.git("checkout", "-q", "-b", "elsewhere", "--track", "other/main")
    outcome = run("index", "--push", "-C", str(repo.root))
    assert (outcome.code, "elsewhere" in outcome.err) == (2, True), outcome.err


def test_a_branch_can_be_named_in_full(hub: RepoBuilder, repo: RepoBuilder, run: Run) -> None:
    assert run("index", "--push", "--branch", "refs/heads/main", "-C", str(repo.root)).code == 0
    assert "id: 1" in hub.git("show", "main:definitions/process_definition/a.yaml")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-d",
        "a b",
        "main:refs/heads/x",
        "a..b",
        "a.lock",
        "/a",
        "a/",
        "@",
        "a\nb",
        "refs/heads/",
        "*",
        "a/.b",
    ],
)
def test_what_no_branch_can_be_called(name: str, hub: RepoBuilder, repo: RepoBuilder, run: Run) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a branch"):
        branch_ref(name)
    if name and not name.startswith("-"):
        assert run("index", "--push", "--branch", name, "-C", str(repo.root)).code == 2
    assert hub.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
