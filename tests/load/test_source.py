"""The work tree and commits as sources: the same files, nothing else, links never followed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.load.file_stats import scan
from registry.load.source import Commit, EntryType, SourceEntry, WorkTree, blob_id, open_source
from tests.conftest import Run
from tests.support.repo import RepoBuilder


def test_a_commit_and_its_clean_work_tree_hold_the_same_files(repo: RepoBuilder) -> None:
    repo.define("b/two")
    repo.define("a")
    repo.define("b-x")
    commit = repo.commit()
    tree, past = open_source(repo.root), open_source(repo.root, commit)
    assert tree.entries("definitions") == past.entries("definitions")
    paths = [entry.path for entry in tree.entries("definitions")]
    # In byte order: `-` comes before `/`.
    assert paths == [f"definitions/process_definition/{name}.yaml" for name in ("a", "b-x", "b/two")]
    assert list(tree.read_many(paths)) == list(past.read_many(paths))
    assert tree.commit == past.commit == commit


def test_an_older_commit_is_read_without_checking_it_out(repo: RepoBuilder) -> None:
    path = repo.define("a", "title: Old\n")
    repo.commit()
    path.write_text("title: New\n")
    repo.commit()
    assert open_source(repo.root, "HEAD~1").read("definitions/process_definition/a.yaml") == b"title: Old\n"
    assert path.read_text() == "title: New\n"


def test_a_registry_in_a_folder_of_its_repository_sees_only_that_folder(repo: RepoBuilder) -> None:
    inner = RepoBuilder.__new__(RepoBuilder)
    inner.root = repo.root / "registry"
    inner.define("a")
    repo.write("definitions/process_definition/outside.yaml", "x")
    repo.commit()
    found = open_source(repo.root / "registry", "HEAD").entries("definitions")
    assert found == [SourceEntry("definitions/process_definition/a.yaml", EntryType.FILE)]


def test_links_pipes_and_missing_files_are_never_read(repo: RepoBuilder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    repo.define("a")
    folder = repo.root / "definitions/process_definition"
    (folder / "link.yaml").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    repo.commit()
    os.mkfifo(folder / "pipe.yaml")
    for source in (open_source(repo.root), open_source(repo.root, "HEAD")):
        assert source.read("definitions/process_definition/link.yaml") is None
        assert source.read("definitions/process_definition/none.yaml") is None
        types = {entry.path.rsplit("/", 1)[1]: entry.type for entry in source.entries("definitions")}
        assert types["link.yaml"] is types["linked"] is EntryType.LINK
    assert WorkTree(repo.root).read("definitions/process_definition/pipe.yaml") is None
    assert {e.path: e.type for e in WorkTree(repo.root).entries("definitions")}[
        "definitions/process_definition/pipe.yaml"
    ] is EntryType.OTHER


def test_nothing_is_read_through_a_folder_that_is_a_link(repo: RepoBuilder, tmp_path: Path) -> None:
    (tmp_path / "other/process_definition").mkdir(parents=True)
    (tmp_path / "other/ledger.jsonl").write_text("x")
    (tmp_path / "other/process_definition/a.yaml").write_text("x")
    repo.write("README", "x")
    (repo.root / "definitions").symlink_to(tmp_path / "other", target_is_directory=True)
    repo.commit()
    for source in (WorkTree(repo.root), open_source(repo.root, "HEAD")):
        for path in ("definitions/ledger.jsonl", "definitions/process_definition/a.yaml"):
            assert (source.read(path), source.type_of(path)) == (None, None)
            assert list(source.read_many([path])) == [(path, None)]
        assert source.read("README") == b"x"
        assert source.type_of("definitions") is EntryType.LINK


@pytest.mark.parametrize("path", ["registry.yaml", "definitions/ledger.jsonl", "site_templates/base.html"])
@pytest.mark.parametrize("what", ["link", "dangling link", "folder"])
def test_what_is_no_plain_file_is_an_error_and_never_means_defaults(
    what: str, path: str, repo: RepoBuilder, run: Run
) -> None:
    repo.define("a")
    place = repo.write(path, "")
    place.unlink()
    if what == "folder":
        repo.write(f"{path}/x", "")
    else:
        repo.write("elsewhere", "")
        place.symlink_to(repo.root / "elsewhere" if what == "link" else "/nonexistent")
    repo.commit()
    if what == "folder" and path.startswith("site_templates"):
        return  # folders of templates are allowed
    for words in (["check"], ["check", "--source", "HEAD"], ["build"], ["build", "--source", "HEAD"]):
        outcome = run(*words, "-C", str(repo.root))
        assert (outcome.code, f"{path}:1:1: error Y022" in outcome.out + outcome.err) == (1, True), outcome


@pytest.mark.parametrize("revision", ["nonsense", "--help", "HEAD~99", "-x", "main:definitions", ""])
def test_a_commit_that_does_not_exist_is_wrong_use(repo: RepoBuilder, revision: str) -> None:
    repo.define("a")
    repo.commit()
    with pytest.raises(UsageError, match="there is no commit"):
        open_source(repo.root, revision)


def test_a_bare_repository_can_be_read_by_commit_only(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit()
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.root), str(bare))
    with pytest.raises(UsageError, match="bare repository"):
        open_source(bare)
    source = open_source(bare, "main")
    assert isinstance(source, Commit)
    assert len(source.entries("definitions")) == 1


def test_blob_ids_are_those_of_git(repo: RepoBuilder) -> None:
    path = repo.define("a")
    assert blob_id(path.read_bytes()) == repo.git("hash-object", str(path))


def test_environment_and_configuration_of_whoever_runs_it_do_not_matter(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repo.define("a")
    commit = repo.commit()
    evil = tmp_path / "ran"
    hook = repo.write(".git/hooks/post-index-change", f"#!/bin/sh\ntouch {evil}\n")
    hook.chmod(0o755)
    repo.git("config", "core.fsmonitor", f"touch {evil}")
    repo.git("config", "diff.external", f"touch {evil}")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    source = open_source(repo.root)
    assert source.commit == commit
    assert source.repository is not None
    assert source.repository.changed_paths("definitions") == {}
    assert not evil.exists()


def test_a_scan_that_is_believed_tells_the_same_as_looking_again(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.define("deep/er/b")
    repo.write("samples/x.txt", "x")
    (repo.root / "definitions/process_definition/link.yaml").symlink_to("a.yaml")
    (repo.root / "definitions/process_definition/folder").symlink_to(repo.root)
    os.mkfifo(repo.root / "definitions/process_definition/pipe.yaml")
    looking, believing = WorkTree(repo.root), WorkTree(repo.root)
    seen = scan(repo.root)
    believing.use(seen)
    for folder in ("definitions", "samples", "schema", "site_templates", "definitions/process_definition"):
        assert believing.entries(folder) == looking.entries(folder)
        assert believing.entries(folder, {"definitions/process_definition/a.yaml"}) == looking.entries(
            folder, {"definitions/process_definition/a.yaml"}
        )
    paths = [entry.path for entry in looking.entries("definitions")]
    believed, looked = believing.facts(paths), looking.facts(paths)
    assert {path: believed[path] for path in paths} == {path: looked[path] for path in paths}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_process_of_its_own_sees_what_a_look_sees_and_need_not_live(
    repo: RepoBuilder, is_killed: bool
) -> None:
    for number in range(50):
        repo.define(f"d{number}")
    code = (
        "import sys, psutil; from pathlib import Path; from registry.load.file_stats import PendingScan, scan\n"
        "root = Path(sys.argv[1]); pending = PendingScan(root); children = psutil.Process().children()\n"
        f"if {is_killed}: [child.kill() for child in children]\n"
        "found, plain = pending.scan(), scan(root)\n"
        "print(len(children), found.facts == plain.facts, found.digest == plain.digest, len(found.facts), psutil.Process().children())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(repo.root)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 True True 50 []\n"
