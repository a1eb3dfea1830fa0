"""Histories with merges, where git is the oracle."""

import subprocess
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import CacheFile
from registry.load.source import open_source
from registry.model.revision import Revision
from registry.pipeline import snapshot_of
from registry.review.blame import blame
from registry.snapshot import Snapshot
from tests.conftest import Run
from tests.support.merged_history import KIND, GitView, MergedHistory
from tests.support.repo import RepoBuilder
from tests.support.seeds import in_soak, seeds


def _snapshot(root: Path, commit: str, memory: BuildCache | None = None) -> Snapshot:
    found, problems = snapshot_of(open_source(root, commit), cache=memory)
    assert found is not None, problems
    return found


def _listed(snapshot: Snapshot) -> dict[str, list[Revision]]:
    return {one.path: [*snapshot.revisions_of(one)] for one in snapshot.definitions}


@pytest.mark.parametrize("reuses_names", [False, True])
@pytest.mark.parametrize("seed", [*seeds(5, 10), 20, 52, 58, 149])
def test_revisions_are_what_git_has(repo: RepoBuilder, seed: int, reuses_names: bool) -> None:
    history = MergedHistory(seed, reuses_names=reuses_names)
    head = history.write(repo.root)[history.main]
    snapshot, git = _snapshot(repo.root, head), GitView(repo.root)
    tree, merges = git.tree(head), git.merges(head)
    listed = _listed(snapshot)
    assert listed.keys() == tree.keys()
    revisions_of: dict[int, set[str | None]] = {}
    for path, revisions in listed.items():
        who = git.who[tree[path]]
        # The newest revision is what there is now.
        assert revisions[-1].blob == tree[path], path
        # No revision is another definition's.
        assert {git.who[one.blob] for one in revisions if one.blob} == {who}, path
        revisions_of.setdefault(who, set()).update(one.commit for one in revisions)
        for one in revisions:
            # Every revision is a state that its commit has.
            at = git.tree(one.commit or "").get(f"{KIND}{one.name}.yaml")
            assert at == one.blob if one.blob else git.who.get(at or "") != who, (path, one)
        for number, one in enumerate(revisions):
            if one.commit in merges and one.blob is not None:
                # A merge is listed for a reason that a reader can see.
                last = revisions[number - 1] if number else None
                is_renamed = last is not None and one.name != last.name
                is_back = last is not None and last.blob is None
                assert snapshot.changes_of(one) or is_renamed or is_back or one.old_blob is None, (path, one)
    # Every commit that gave a definition another content is one of its revisions.
    for commit, who in git.changed(head):
        assert who not in revisions_of or commit in revisions_of[who], (commit, who)


@pytest.mark.parametrize("reuses_names", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_commit_that_blame_names_has_the_value(repo: RepoBuilder, seed: int, reuses_names: bool) -> None:
    history = MergedHistory(seed, reuses_names=reuses_names)
    head = history.write(repo.root)[history.main]
    snapshot = _snapshot(repo.root, head)
    for one in snapshot.definitions:
        for origin in blame(snapshot, snapshot.revisions_of(one)):
            written = subprocess.run(
                ["git", "show", f"{origin.revision.commit}:{KIND}{origin.revision.name}.yaml"],
                cwd=repo.root,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            value = origin.value if not isinstance(origin.value, list) else origin.value[0]
            key = origin.pointer.rpartition("/")[2]
            assert (
                f"{key}: {value}\n" in written
                or f"{key}: [{value}]\n" in written
                or (key == "description" and "description: >" in written)
            )


@pytest.mark.parametrize("reuses_names", [True, *in_soak(False)])
@pytest.mark.parametrize("seed", seeds(1, 10))
def test_reading_new_commits_gives_what_reading_all_gives(
    repo: RepoBuilder, seed: int, reuses_names: bool
) -> None:
    history = MergedHistory(seed, reuses_names=reuses_names)
    names = history.write(repo.root)
    memory = BuildCache(CacheFile(repo.root))
    before: dict[int, list[Revision]] = {}
    git = GitView(repo.root)
    for number in dict.fromkeys(history.main_line):
        snapshot = _snapshot(repo.root, names[number], memory)
        listed = _listed(snapshot)
        assert listed == _listed(_snapshot(repo.root, names[number])), number
        # A revision keeps its number.
        now = {git.who[revisions[-1].blob or ""]: revisions for revisions in listed.values()}
        for who, revisions in before.items():
            if who in now:
                assert now[who][: len(revisions)] == revisions, (number, who)
        before = now


# What people met.

BODY = "title: {0}\nowners: [team]\ndefinition:\n  exec: /bin/x\n  cwd: /srv/some/where\n  timeout: {1}\n  environment: {{LEVEL: info}}\n"


def _told(snapshot: Snapshot, name: str) -> list[str]:
    """Each revision: subject, and the changed fields."""
    revisions = snapshot.revisions["process_definition", name]
    return [
        " ".join([one.message.split("\n")[0], *(change.pointer for change in snapshot.changes_of(one))])
        for one in revisions
    ]


def _blamed(snapshot: Snapshot, name: str) -> dict[str, str]:
    return {
        one.pointer: one.revision.message
        for one in blame(snapshot, snapshot.revisions["process_definition", name])
    }


def test_an_edit_on_a_branch_from_before_the_id_is_a_revision(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a", BODY.format("One", 60))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("One", 70))
    repo.commit("longer")
    repo.git("checkout", "-q", "main")
    assert run("index", "-C", str(repo.root)).code == 0
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    snapshot = _snapshot(repo.root, "HEAD")
    assert [line.split(" ")[0] for line in _told(snapshot, "a")] == ["add", "Assign", "longer", "merge"]
    assert _told(snapshot, "a")[2:] == ["longer /definition/timeout", "merge /definition/timeout"]
    assert _blamed(snapshot, "a")["/definition/timeout"] == "longer"
    assert _blamed(snapshot, "a")["/title"] == "add"


def test_a_conflict_resolved_by_keeping_one_side_ends_with_that_side(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", 60))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("One", 70))
    repo.commit("70 on the side")
    repo.git("checkout", "-q", "main")
    repo.define("a", BODY.format("One", 80))
    repo.commit("80 on main")
    repo.git("merge", "-q", "--no-ff", "-s", "ours", "-m", "keep 80", "side")
    snapshot = _snapshot(repo.root, "HEAD")
    assert _told(snapshot, "a") == [
        "add",
        "80 on main /definition/timeout",
        "70 on the side /definition/timeout",
        "keep 80 /definition/timeout",
    ]
    newest = snapshot.revisions["process_definition", "a"][-1]
    assert (snapshot.document_of(newest) or {})["definition"]["timeout"] == 80
    assert newest.author == "Ana Autor"
    assert [tuple(change)[1:] for change in snapshot.changes_of(newest)] == [(70, 80)]
    assert _blamed(snapshot, "a")["/definition/timeout"] == "80 on main"


def test_a_new_file_of_the_old_name_does_not_take_the_history_of_a_renamed_definition(
    repo: RepoBuilder,
) -> None:
    repo.define("a", BODY.format("One", 60))
    repo.commit("add a")
    repo.git("checkout", "-q", "-b", "side")
    repo.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/b.yaml")
    repo.commit("rename to b")
    repo.git("checkout", "-q", "main")
    (repo.root / "definitions/process_definition/a.yaml").unlink()
    repo.commit("remove a")
    repo.define(
        "a", "title: Another\nowners: [others]\ndefinition: {exec: /opt/another, argv: [--all, --new]}\n"
    )
    repo.commit("add another a")
    repo.define(
        "a", "title: Another one\nowners: [others]\ndefinition: {exec: /opt/another, argv: [--all, --new]}\n"
    )
    repo.commit("retitle a")
    repo.git("merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "side")
    repo.define("b", BODY.format("One", 60))
    repo.commit("merge")
    snapshot = _snapshot(repo.root, "HEAD")
    assert _told(snapshot, "a") == ["add a", "remove a", "add another a", "retitle a /title"]
    assert _told(snapshot, "b") == ["add a", "rename to b"]


def test_an_edit_of_a_file_whose_name_another_definition_has_by_now(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", 60))
    repo.commit("add a")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("One", 70))
    repo.commit("70 on the side")
    repo.git("checkout", "-q", "main")
    repo.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/b.yaml")
    repo.commit("rename to b")
    repo.define(
        "a", "title: Another\nowners: [others]\ndefinition: {exec: /opt/another, argv: [--all, --new]}\n"
    )
    repo.commit("add another a")
    repo.git("merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "side")
    repo.define("b", BODY.format("One", 70))
    repo.commit("merge")
    snapshot = _snapshot(repo.root, "HEAD")
    assert _told(snapshot, "a") == ["add another a"]
    assert _told(snapshot, "b") == ["add a", "rename to b", "70 on the side /definition/timeout"]
    assert _blamed(snapshot, "b")["/definition/timeout"] == "70 on the side"


def test_a_deletion_that_a_merge_keeps_is_the_newest_revision(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    path = repo.define("a", BODY.format("One", 60))
    repo.define("b")
    repo.commit("add")
    assert run("index", "-C", str(repo.root)).code == 0
    repo.git("checkout", "-q", "-b", "side")
    path.write_text(path.read_text().replace("60", "70"))
    repo.commit("70 on the side")
    repo.git("checkout", "-q", "main")
    path.unlink()
    repo.commit("remove a")
    assert run("index", "-C", str(repo.root)).code == 0
    repo.git("merge", "-q", "--no-ff", "-s", "ours", "-m", "merge", "side")
    snapshot = _snapshot(repo.root, "HEAD")
    (gone,) = snapshot.tombstones
    assert [(one.message.split("\n")[0], one.blob is None) for one in gone.revisions][-3:] == [
        ("remove a", True),
        ("70 on the side", False),
        ("merge", True),
    ]
