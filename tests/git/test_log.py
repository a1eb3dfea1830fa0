"""Long logs, read in pieces; many contents, asked for ahead."""

import os
import subprocess

import pytest

from registry.git import CommitOrder, GitError, open_repository
from registry.load.source import blob_id
from tests.support.repo import RepoBuilder

COUNT = 6_000  # more than one process of git reads at once


@pytest.fixture(name="long", scope="module")
def _long(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Many commits with a side branch that is merged now and then."""
    repo = RepoBuilder(tmp_path_factory.mktemp("long") / "registry")
    lines = []
    for number in range(1, COUNT + 1):
        lines.append(
            f"commit refs/heads/main\nmark :{number}\ncommitter A <a@example.org> {1_700_000_000 + number} +0130\ndata <<E\nchange {number}\nE\n"
        )
        lines += [f"from :{number - 1}\n"] if number > 1 else []
        lines += [f"merge :{number - 3}\n"] if number % 50 == 0 else []
        lines.append(
            f"M 100644 inline definitions/process_definition/p{number % 40}.yaml\ndata <<E\ntitle: T{number}\nE\n\n"
        )
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=repo.root, input="".join(lines).encode(), check=True
    )
    return repo


def test_all_commits_come_oldest_first_as_git_orders_them(long: RepoBuilder) -> None:
    repository = open_repository(long.root)
    assert repository is not None
    found = list(
        repository.begin_log(repository.order(long.git("rev-parse", "HEAD")), "definitions").commits()
    )
    assert [one.commit for one in found] == long.git("rev-list", "--topo-order", "--reverse", "HEAD").split()
    assert [one.message for one in found[:2]] == ["change 1", "change 2"]
    assert found[4].date == "2023-11-14T23:43:25+01:30"
    assert all(len(one.rows) == 1 and one.rows[0].path.startswith("definitions/") for one in found)


def test_a_merge_that_edits_a_file_of_its_second_parent_changes_that_file(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.commit("start")
    repo.git("checkout", "-q", "-b", "side")
    path = repo.define("b")
    repo.commit("add b")
    there = repo.git("rev-parse", "HEAD:definitions/process_definition/b.yaml")
    repo.git("checkout", "-q", "main")
    repo.define("c")
    repo.commit("add c")
    repo.git("merge", "-q", "--no-ff", "--no-commit", "side")
    path.write_text(path.read_text() + "tags: [merged]\n")
    repo.commit("merge")
    opened = open_repository(repo.root)
    assert opened is not None
    *_, merge = opened.begin_log(opened.order(repo.git("rev-parse", "HEAD")), "definitions").commits()
    now = repo.git("rev-parse", "HEAD:definitions/process_definition/b.yaml")
    assert [(row.status, row.old_blob, row.blob) for row in merge.rows] == [("M", there, now)]


def test_a_file_that_becomes_a_link_is_gone(repo: RepoBuilder) -> None:
    repo.define("a")
    path = repo.define("b")
    repo.commit("add")
    blob = repo.git("rev-parse", "HEAD:definitions/process_definition/b.yaml")
    path.unlink()
    path.symlink_to("a.yaml")
    repo.commit("link")
    opened = open_repository(repo.root)
    assert opened is not None
    *_, last = opened.begin_log(opened.order(repo.git("rev-parse", "HEAD")), "definitions").commits()
    assert [(row.old_blob, row.blob) for row in last.rows] == [(blob, None)]


def processes_of_git() -> list[str]:
    """The children of this process that run git, those that nobody has waited for, too."""
    return subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-x", "git"], capture_output=True, text=True, check=False
    ).stdout.split()


def test_a_log_that_nobody_reads_to_its_end_leaves_no_process(long: RepoBuilder) -> None:
    repository = open_repository(long.root)
    assert repository is not None
    log = repository.begin_log(repository.order(long.git("rev-parse", "HEAD")), "definitions")
    commits = log.commits()
    next(commits)
    assert processes_of_git()
    log.close()
    assert not processes_of_git()


def test_a_history_that_lost_a_part_is_told_as_git_tells_it(repo: RepoBuilder) -> None:
    commits = []
    for name in ("a", "b", "c"):
        repo.define(name)
        commits.append(repo.commit(name))
    opened = open_repository(repo.root)
    assert opened is not None
    # Of the first commit: of the last one git has told by then.
    tree = repo.git("rev-parse", f"{commits[0]}^{{tree}}")
    (repo.root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(GitError, match=f"git diff-tree failed: fatal: unable to read tree {tree}"):
        list(opened.begin_log(CommitOrder(commits, {}, frozenset()), "definitions").commits())


def test_contents_larger_than_any_pipe_are_asked_for_and_read_in_order(repo: RepoBuilder) -> None:
    contents = [f"{number}\n".encode() * (1 if number % 3 else 60_000) for number in range(700)]
    names = [blob_id(data, None) for data in contents]
    stream = b"".join(b"blob\ndata %d\n%s\n" % (len(data), data) for data in contents)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repo.root, input=stream, check=True)
    opened = open_repository(repo.root)
    assert opened is not None
    with opened.begin_blobs(at_most=1_000_000) as blobs:
        blobs.ask(names[:300])
        blobs.ask(names[300:])
        assert list(blobs.answers(10)) == list(zip(names[:10], contents[:10], strict=True))
        assert list(blobs.answers()) == list(zip(names[10:], contents[10:], strict=True))
    with (
        opened.begin_blobs(at_most=1_000_000) as blobs,
        pytest.raises(GitError, match="does not have the blob"),
    ):
        blobs.ask([names[0], "0" * 40, names[1]])
        list(blobs.answers())
