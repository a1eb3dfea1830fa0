"""`show`, `log` and `blame` read one definition; the output is that of a snapshot of everything."""

import json
import shutil
from pathlib import Path

import pytest

from registry.cli import lookup, main
from tests.conftest import Outcome, Run
from tests.support.repo import RepoBuilder

TEXT = "{head}title: {title}\nowners: [team]\ndescription: >\n  Some text that stays,\n  and some more of it.\ndefinition:\n  exec: /bin/x\n  environment: {{LEVEL: {level}}}\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Ids from the ledger, a rename, an edit by a merge, a credential that was removed, and a mailmap."""
    repo = RepoBuilder(tmp_path_factory.mktemp("original") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.write(".mailmap", "Ana Author <ana@example.org>\n")
    token = "Zx81kLq9" + "3vbnTT42pq"
    repo.define("a", TEXT.format(head="", title="One", level="info"))
    repo.define("old", TEXT.format(head="", title="Old", level=token).replace("LEVEL", "DB_PASSWORD"))
    repo.define("7", TEXT.format(head="", title="Seven", level="info"))
    repo.define("x", kind="application")
    repo.define("x", TEXT.format(head="", title="Both kinds", level="info"))
    repo.commit("add")
    repo.define("old", TEXT.format(head="", title="Old", level="info"))
    repo.commit("remove the secret")
    assert main(["index", "-C", str(repo.root)]) == 0
    repo.git("checkout", "-q", "-b", "side")
    file = repo.root / "definitions/process_definition/old.yaml"
    file.write_text(file.read_text().replace("Old", "Older"))
    repo.commit("on the side")
    repo.git("checkout", "-q", "main")
    repo.git("mv", "definitions/process_definition/old.yaml", "definitions/process_definition/new.yaml")
    repo.commit("rename")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


@pytest.fixture
def indexed(original: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A copy of that registry."""
    return original.copied_to(tmp_path / "repo")


def id_of(repo: RepoBuilder, name: str) -> str:
    text = (repo.root / f"definitions/process_definition/{name}.yaml").read_text()
    return next(line for line in text.splitlines() if line.startswith("id: ")).removeprefix("id: ")


def outcomes(run: Run, repo: RepoBuilder, word: str) -> list[Outcome]:
    commands = [
        ["show", word],
        ["show", word, "--format", "json"],
        ["show", f"{word}@1", "--format", "json"],
        ["show", f"{word}@HEAD~1"],
        ["log", word],
        ["log", word, "--format", "json"],
        ["blame", word, "--format", "json"],
    ]
    return [run(*command, "-C", str(repo.root)) for command in commands]


@pytest.mark.parametrize("change", ["none", "edited", "renamed", "staged", "new"])
def test_the_output_is_that_of_a_snapshot(
    run: Run, indexed: RepoBuilder, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = indexed.root / "definitions/process_definition"
    word = {"renamed": "newest", "new": "fresh"}.get(change, "new")
    if change in ("edited", "staged"):
        (folder / "new.yaml").write_text((folder / "new.yaml").read_text().replace("Older", "Oldest"))
    if change == "staged":
        indexed.git("add", "-A")
        indexed.git("show", "HEAD:definitions/process_definition/new.yaml")
        indexed.git("restore", "--source=HEAD", "--worktree", ".")
    if change == "renamed":
        (folder / "new.yaml").rename(folder / "newest.yaml")
    if change == "new":
        indexed.define("fresh")
    cold = outcomes(run, indexed, word)
    with monkeypatch.context() as only_snapshots:
        only_snapshots.setattr(lookup, "take_snapshot_of_one", lambda *_: None)
        expected = outcomes(run, indexed, word)
    warm = outcomes(run, indexed, word)
    assert {one.code for one in expected[:2]} == {0}, expected[0].err
    assert cold == expected
    assert warm == expected


def test_an_id_finds_its_file_through_the_ledger(run: Run, indexed: RepoBuilder) -> None:
    number = id_of(indexed, "new")
    assert outcomes(run, indexed, number) == outcomes(run, indexed, "new")
    indexed.git("mv", "definitions/process_definition/new.yaml", "definitions/process_definition/newest.yaml")
    indexed.commit("rename, which the ledger does not know yet")
    assert run("log", f"process_definition/{number}", "-C", str(indexed.root)).out == (
        run("log", "newest", "-C", str(indexed.root)).out
    )


def test_names_and_ids_that_mean_several_things_are_refused(run: Run, indexed: RepoBuilder) -> None:
    outcome = run("show", "x", "-C", str(indexed.root))
    assert outcome.code == 2
    assert "`x` matches more than one definition" in outcome.err
    assert "application/x" in outcome.err
    assert run("show", "application/x", "-C", str(indexed.root)).out.startswith("application x (")
    assert run("show", "1", "-C", str(indexed.root)).code == 2  # both kinds have it


def test_a_name_that_is_a_number_is_found(run: Run, indexed: RepoBuilder) -> None:
    assert run("show", "7", "-C", str(indexed.root)).out.startswith("process_definition 7 (")


@pytest.mark.parametrize("word", ["../../registry", "/etc/passwd", ".", "", "a/", "a\0b", "9" * 30, "00"])
def test_what_cannot_be_a_name_is_not_found(run: Run, indexed: RepoBuilder, word: str) -> None:
    outcome = run("show", word, "-C", str(indexed.root))
    assert (outcome.code, "there is no definition" in outcome.err) == (2, True)


def test_a_deleted_definition_and_its_id_are_found(run: Run, indexed: RepoBuilder) -> None:
    number = id_of(indexed, "a")
    (indexed.root / "definitions/process_definition/a.yaml").unlink()
    indexed.commit("remove")
    assert run("index", "-C", str(indexed.root)).code == 0
    for word in ("a", f"process_definition/{number}"):
        assert "was deleted" in run("show", word, "-C", str(indexed.root)).out
    log = json.loads(run("log", "a", "-C", str(indexed.root), "--format", "json").out)
    assert log["revisions"][0]["deleted"] is True


def test_errors_in_other_files_do_not_matter(run: Run, indexed: RepoBuilder) -> None:
    expected = run("log", "new", "-C", str(indexed.root))
    indexed.define("broken", "{")
    assert run("log", "new", "-C", str(indexed.root)) == expected
    assert run("log", "broken", "-C", str(indexed.root)).code == 1


def test_a_credential_in_the_file_itself_is_never_shown(run: Run, indexed: RepoBuilder) -> None:
    token = "Zx81kLq9" + "3vbnTT42pq"
    file = indexed.root / "definitions/process_definition/a.yaml"
    file.write_text(file.read_text().replace("LEVEL: info", f"DB_PASSWORD: {token}"))
    for outcome in outcomes(run, indexed, "a"):
        assert token not in outcome.out
    assert run("show", "a", "-C", str(indexed.root)).code == 1


def test_a_fork_shows_no_ids(run: Run, indexed: RepoBuilder) -> None:
    indexed.write("registry.yaml", "registry_id: registry-2\n")
    assert "(no id yet," in run("show", "new", "-C", str(indexed.root)).out


def test_without_git_there_is_one_revision(run: Run, indexed: RepoBuilder) -> None:
    shutil.rmtree(indexed.root / ".git")
    outcome = run("log", "new", "-C", str(indexed.root))
    assert (outcome.code, outcome.out.startswith("1  not committed")) == (0, True)
