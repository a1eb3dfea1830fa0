"""Histories with merges, where git is the oracle."""

import subprocess
from pathlib import Path

import pytest

from registry.blame import blame
from registry.build import snapshot_of
from registry.cache import Cache
from registry.history import Revision
from registry.memory import Memory
from registry.snapshot import Snapshot
from registry.source import open_source
from tests.support.merged_history import KIND, GitView, MergedHistory
from tests.support.repo import RepoBuilder

SEEDS = range(12)


def _snapshot(root: Path, commit: str, memory: Memory | None = None) -> Snapshot:
    found, problems = snapshot_of(open_source(root, commit), memory=memory)
    assert found is not None, problems
    return found


def _listed(snapshot: Snapshot) -> dict[str, list[Revision]]:
    return {one.path: [*snapshot.revisions_of(one)] for one in snapshot.definitions}


@pytest.mark.parametrize("reuses_names", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
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
@pytest.mark.parametrize("seed", SEEDS)
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
            assert f"{key}: {value}\n" in written or f"{key}: [{value}]\n" in written or (key == "description" and "description: >" in written)


@pytest.mark.parametrize("reuses_names", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_reading_new_commits_gives_what_reading_all_gives(repo: RepoBuilder, seed: int, reuses_names: bool) -> None:
    history = MergedHistory(seed, reuses_names=reuses_names)
    names = history.write(repo.root)
    memory = Memory(Cache(repo.root))
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
