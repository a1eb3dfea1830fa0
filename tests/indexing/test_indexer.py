"""`registry index`, on real repositories: one line a file, one commit, a second run changes nothing."""

import json
from pathlib import Path

import pytest

from registry.git import HIGH_WATER, GitError
from registry.indexing.indexer import IndexOptions, index
from tests.conftest import Run
from tests.support.repo import RepoBuilder


@pytest.fixture
def hub(repo: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A bare clone of `repo`, which has one definition without an id."""
    repo.define("a")
    repo.commit()
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "hub.git"))
    return RepoBuilder.at(tmp_path / "hub.git", repo.clock)


def refs(repo: RepoBuilder) -> list[str]:
    """The commits of the main branch and of the high-water ref, if there is one."""
    listing = repo.git("for-each-ref", "--format=%(objectname)", "refs/heads/main", HIGH_WATER)
    return listing.split()


def test_ids_go_into_the_files_and_the_ledger_in_one_commit(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "title: T\nregistry_id: registry-1\n")
    a = repo.define("a", "# keep me\r\ntitle: 'A'   # and me\r\nowners: [t]\r\ndefinition: {exec: x}\r\n")
    repo.define("app", kind="application")
    head = repo.commit()
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert (
        a.read_bytes()
        == b"# keep me\r\nid: 1\r\ntitle: 'A'   # and me\r\nowners: [t]\r\ndefinition: {exec: x}\r\n"
    )
    assert (
        repo.git("log", "-1", "--format=%P %an <%ae> %at")
        == f"{head} Process Registry <process-registry@localhost> 1700500000"
    )
    assert f"Registry-Index: {head}" in repo.git("log", "-1", "--format=%B")
    lines = [json.loads(line) for line in (repo.root / "definitions/ledger.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [["kind", "id", "name", "state", "commit", "prev"]] * 2
    assert (lines[0]["prev"], lines[0]["commit"], lines[1]["name"]) == ("registry-1", head, "a")
    assert repo.git("status", "--porcelain") == ""


def test_a_second_run_changes_nothing(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    run("index", "-C", str(repo.root))
    head = repo.git("rev-parse", "HEAD")
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 0
    assert "Nothing to do" in outcome.out
    assert repo.git("rev-parse", "HEAD") == head
    assert repo.git("status", "--porcelain") == ""


def test_without_a_commit_it_is_left_to_the_person(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    head = repo.commit()
    repo.define("b")
    assert run("index", "--no-commit", "-C", str(repo.root)).code == 0
    assert repo.git("rev-parse", "HEAD") == head
    assert "id: 2" in (repo.root / "definitions/process_definition/b.yaml").read_text()


def test_a_registry_without_an_id_of_its_own_gets_one(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "title: T")
    repo.define("a")
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    settings = (repo.root / "registry.yaml").read_text()
    assert settings.startswith("title: T\nregistry_id: ")
    first = json.loads((repo.root / "definitions/ledger.jsonl").read_text().splitlines()[0])
    assert first["prev"] == settings.split("registry_id: ")[1].strip()
    assert run("index", "-C", str(repo.root)).out.startswith("Nothing to do")


def test_a_delete_leaves_its_number_unused(repo: RepoBuilder) -> None:
    repo.define("a")
    b = repo.define("b")
    repo.commit()
    index(repo.root)
    b.unlink()
    repo.define("c")
    repo.commit()
    result = index(repo.root)
    assert [(entry.id, entry.name, entry.state) for entry in result.entries] == [
        (2, "b", "gone"),
        (3, "c", "live"),
    ]


def test_uncommitted_work_never_gets_into_the_commit(repo: RepoBuilder, run: Run) -> None:
    a = repo.define("a")
    repo.commit()
    text = a.read_text() + "# work of mine\n"
    a.write_text(text)
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 3
    assert "uncommitted changes" in outcome.err
    assert "hint:" in outcome.err
    assert a.read_text() == text


def test_work_that_is_staged_elsewhere_stays_staged(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    repo.write("notes.txt", "mine")
    repo.git("add", "notes.txt")
    assert run("index", "-C", str(repo.root)).code == 0
    assert repo.git("status", "--porcelain") == "A  notes.txt"
    assert "notes.txt" not in repo.git("show", "--stat", "HEAD")


def test_with_errors_in_any_file_nothing_is_given(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.define("bad", "title: [\n")
    repo.commit()
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 1
    assert "bad.yaml:2:1: error Y001" in outcome.err
    assert "id:" not in (repo.root / "definitions/process_definition/a.yaml").read_text()
    assert not (repo.root / "definitions/ledger.jsonl").exists()


def test_a_broken_ledger_stops_everything_and_says_how_to_go_on(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.define("b")
    repo.commit()
    run("index", "-C", str(repo.root))
    ledger = repo.root / "definitions/ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"id":1', '"id":9'))
    repo.define("c")
    repo.commit()
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 3
    assert "ledger.jsonl:2: the ledger is broken: the previous line was changed" in outcome.err
    assert "id:" not in (repo.root / "definitions/process_definition/c.yaml").read_text()
    assert run("build", "-C", str(repo.root)).code == 1


def test_where_there_is_nothing_to_commit_to_it_says_so(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 2
    assert "there is no commit yet" in outcome.err
    assert run("index", "--no-commit", "-C", str(repo.root)).code == 0


def test_hooks_of_the_repository_are_not_run(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    hook = repo.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert run("index", "-C", str(repo.root)).code == 0


def test_a_copy_that_kept_its_id_gets_one_of_its_own_and_the_commit_says_so(
    repo: RepoBuilder, run: Run
) -> None:
    path = repo.define("b", "# b\ntitle: B\nowners: [t]\ndefinition: {exec: x}   # x\n")
    repo.commit()
    run("index", "-C", str(repo.root))
    repo.define("a", path.read_text())
    repo.commit()
    assert "id 1 is also the id of" in run("check", "-C", str(repo.root)).out
    outcome = run("index", "-C", str(repo.root))
    assert "a.yaml: the id 1 belongs to another definition; replaced by 2" in outcome.out
    assert "a.yaml had 1, which belongs to another definition; it now has 2" in repo.git(
        "log", "-1", "--format=%B"
    )
    copy = repo.root / "definitions/process_definition/a.yaml"
    assert copy.read_text() == "# b\nid: 2\ntitle: B\nowners: [t]\ndefinition: {exec: x}   # x\n"
    assert "id: 1" in path.read_text()
    assert run("check", "-C", str(repo.root)).code == 0
    assert run("ids", "verify", "-C", str(repo.root)).code == 0


def test_a_fork_gives_no_ids_and_its_site_shows_none(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.commit()
    run("index", "-C", str(repo.root))
    repo.write("registry.yaml", "registry_id: a-fork-of-it\n")
    repo.define("b")
    head = repo.commit()
    outcome = run("index", "-C", str(repo.root))
    assert (
        outcome.code,
        "belongs to the registry registry-1, but registry.yaml has a-fork-of-it" in outcome.err,
    ) == (3, True)
    assert repo.git("rev-parse", "HEAD") == head
    built = run("build", "-C", str(repo.root))
    assert (built.code, "warning I027" in built.err) == (0, True)
    assert not (repo.root / "site/api/process_definition/1").exists()
    assert json.loads((repo.root / "site/api/process_definition/by-name/a.json").read_text())["id"] is None
    repo.write("registry.yaml", "title: Lost it\n")
    repo.commit()
    assert "restore it: registry_id: registry-1" in run("build", "-C", str(repo.root)).err
    assert run("index", "-C", str(repo.root)).code == 3


@pytest.mark.parametrize("lock", ["refs/heads/main.lock", "index.lock", "HEAD.lock"])
def test_a_lock_ends_it_with_a_clear_error_and_nothing_changes(
    repo: RepoBuilder, run: Run, lock: str
) -> None:
    repo.define("a")
    head = repo.commit()
    held = repo.write(f".git/{lock}", "")
    outcome = run("index", "-C", str(repo.root))
    assert (outcome.code, lock.rpartition("/")[2] in outcome.err, "hint:" in outcome.err) == (
        2,
        True,
        True,
    ), outcome.err
    held.unlink()
    assert (repo.git("rev-parse", "HEAD"), repo.git("status", "--porcelain")) == (head, "")
    assert not (repo.root / "definitions/ledger.jsonl").exists()
    assert run("index", "-C", str(repo.root)).code == 0
    assert repo.git("status", "--porcelain") == ""


def test_a_lock_that_no_step_needs_does_not_matter(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    repo.git("pack-refs", "--all")
    held = repo.write(".git/packed-refs.lock", "")
    outcome = run("index", "-C", str(repo.root))
    held.unlink()
    assert (outcome.code, repo.git("status", "--porcelain")) == (0, ""), outcome.err
    repo.define("b")
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    assert repo.git("status", "--porcelain") == ""


def test_files_that_are_in_the_way_stop_it_before_the_branch_moves(repo: RepoBuilder) -> None:
    a = repo.define("a")
    head = repo.commit()

    def step(name: str) -> None:
        if name == "commit made":
            a.write_text("work of mine\n")

    with pytest.raises(GitError, match="not uptodate"):
        index(repo.root, step=step)
    assert (repo.git("rev-parse", "HEAD"), repo.git("diff", "--name-only", "--cached")) == (head, "")
    assert a.read_text() == "work of mine\n"


def test_a_commit_that_is_made_meanwhile_survives(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.commit()
    made: list[str] = []

    def step(name: str) -> None:
        if name == "commit made" and not made:
            repo.define("b")
            made.append(repo.commit("meanwhile"))

    result = index(repo.root, step=step)
    assert [entry.name for entry in result.entries] == ["a", "b"]
    assert repo.git("rev-parse", "HEAD^") == made[0]
    assert repo.git("status", "--porcelain") == ""


def test_in_a_bare_repository_a_commit_that_is_pushed_meanwhile_survives(
    hub: RepoBuilder, repo: RepoBuilder
) -> None:
    pushed: list[str] = []

    def step(name: str) -> None:
        if name == "commit made" and not pushed:
            repo.define("b")
            pushed.append(repo.commit("meanwhile"))
            repo.git("push", "-q", str(hub.root), "main")

    index(hub.root, step=step)
    assert hub.git("rev-parse", "main^") == pushed[0]
    assert "id: 2" in hub.git("show", "main:definitions/process_definition/b.yaml")


def test_in_a_bare_repository_the_branch_and_the_high_water_ref_move_together(
    hub: RepoBuilder, repo: RepoBuilder
) -> None:
    indexed = index(hub.root).commit
    assert refs(hub) == [indexed, indexed]
    assert index(repo.root).commit is not None
    assert len(refs(repo)) == 1  # in a clone, only the branch


def test_in_a_bare_repository_a_high_water_ref_that_is_missing_is_set(hub: RepoBuilder) -> None:
    indexed = index(hub.root).commit
    hub.git("update-ref", "-d", HIGH_WATER)
    assert index(hub.root).commit is None
    assert refs(hub) == [indexed, indexed]


def test_in_a_bare_repository_another_high_water_ref_makes_it_start_again(hub: RepoBuilder) -> None:
    before, commits = hub.git("rev-parse", "main"), 0

    def step(name: str) -> None:
        nonlocal commits
        if name == "commit made":
            commits += 1
            if commits == 1:
                hub.git("update-ref", HIGH_WATER, before)

    indexed = index(hub.root, step=step).commit
    assert (commits, refs(hub)) == (2, [indexed, indexed])


def test_in_a_bare_repository_no_ref_moves_if_one_is_locked(hub: RepoBuilder) -> None:
    before = hub.git("rev-parse", "main")
    lock = hub.write(f"{HIGH_WATER}.lock", "")
    with pytest.raises(GitError, match=r"high-water\.lock"):
        index(hub.root)
    assert refs(hub) == [before]
    lock.unlink()
    indexed = index(hub.root).commit
    assert refs(hub) == [indexed, indexed]


def test_in_a_bare_repository_a_lock_ends_it_with_a_clear_error(hub: RepoBuilder) -> None:
    head = hub.git("rev-parse", "main")
    (hub.root / "refs/heads/main.lock").write_text("")
    with pytest.raises(GitError, match="refs/heads/main could not be moved, and nothing was changed"):
        index(hub.root, IndexOptions(branch="main"))
    assert hub.git("rev-parse", "main") == head


def test_ids_are_given_on_the_branch_that_is_named_or_not_at_all(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    head = repo.commit()
    repo.git("branch", "other")
    outcome = run("index", "--branch", "other", "-C", str(repo.root))
    assert (outcome.code, "git switch other" in outcome.err) == (2, True)
    assert repo.git("rev-parse", "main") == repo.git("rev-parse", "other") == head
    repo.git("tag", "main")  # a tag of the branch's name is no branch
    assert run("index", "--branch", "main", "-C", str(repo.root)).code == 0
    assert (repo.git("rev-parse", "refs/heads/main^"), repo.git("status", "--porcelain")) == (head, "")


def test_head_without_a_branch_moves_alone(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    head = repo.commit()
    repo.git("checkout", "-q", "--detach")
    assert run("index", "-C", str(repo.root)).code == 0
    assert (
        repo.git("rev-parse", "HEAD^"),
        repo.git("rev-parse", "main"),
        repo.git("status", "--porcelain"),
    ) == (head, head, "")
