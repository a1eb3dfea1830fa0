"""One traversal gives the order of all commits, and those that changed some paths or their folders."""

from pathlib import Path

import pytest

from registry.git import GitError, Repository, open_repository
from tests.support.merged_history import MergedHistory
from tests.support.repo import RepoBuilder

FOLDER = "definitions/process_definition/"


def opened(root: Path) -> Repository:
    found = open_repository(root)
    assert found is not None
    return found


def changed_in_log(repository: Repository, commit: str, path: str) -> set[str]:
    log = repository.begin_log(repository.order(commit), path)
    return {one.commit for one in log.commits() if one.rows or one.brought}


@pytest.mark.parametrize("seed", [1, 4, 9])
def test_it_lists_what_a_log_of_each_path_lists(repo: RepoBuilder, seed: int) -> None:
    history = MergedHistory(seed, reuses_names=True)
    head = history.write(repo.root)[history.main]
    repository = opened(repo.root)
    listing = repo.git("log", "--format=", "--name-only", "--no-renames", "-m", head).split()
    paths = sorted({path for path in listing if path.startswith(FOLDER)})
    found = repository.path_log(head, FOLDER, paths)
    assert found.order == repository.order(head)
    assert paths
    for path in paths:
        assert found.changed.get(path, set()) == changed_in_log(repository, head, path), path


def test_it_lists_the_commits_that_changed_the_folder_of_a_path(repo: RepoBuilder) -> None:
    repo.define("a/one")
    repo.define("b/three")
    first = repo.commit("add")
    repo.define("a/two")
    second = repo.commit("another file of the folder")
    repo.define("b/four")
    repo.commit("another folder")
    repo.git("rm", "-qr", f"{FOLDER}a")
    last = repo.commit("remove the folder")
    found = opened(repo.root).path_log(last, FOLDER, [f"{FOLDER}a/one.yaml"])
    assert found.changed == {f"{FOLDER}a": {first, second, last}, f"{FOLDER}a/one.yaml": {first, last}}
    assert len(found.order.names) == 4


def test_a_path_that_never_existed_has_no_commits(repo: RepoBuilder) -> None:
    repo.define("a")
    commit = repo.commit("add")
    found = opened(repo.root).path_log(commit, FOLDER, [f"{FOLDER}no.yaml"])
    assert (found.order.names, found.changed) == ([commit], {})


def test_names_that_are_not_ascii_and_a_registry_in_a_folder(repo: RepoBuilder) -> None:
    file = repo.root / "some folder" / FOLDER / "ä/[ö].yaml"
    file.parent.mkdir(parents=True)
    file.write_text("title: A\n")
    commit = repo.commit("add")
    folder = f"some folder/{FOLDER}"
    found = opened(repo.root).path_log(commit, folder, [f"{folder}ä/[ö].yaml"])
    assert found.changed == {f"{folder}ä": {commit}, f"{folder}ä/[ö].yaml": {commit}}


def test_a_shallow_clone_ends_where_it_was_cut(repo: RepoBuilder, tmp_path: Path) -> None:
    for title in "ABC":
        repo.define("a", f"title: {title}\n")
        repo.commit(title)
    repo.git("clone", "-q", "--depth", "2", f"file://{repo.root}", str(tmp_path / "clone"))
    repository = opened(tmp_path / "clone")
    head = repo.git("rev-parse", "HEAD")
    found = repository.path_log(head, FOLDER, [f"{FOLDER}a.yaml"])
    assert found.order == repository.order(head)
    assert found.changed[f"{FOLDER}a.yaml"] == set(found.order.names)
    assert len(found.order.names) == 2


def test_a_lost_part_of_the_history_is_an_error(repo: RepoBuilder) -> None:
    commits = []
    for title in "AB":
        repo.define("a", f"title: {title}\n")
        commits.append(repo.commit(title))
    tree = repo.git("rev-parse", f"{commits[0]}^{{tree}}")
    (repo.root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(GitError, match="git log failed: fatal"):
        opened(repo.root).path_log(commits[-1], FOLDER, [f"{FOLDER}a.yaml"])
