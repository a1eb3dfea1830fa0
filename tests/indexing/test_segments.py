"""A ledger in several files, through every command that reads or writes it. Segments have two lines here."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import RefusedError
from registry.ids import parse_ledger
from registry.indexing.indexer import IndexOptions, index
from registry.load.file_stats import scan
from registry.load.ledger_files import read_ledger_files
from registry.load.source import Commit, WorkTree, open_source
from tests.conftest import Run
from tests.support.repo import RepoBuilder

OPEN, FIRST, SECOND = (
    "definitions/ledger.jsonl",
    "definitions/ledger/000001.jsonl",
    "definitions/ledger/000002.jsonl",
)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.ids.segments.SEGMENT_LINES", 2)


@pytest.fixture
def indexed(repo: RepoBuilder) -> RepoBuilder:
    """Five definitions with ids: two sealed segments and one line."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    for name in "abcde":
        repo.define(name)
    repo.commit()
    index(repo.root)
    return repo


def lines(root: Path) -> list[str]:
    """The names in the published ledger, which is one chain."""
    ledger, problems = parse_ledger((root / "site/api/ledger.ndjson").read_bytes(), "registry-1")
    assert not problems
    return [entry.name for entry in ledger.entries]


def ledger_files(repo: RepoBuilder) -> list[str]:
    return repo.git("ls-files", OPEN, "definitions/ledger").splitlines()


def test_index_seals_segments_in_the_commit_that_assigns_ids(indexed: RepoBuilder, run: Run) -> None:
    assert ledger_files(indexed) == [OPEN, FIRST, SECOND]
    assert indexed.git("status", "--porcelain") == ""
    assert len((indexed.root / OPEN).read_text().splitlines()) == 2
    where = ("-C", str(indexed.root))
    assert run("ids", "verify", *where).out.startswith("5 lines, 5 ids in use")
    assert run("index", *where).out.startswith("Nothing to do")
    assert run("build", *where).code == 0
    assert lines(indexed.root) == ["a", "b", "c", "d", "e"]
    snapshot = json.loads((indexed.root / "site/api/snapshot.json").read_text())
    assert snapshot["ledger_lines"] == 5
    indexed.define("f")
    indexed.commit()
    index(indexed.root)
    changed = indexed.git("show", "--format=", "--name-only", "HEAD").splitlines()
    assert sorted(changed) == [OPEN, "definitions/process_definition/f.yaml"]


def test_a_ledger_in_one_file_is_split_by_the_next_run_that_adds_a_line(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    for name in "abcde":
        repo.define(name)
    repo.commit()
    monkeypatch.setattr("registry.ids.segments.SEGMENT_LINES", 128)
    index(repo.root)
    whole = (repo.root / OPEN).read_text()
    monkeypatch.setattr("registry.ids.segments.SEGMENT_LINES", 2)
    assert index(repo.root).commit is None
    repo.define("f")
    repo.commit()
    index(repo.root)
    assert ledger_files(repo) == [OPEN, FIRST, SECOND]
    sealed = (repo.root / FIRST).read_text() + (repo.root / SECOND).read_text()
    assert whole.startswith(sealed)


def test_in_a_bare_repository_and_with_push(indexed: RepoBuilder, tmp_path: Path, run: Run) -> None:
    hub = RepoBuilder.at(tmp_path / "hub.git", indexed.clock)
    indexed.git("clone", "-q", "--bare", str(indexed.root), str(hub.root))
    indexed.git("remote", "add", "origin", str(hub.root))
    indexed.define("f")
    indexed.define("g")
    indexed.commit()
    indexed.git("push", "-q", "origin", "main")
    index(hub.root)
    names = hub.git("ls-tree", "-r", "--name-only", "main", "definitions/ledger").splitlines()
    assert names == [FIRST, SECOND, "definitions/ledger/000003.jsonl"]
    indexed.git("pull", "-q", "origin", "main")
    indexed.define("h")
    indexed.commit()
    indexed.git("push", "-q", "origin", "main")
    index(indexed.root, IndexOptions(remote="origin"))
    assert hub.git("rev-parse", "refs/registry/high-water") == hub.git("rev-parse", "main")
    assert indexed.git("status", "--porcelain") == ""
    assert run("ids", "verify", "-C", str(hub.root), "--source", "main").code == 0


def test_without_a_commit_the_files_are_written_and_an_error_restores_them(
    indexed: RepoBuilder, run: Run
) -> None:
    before = {path: (indexed.root / path).read_bytes() for path in ledger_files(indexed)}
    indexed.define("f")
    indexed.define("g")
    for failing in range(1, 6):
        left = [failing]

        def step(_name: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            index(indexed.root, IndexOptions(make_commit=False), step)
        assert {path: (indexed.root / path).read_bytes() for path in before} == before
        assert indexed.git("status", "--porcelain", "definitions/ledger") == ""
    index(indexed.root, IndexOptions(make_commit=False))
    assert (indexed.root / "definitions/ledger/000003.jsonl").exists()
    indexed.commit()
    assert run("ids", "verify", "-C", str(indexed.root)).code == 0


def test_import_appends_to_the_open_segment(indexed: RepoBuilder, run: Run, tmp_path: Path) -> None:
    (tmp_path / "bee.json").write_text(
        '{"objects": [{"id": 12, "definition": {"exec": "/bin/bee", "process_name": "bee"}},'
        ' {"id": 13, "definition": {"exec": "/bin/cat", "process_name": "cat"}}]}'
    )
    outcome = run("import", str(tmp_path / "bee.json"), "-C", str(indexed.root))
    assert outcome.code == 0, outcome.err
    assert (indexed.root / "definitions/ledger/000003.jsonl").exists()
    assert run("ids", "verify", "-C", str(indexed.root)).out.startswith("7 lines, 7 ids in use")


def remove(path: Path) -> None:
    path.unlink()


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"state":"live"', '"state":"gone"', 1))


def reorder(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[::-1]))


def link(path: Path) -> None:
    aside = path.parent.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)


@pytest.mark.parametrize("tamper", [remove, edit, reorder, link])
@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_a_changed_segment_stops_build_and_index_and_names_the_file(
    indexed: RepoBuilder, run: Run, tamper: Callable[[Path], None], path: str
) -> None:
    where = ("-C", str(indexed.root))
    tamper(indexed.root / path)
    indexed.define("f")
    head = indexed.commit()
    for words in (["build"], ["ids", "verify"], ["build", "--source", "HEAD"]):
        outcome = run(*words, *where)
        assert (outcome.code, "definitions/ledger/0000" in outcome.out + outcome.err) == (1, True), outcome
    outcome = run("index", *where)
    assert (outcome.code, "definitions/ledger" in outcome.err) == (1 if tamper is link else 3, True), outcome
    assert indexed.git("rev-parse", "HEAD") == head


def test_a_tampered_or_shortened_ledger_is_recovered_file_by_file(
    indexed: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    where = ("-C", str(indexed.root))
    assert run("build", *where).code == 0
    shutil.copytree(indexed.root / "site", tmp_path / "published")
    wanted = {path: (indexed.root / path).read_bytes() for path in ledger_files(indexed)}
    recover = IndexOptions(published=str(tmp_path / "published"), recover=True)
    # Broken, and with files that do not belong there.
    edit(indexed.root / FIRST)
    indexed.write("definitions/ledger/000007.jsonl", "{}\n")
    indexed.commit()
    with pytest.raises(RefusedError, match=r"000001\.jsonl:2: the ledger is broken"):
        index(indexed.root)
    index(indexed.root, recover)
    assert {path: (indexed.root / path).read_bytes() for path in ledger_files(indexed)} == wanted
    # Set back to before the first segment was sealed.
    lines_of_first = (indexed.root / FIRST).read_text()
    indexed.write(OPEN, lines_of_first)
    shutil.rmtree(indexed.root / "definitions/ledger")
    indexed.commit("as it was with two ids")
    with pytest.raises(RefusedError, match="not all present here"):
        index(indexed.root, IndexOptions(published=str(tmp_path / "published")))
    index(indexed.root, recover)
    assert {path: (indexed.root / path).read_bytes() for path in ledger_files(indexed)} == wanted
    assert run("ids", "verify", *where).code == 0


def test_a_copied_ledger_can_be_named_by_its_open_segment(
    indexed: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(indexed.root / "definitions", copy)
    for path in (OPEN, FIRST, SECOND):
        (indexed.root / path).unlink()
    indexed.commit()
    published = str(copy / "ledger.jsonl")
    index(indexed.root, IndexOptions(published=published, recover=True))
    assert run("ids", "verify", "-C", str(indexed.root)).code == 0
    (copy / "ledger/000002.jsonl").unlink()
    outcome = run("index", "--published", published, "-C", str(indexed.root))
    assert (outcome.code, "000002.jsonl:1: the ledger is broken: this segment is missing" in outcome.err) == (
        2,
        True,
    )


def test_a_change_of_a_segment_is_reported_by_review(indexed: RepoBuilder, run: Run) -> None:
    indexed.git("checkout", "-q", "-b", "change")
    for tamper, path in ((edit, FIRST), (remove, SECOND)):
        tamper(indexed.root / path)
        indexed.commit()
        outcome = run("check", "--base", "main", "-C", str(indexed.root))
        assert (outcome.code, f"{path}:1:1: error I034" in outcome.out) == (1, True), outcome
        assert "git restore --source TARGET --staged --worktree -- definitions/ledger" in outcome.out
        indexed.git("restore", "--source", "main", "--staged", "--worktree", "--", "definitions/ledger")
        indexed.commit()
    indexed.write("definitions/ledger/000003.jsonl", "{}\n")
    assert "I034" in run("check", "--base", "main", "-C", str(indexed.root)).out
    indexed.git("add", "-A")
    indexed.git("restore", "--source", "main", "--staged", "--worktree", "--", "definitions/ledger")
    assert run("check", "--base", "main", "-C", str(indexed.root)).code == 0


def test_two_branches_that_append_conflict_whatever_they_seal(indexed: RepoBuilder) -> None:
    start = indexed.git("rev-parse", "HEAD")
    for branch, names in (("one", "f"), ("seals", "gh"), ("also-seals", "ij")):
        indexed.git("checkout", "-q", "-b", branch, start)
        for name in names:
            indexed.define(name)
        indexed.commit()
        index(indexed.root)
    for ours, theirs in (("one", "seals"), ("seals", "one"), ("seals", "also-seals")):
        indexed.git("checkout", "-q", ours)
        indexed.git("merge", "-q", "--no-edit", theirs, ok=False)
        assert OPEN in indexed.git("diff", "--name-only", "--diff-filter=U").splitlines()
        indexed.git("merge", "--abort")


def test_files_that_are_not_checked_out_are_not_taken_for_lost(indexed: RepoBuilder, run: Run) -> None:
    indexed.git("sparse-checkout", "set", "--no-cone", "/*", f"!/{FIRST}")
    assert not (indexed.root / FIRST).exists()
    outcome = run("ids", "verify", "-C", str(indexed.root))
    assert (outcome.code, f"{FIRST}: not checked out (sparse checkout)" in outcome.err) == (3, True), outcome
    assert run("ids", "verify", "--source", "HEAD", "-C", str(indexed.root)).code == 0


def test_a_partial_clone_without_the_segments_is_reported(
    indexed: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    # Another ledger on HEAD, so that the checkout does not bring the older segments.
    before = indexed.git("rev-parse", "HEAD")
    indexed.git("rm", "-q", "-r", OPEN, "definitions/ledger")
    indexed.commit()
    indexed.git("config", "uploadpack.allowFilter", "true")
    part = tmp_path / "part"
    indexed.git("clone", "-q", "--filter=blob:none", f"file://{indexed.root}", str(part))
    outcome = run("ids", "verify", "--source", before, "-C", str(part))
    assert (outcome.code, "git fetch --refetch --no-filter" in outcome.err) == (2, True), outcome


def test_a_change_of_a_segment_is_a_change_of_the_files(indexed: RepoBuilder) -> None:
    before = scan(indexed.root)
    edit(indexed.root / FIRST)
    assert scan(indexed.root).changed_since(before) == {FIRST}


def test_a_commit_and_its_checkout_give_the_same_files(indexed: RepoBuilder) -> None:
    commit = open_source(indexed.root, "HEAD")
    assert isinstance(commit, Commit)
    files = read_ledger_files(commit)
    assert files == read_ledger_files(WorkTree(indexed.root))
    assert list(files.sealed) == [FIRST, SECOND]
    indexed.write("definitions/ledger/README.md", "What is here?")
    indexed.write("definitions/ledger/.000003.jsonl.swp", "")
    assert files == read_ledger_files(WorkTree(indexed.root))


def test_what_is_not_part_of_the_ledger_has_no_place_in_its_folder(indexed: RepoBuilder, run: Run) -> None:
    where = ("-C", str(indexed.root))
    indexed.write("definitions/ledger/x.yaml", "title: T\ndefinition: {exec: x}\n")
    outcome = run("check", *where)
    assert (outcome.code, "Y024: this folder holds the sealed segments" in outcome.out) == (1, True), outcome
    (indexed.root / "definitions/ledger/x.yaml").unlink()
    indexed.write("schema/ledger.schema.json", "{}")
    outcome = run("check", *where)
    assert "`ledger` cannot be the name of a kind: the ledger uses this folder" in outcome.out
    (indexed.root / "schema/ledger.schema.json").unlink()
    outcome = run("new", "ledger", "x", *where)
    assert (outcome.code, "`ledger` cannot be the name of a kind" in outcome.err) == (2, True)
    shutil.rmtree(indexed.root / "definitions/ledger")
    indexed.write("definitions/ledger", "")
    outcome = run("check", *where)
    assert (outcome.code, "definitions/ledger:1:1: error Y022" in outcome.out) == (1, True), outcome


@pytest.mark.parametrize(
    ("text", "is_old"),
    [
        ("*.png binary\ndefinitions/ledger.jsonl   -text\n", True),
        ("definitions/ledger.jsonl -text\ndefinitions/ledger/** -text\n", False),
        ("definitions/ledger.jsonl -text\ndefinitions/ledger/* -text eol=lf\n", False),
        ("* -text\n", False),
        ("", False),
    ],
)
def test_attributes_from_before_there_were_segments_are_reported(
    indexed: RepoBuilder, run: Run, text: str, is_old: bool
) -> None:
    indexed.write(".gitattributes", text)
    indexed.commit()
    for source in ("worktree", "HEAD"):
        outcome = run("check", "--source", source, "-C", str(indexed.root))
        assert (outcome.code, "I028" in outcome.out) == (0, is_old), outcome
        assert not is_old or "add the line: definitions/ledger/** -text" in outcome.out
