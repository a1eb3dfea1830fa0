"""Files that are not here are not deleted: sparse checkouts, partial clones; and submodules, the same in both sources."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from registry.git import may_hide_files
from registry.load.file_stats import scan
from registry.load.source import EntryType, WorkTree, open_source
from tests.conftest import Run
from tests.support.repo import PROCESS, RepoBuilder


@pytest.fixture
def two(repo: RepoBuilder) -> RepoBuilder:
    """Definitions in two folders."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("here/a", "id: 1\n" + PROCESS.format(title="A", name="a"))
    repo.define("there/b", "id: 2\n" + PROCESS.format(title="B", name="b"))
    repo.write("README", "x")
    repo.commit()
    return repo


SPARSE: dict[str, Sequence[Sequence[str]]] = {
    "cone": [["sparse-checkout", "set", "definitions/process_definition/here"]],
    "no cone": [["sparse-checkout", "set", "--no-cone", "/*", "!/definitions/process_definition/there/"]],
    "no settings": [["sparse-checkout", "set", "--no-cone", "/*", "!/registry.yaml"]],
    "sparse index": [["sparse-checkout", "set", "--sparse-index", "definitions/process_definition/here"]],
    "index version 4": [
        ["update-index", "--index-version", "4"],
        ["sparse-checkout", "set", "definitions/process_definition/here"],
    ],
    "nothing at all": [["sparse-checkout", "set", "other"]],
    "split index": [
        ["sparse-checkout", "set", "definitions/process_definition/here"],
        ["update-index", "--split-index"],
    ],
}


@pytest.mark.parametrize("how", SPARSE)
def test_a_sparse_checkout_that_lacks_files_of_the_registry_is_refused(
    how: str, two: RepoBuilder, run: Run
) -> None:
    for words in SPARSE[how]:
        two.git(*words)
    for words in (
        ["check"],
        ["check", "--changed"],
        ["build"],
        ["list"],
        ["review", "--base", "HEAD"],
        ["diff"],
        ["index"],
    ):
        outcome = run(*words, "-C", str(two.root))
        assert (
            outcome.code,
            "not checked out (sparse checkout)" in outcome.err,
            "--source HEAD" in outcome.err,
        ) == (3, True, True), (
            words,
            outcome.err,
        )
    assert not (two.root / "site").exists()
    built = run("build", "--source", "HEAD", "-C", str(two.root), "--format", "json")
    assert (built.code, json.loads(built.out)["definitions"]) == (0, 2)
    two.git("sparse-checkout", "disable")
    assert run("check", "-C", str(two.root)).code == 0


def test_one_file_that_was_marked_by_hand_is_not_deleted(two: RepoBuilder, run: Run) -> None:
    path = "definitions/process_definition/there/b.yaml"
    two.git("update-index", "--skip-worktree", path)
    assert run("check", "-C", str(two.root)).code == 0  # it is here
    (two.root / path).unlink()
    outcome = run("build", "-C", str(two.root))
    assert (outcome.code, path in outcome.err) == (3, True)


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_file_that_git_assumes_unchanged_is_not_deleted(version: str, two: RepoBuilder, run: Run) -> None:
    path = "definitions/process_definition/there/b.yaml"
    two.git("update-index", "--index-version", version)
    two.git("update-index", "--assume-unchanged", path)
    assert run("check", "-C", str(two.root)).code == 0  # it is here
    (two.root / path).unlink()
    for command in ("check", "build", "list"):
        outcome = run(command, "-C", str(two.root))
        assert (outcome.code, path in outcome.err, "--no-assume-unchanged" in outcome.err) == (3, True, True)
    two.git("update-index", "--no-assume-unchanged", path)
    assert run("check", "-C", str(two.root)).code == 0  # deleted, and git says so


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_long_names_and_all_lengths_are_found_in_the_index(object_format: str, two: RepoBuilder) -> None:
    shutil.rmtree(two.root / ".git")
    two.git("init", "-q", "-b", "main", f"--object-format={object_format}")
    two.commit()
    for length in (*range(1, 17), 4_090, 4_100):
        name = "/".join("n" * min(200, length - start) for start in range(0, length, 200))
        two.git(
            "update-index", "--add", "--cacheinfo", "100644", two.git("rev-parse", "HEAD:README"), f"z/{name}"
        )
    assert not may_hide_files(two.root / ".git")
    two.git("update-index", "--assume-unchanged", "registry.yaml")
    assert may_hide_files(two.root / ".git")


def test_a_sparse_checkout_with_the_whole_registry_is_fine(two: RepoBuilder, run: Run) -> None:
    two.write("big/file", "x")
    two.commit()
    two.git("sparse-checkout", "set", "definitions")
    assert not (two.root / "big").exists()
    assert run("check", "-C", str(two.root)).code == 0
    assert run("build", "-C", str(two.root)).code == 0


@pytest.mark.parametrize("what", ["blob:none", "tree:0"])
def test_a_partial_clone_names_the_command_that_completes_it(
    what: str, two: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    two.define("here/a", "id: 1\n" + PROCESS.format(title="A", name="other"))
    two.define("there/b", "id: 2\n" + PROCESS.format(title="B", name="other"))
    two.commit()
    two.git("config", "uploadpack.allowFilter", "true")
    two.git("clone", "-q", "-o", "up", f"--filter={what}", f"file://{two.root}", str(tmp_path / "part"))
    part = RepoBuilder.at(tmp_path / "part", 0)
    assert run("check", "-C", str(part.root)).code == 0
    hint = "git fetch --refetch --no-filter up"
    for words in (
        ["check", "--source", "HEAD~1"],
        ["diff", "HEAD~1"],
        ["build"],
        ["log", "here/a"],
        ["review", "--base", "HEAD~1"],
    ):
        outcome = run(*words, "-C", str(part.root))
        assert (outcome.code, hint in outcome.err) == (2, True), (words, outcome.err, outcome.out)
    part.git(*hint.split()[1:], "-q")
    for words in (["check", "--source", "HEAD~1"], ["build"], ["diff", "HEAD~1"]):
        outcome = run(*words, "-C", str(part.root))
        assert outcome.code in (0, 1), outcome.err
        assert "partial" not in outcome.err
    assert json.loads((part.root / "site/api/process_definition/1/history.json").read_text())["revisions"][1]


FOLDERS = (
    "definitions/process_definition/sub",
    "definitions/process_definition/sub.yaml",
    "schema",
    "definitions",
)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("is_checked_out", [True, False])
def test_a_submodule_is_the_same_error_in_the_work_tree_and_in_a_commit(
    folder: str, is_checked_out: bool, repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    library = RepoBuilder(tmp_path / "library")
    library.write("x.yaml", PROCESS.format(title="X", name="x"))
    library.write("x.schema.json", "{}")
    library.commit()
    if not folder.startswith("definitions"):
        repo.define("a")
    else:
        repo.write("README", "x")
    repo.commit()
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), folder)
    repo.commit()
    if not is_checked_out:
        repo.git("submodule", "deinit", "-q", "-f", folder)
    found = []
    for source in ("worktree", "HEAD"):
        outcome = run("check", "--source", source, "--format", "json", "-C", str(repo.root))
        assert outcome.code == 1
        found.append(
            [(one["rule"], one["path"], one["message"]) for one in json.loads(outcome.out)["problems"]]
        )
    assert found[0] == found[1]
    assert any(path == folder and "submodule" in message for _, path, message in found[0])


def test_a_repository_inside_that_was_not_added_yet_is_a_submodule(two: RepoBuilder) -> None:
    inner = RepoBuilder(two.root / "definitions/process_definition/inner")
    inner.write("deep/x.yaml", "title: X\n")
    inner.commit()
    looking, believing = WorkTree(two.root), WorkTree(two.root)
    believing.use(scan(two.root))
    for source in (looking, believing):
        found = {entry.path: entry.type for entry in source.entries("definitions")}
        assert found.pop("definitions/process_definition/inner") is EntryType.SUBMODULE
        assert set(found.values()) == {EntryType.FILE}
        assert len(found) == 2
    two.commit()
    assert open_source(two.root, "HEAD").entries("definitions") == looking.entries("definitions")


def test_a_submodule_is_refused_in_every_build(two: RepoBuilder, run: Run, tmp_path: Path) -> None:
    assert run("build", "-C", str(two.root)).code == 0
    library = RepoBuilder(tmp_path / "library")
    library.define("x")
    library.commit()
    two.git(
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        str(library.root),
        "definitions/process_definition/sub",
    )
    two.commit()
    assert run("build", "-C", str(two.root)).code == 1
    two.git("submodule", "deinit", "-q", "-f", "--all")
    assert run("build", "-C", str(two.root)).code == 1


@pytest.mark.parametrize("folder", ["definitions", "schema"])
def test_a_folder_that_is_a_link_is_the_same_error_in_both(folder: str, repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.write("schema/x.schema.json", "{}")
    repo.commit()
    (repo.root / folder).rename(repo.root / "moved")
    (repo.root / folder).symlink_to("moved", target_is_directory=True)
    repo.commit()
    for source in ("worktree", "HEAD"):
        outcome = run("check", "--source", source, "-C", str(repo.root))
        assert (outcome.code, "a symbolic link is not read" in outcome.out) == (1, True), (
            source,
            outcome.out,
        )
