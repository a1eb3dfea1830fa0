"""`registry index`, on real repositories: one line a file, one commit, a second run changes nothing."""

import json

from registry.index import index
from tests.conftest import Run
from tests.support.repo import RepoBuilder


def test_ids_go_into_the_files_and_the_ledger_in_one_commit(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "title: T\nregistry_id: registry-1\n")
    a = repo.define("a", "# keep me\r\ntitle: 'A'   # and me\r\nowners: [t]\r\ndefinition: {exec: x}\r\n")
    repo.define("app", kind="application")
    head = repo.commit()
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert a.read_bytes() == b"# keep me\r\nid: 1\r\ntitle: 'A'   # and me\r\nowners: [t]\r\ndefinition: {exec: x}\r\n"
    assert repo.git("log", "-1", "--format=%P %an <%ae> %at") == f"{head} Process Registry <process-registry@localhost> 1700500000"
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
    assert [(entry.id, entry.name, entry.state) for entry in result.entries] == [(2, "b", "gone"), (3, "c", "live")]


def test_uncommitted_work_never_gets_into_the_commit(repo: RepoBuilder, run: Run) -> None:
    a = repo.define("a")
    repo.commit()
    text = a.read_text() + "# work of mine\n"
    a.write_text(text)
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 3
    assert "changes that nobody committed" in outcome.err
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
    assert "ledger.jsonl:2: the ledger is broken: the line before was changed" in outcome.err
    assert "id:" not in (repo.root / "definitions/process_definition/c.yaml").read_text()
    assert run("build", "-C", str(repo.root)).code == 1


def test_where_there_is_nothing_to_commit_to_it_says_so(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    outcome = run("index", "-C", str(repo.root))
    assert outcome.code == 2
    assert "nothing was committed yet" in outcome.err
    assert run("index", "--no-commit", "-C", str(repo.root)).code == 0


def test_hooks_of_the_repository_are_not_run(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    hook = repo.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert run("index", "-C", str(repo.root)).code == 0


def test_a_copy_that_kept_its_id_gets_one_of_its_own_and_the_commit_says_so(repo: RepoBuilder, run: Run) -> None:
    path = repo.define("b", "# b\ntitle: B\nowners: [t]\ndefinition: {exec: x}   # x\n")
    repo.commit()
    run("index", "-C", str(repo.root))
    repo.define("a", path.read_text())
    repo.commit()
    assert "id 1 is also that of" in run("check", "-C", str(repo.root)).out
    outcome = run("index", "-C", str(repo.root))
    assert "a.yaml: the id 1 is not its own; it has 2 now" in outcome.out
    assert "a.yaml carried 1, which is not its own; it has 2" in repo.git("log", "-1", "--format=%B")
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
    assert (outcome.code, "is of the registry registry-1, and registry.yaml says a-fork-of-it" in outcome.err) == (3, True)
    assert repo.git("rev-parse", "HEAD") == head
    built = run("build", "-C", str(repo.root))
    assert (built.code, "warning I027" in built.err) == (0, True)
    assert not (repo.root / "site/api/process_definition/1").exists()
    assert json.loads((repo.root / "site/api/process_definition/by-name/a.json").read_text())["id"] is None
    repo.write("registry.yaml", "title: Lost it\n")
    repo.commit()
    assert "write it back: registry_id: registry-1" in run("build", "-C", str(repo.root)).err
    assert run("index", "-C", str(repo.root)).code == 3
