"""The history of one definition from its own commits, compared with the full history."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from registry.history.path_history import PathReader
from registry.load.source import open_source
from registry.model.revision import Revision
from registry.pipeline import snapshot_of
from registry.snapshot import Snapshot
from tests.support.merged_history import MergedHistory
from tests.support.repo import RepoBuilder

# Lines enough for git to find a rename, or a text that has nothing in common with it.
LONG = "{head}title: {title}\nowners: [team]\ndescription: >\n  Some text that stays,\n  and some more of it.\ndefinition: {{exec: /bin/x}}\n"
OTHER = "{head}title: Z\ndefinition:\n  exec: /opt/quite/another/program\n  argv: [--all, --of, --it]\nowners: [others]\n"


def no_names(_kind: str, _number: int) -> Iterable[str]:
    return ()


def everything(root: Path, commit: str = "HEAD") -> Snapshot:
    found, problems = snapshot_of(open_source(root, commit))
    assert found is not None, problems
    return found


def compared(snapshot: Snapshot, root: Path) -> dict[str, bool]:
    """By path, whether the definition's own commits were enough; its revisions are those of the full history."""
    source = open_source(root, snapshot.commit or "")
    assert source.repository is not None
    prefix = source.repository.prefix_of(root)
    found = {}
    for one in snapshot.definitions:
        reader = PathReader(source.repository, snapshot.commit or "", prefix)
        history = reader.history_of(one.kind, one.id, one.path, no_names)
        found[one.path] = history is not None
        if history is not None:
            assert [*history.of(one.kind, one.id, one.path)] == [*snapshot.revisions_of(one)], one.path
    return found


@pytest.mark.parametrize("reuses_names", [False, True])
@pytest.mark.parametrize("seed", [0, 2, 3, 9, 19, 51, 68, 73])
def test_random_histories_with_merges(repo: RepoBuilder, seed: int, reuses_names: bool) -> None:
    history = MergedHistory(seed, reuses_names=reuses_names)
    head = history.write(repo.root)[history.main]
    found = compared(everything(repo.root, head), repo.root)
    assert reuses_names or any(found.values())


def messages(root: Path, name: str, number: int | None) -> list[str] | None:
    """The messages of the revisions from the definition's own commits; None if these are not enough."""
    source = open_source(root, "HEAD")
    assert source.repository is not None
    assert source.commit is not None
    reader = PathReader(source.repository, source.commit, source.repository.prefix_of(root))
    path = f"definitions/process_definition/{name}.yaml"
    history = reader.history_of("process_definition", number, path, no_names)
    return [one.message for one in history.of("process_definition", number, path)] if history else None


def test_an_id_leads_to_the_old_name_where_git_finds_no_rename(repo: RepoBuilder) -> None:
    repo.define("a", LONG.format(head="id: 1\n", title="One"))
    repo.define("z")
    repo.commit("add")
    repo.git("rm", "-q", "definitions/process_definition/a.yaml")
    repo.define("b", OTHER.format(head="id: 1\n"))
    repo.commit("move and rewrite")
    assert messages(repo.root, "b", 1) == ["add", "move and rewrite"]
    assert all(compared(everything(repo.root), repo.root).values())


def test_an_id_leads_to_a_file_that_stays_without_it(repo: RepoBuilder) -> None:
    repo.define("a", LONG.format(head="id: 1\n", title="One"))
    repo.commit("add")
    repo.define("a", LONG.format(head="", title="One"))
    repo.define("b", OTHER.format(head="id: 1\n"))
    repo.commit("move the id")
    assert messages(repo.root, "b", 1) == ["add", "move the id"]
    assert messages(repo.root, "a", None) == ["move the id"]
    assert all(compared(everything(repo.root), repo.root).values())


def test_names_that_are_swapped_and_reused_are_told_apart(repo: RepoBuilder) -> None:
    one, two = (LONG.format(head=f"id: {number}\n", title=f"T{number}") for number in (1, 2))
    repo.define("a", one)
    repo.define("b", two)
    repo.commit("add")
    repo.define("a", two)
    repo.define("b", one)
    repo.commit("swap")
    repo.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/c.yaml")
    repo.commit("rename")
    repo.define("a", OTHER.format(head="id: 3\n"))
    repo.commit("another a")
    assert messages(repo.root, "c", 2) == ["add", "swap", "rename"]
    assert messages(repo.root, "b", 1) == ["add", "swap"]
    assert messages(repo.root, "a", 3) == ["another a"]
    assert all(compared(everything(repo.root), repo.root).values())


def test_edits_that_a_merge_brings_or_discards_are_found(repo: RepoBuilder) -> None:
    repo.define("a", LONG.format(head="", title="One"))
    repo.define("z")
    repo.commit("add")
    for strategy, title in (("ours", "Discarded"), ("ort", "Taken")):
        repo.git("checkout", "-q", "-b", title)
        repo.define("a", LONG.format(head="", title=title))
        repo.commit(title)
        repo.git("checkout", "-q", "main")
        repo.define("z", LONG.format(head="", title=title))
        repo.commit("z")
        repo.git("merge", "-q", "--no-ff", "-s", strategy, "-m", f"merge {title}", title)
    assert messages(repo.root, "a", None) == ["add", "Discarded", "merge Discarded", "Taken"]
    assert all(compared(everything(repo.root), repo.root).values())


def test_renames_in_a_folder_and_to_another_one_are_followed(repo: RepoBuilder) -> None:
    start = "definitions/process_definition"
    for name in ("one/a", "one/z", "two/z"):
        repo.define(name, LONG.format(head="", title=name))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("one/a", LONG.format(head="", title="One"))
    repo.commit("edit at the first name")
    repo.git("checkout", "-q", "main")
    repo.define("one/z")
    repo.commit("edit another file")
    repo.git("mv", f"{start}/one/a.yaml", f"{start}/one/b.yaml")
    repo.commit("rename")
    repo.git("mv", f"{start}/one/b.yaml", f"{start}/two/c.yaml")
    repo.commit("move")
    repo.git("mv", f"{start}/two/c.yaml", f"{start}/d.yaml")
    repo.commit("move up")
    repo.git("merge", "-q", "-m", "merge", "side")
    assert messages(repo.root, "d", None) == ["add", "rename", "move", "move up", "edit at the first name"]
    assert all(compared(everything(repo.root), repo.root).values())


def test_where_another_file_may_matter_the_full_history_is_needed(repo: RepoBuilder) -> None:
    text = LONG.format(head="id: 1\n", title="One")
    file = repo.define("a", text)
    repo.define("z")
    repo.commit("add")
    file.unlink()
    repo.commit("remove")
    repo.define("a", text)
    repo.commit("restore")
    assert messages(repo.root, "a", 1) is None
    assert messages(repo.root, "a", 7) is None
    assert messages(repo.root, "z", None) == ["add"]


def test_known_names_of_an_id_are_followed(repo: RepoBuilder) -> None:
    """A copy with the id, and the deletion of the original in the next commit: only the ledger connects them."""
    text = LONG.format(head="id: 1\n", title="One")
    file = repo.define("a", text)
    repo.define("z")
    repo.commit("add")
    repo.define("b", text)
    repo.commit("copy")
    file.unlink()
    repo.commit("remove the original")
    repo.define("b", text.replace("One", "Two"))
    repo.commit("edit")
    source = open_source(repo.root, "HEAD")
    assert source.repository is not None
    reader = PathReader(source.repository, source.commit or "", "")
    asked: list[tuple[str, int]] = []

    def names(kind: str, number: int) -> Iterable[str]:
        asked.append((kind, number))
        return ("a", "b")

    assert reader.history_of("process_definition", 1, "definitions/process_definition/b.yaml", names) is None
    assert ("process_definition", 1) in asked


def test_edits_of_a_copy_with_the_id_on_a_branch_are_only_in_the_full_history(repo: RepoBuilder) -> None:
    """No commit with the copy changes a known name: only reading all contents leads to it."""
    text = LONG.format(head="id: 1\n", title="One")
    repo.define("a", text)
    repo.define("z")
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    copy = repo.define("b", text)
    repo.commit("copy with the id")
    repo.define("b", text.replace("One", "Two"))
    repo.commit("edit the copy")
    copy.unlink()
    repo.commit("remove the copy")
    repo.git("checkout", "-q", "main")
    repo.define("z", LONG.format(head="", title="Z"))
    repo.commit("z")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert messages(repo.root, "a", 1) == ["add"]
    full = everything(repo.root)
    revisions = full.revisions_of(next(one for one in full.definitions if one.name == "a"))
    assert [one.message for one in revisions] == ["add", "edit the copy", "remove the copy", "merge"]


def test_a_deleted_file_that_had_the_id_by_mistake_is_only_in_the_full_history(repo: RepoBuilder) -> None:
    """No commit with that file changes a known name: only reading all contents leads to it."""
    repo.define("a", LONG.format(head="", title="One"))
    repo.commit("add")
    file = repo.define("b", OTHER.format(head="id: 1\n"))
    repo.commit("another file with an id")
    file.unlink()
    repo.commit("remove it")
    repo.define("a", LONG.format(head="id: 1\n", title="One"))
    repo.commit("give the id")
    assert messages(repo.root, "a", 1) == ["add", "give the id"]
    full = everything(repo.root)
    (definition,) = full.definitions
    assert [one.message for one in full.revisions_of(definition)] == [
        "another file with an id",
        "remove it",
        "give the id",
    ]


def test_a_registry_in_a_folder_of_its_repository(repo: RepoBuilder) -> None:
    inner = RepoBuilder.at(repo.root / "some/folder", repo.clock)
    inner.define("a", LONG.format(head="id: 1\n", title="One"))
    repo.write("definitions/process_definition/a.yaml", "title: outside\n")
    repo.commit("add")
    inner.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/b.yaml")
    repo.commit("rename")
    assert messages(inner.root, "b", 1) == ["add", "rename"]
    assert all(compared(everything(inner.root), inner.root).values())


def test_very_many_connected_names_are_left_to_the_full_history(repo: RepoBuilder) -> None:
    lines = []
    for number in range(110):
        lines += [
            f"commit refs/heads/main\ncommitter A <a@example.org> {1_700_000_000 + number} +0000\ndata 1\nx\n",
            f"D definitions/process_definition/n{number - 1}.yaml\n" if number else "",
            f"M 100644 inline definitions/process_definition/n{number}.yaml\n"
            f"data <<E\n{LONG.format(head='', title='T')}E\n",
        ]
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=repo.root, input="".join(lines).encode(), check=True
    )
    assert messages(repo.root, "n109", None) is None


def test_a_large_commit_is_searched_for_an_id_that_may_have_moved(repo: RepoBuilder) -> None:
    for number in range(510):
        repo.define(f"m/{number}", f"title: T{number}\nowners: [t]\ndefinition: {{exec: /bin/m}}\n")
    repo.define("a", LONG.format(head="id: 1\n", title="One"))
    repo.commit("add")
    for number in range(510):
        repo.define(f"m/{number}", f"title: U{number}\nowners: [t]\ndefinition: {{exec: /bin/m}}\n")
    repo.git("rm", "-q", "definitions/process_definition/a.yaml")
    repo.define("b", OTHER.format(head="id: 1\n"))
    repo.commit("move and rewrite, with many others")
    assert messages(repo.root, "b", 1) == ["add", "move and rewrite, with many others"]


def test_revisions_have_the_facts_of_their_commits(repo: RepoBuilder) -> None:
    repo.define("a")
    commit = repo.commit("add a\n\nWith a body.")
    source = open_source(repo.root, "HEAD")
    assert source.repository is not None
    path = "definitions/process_definition/a.yaml"
    history = PathReader(source.repository, commit, "").history_of("process_definition", None, path, no_names)
    assert history is not None
    (one,) = history.of("process_definition", None, path)
    blob = repo.git("rev-parse", f"HEAD:{path}")
    assert one == Revision(
        1, commit, "Ana Autor", "2023-11-15T01:13:20+02:00", "add a\n\nWith a body.", "a", blob, None
    )
