"""JSON of the commands: one object with the version of its form, errors included."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.cli import main
from tests.conftest import Run
from tests.support.repo import RepoBuilder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """A process definition and an application, both with the id 1."""
    repo = RepoBuilder(tmp_path_factory.mktemp("original") / "repo")
    repo.define("weather/qc")
    repo.define("app", kind="application")
    repo.commit()
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


@pytest.fixture
def indexed(original: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A copy of that registry."""
    return original.copied_to(tmp_path / "repo")


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("list", "definitions"),
        ("ids", "ids"),
        ("ids verify", "problems"),
        ("rules", "rules"),
        ("rules A021", "rules"),
        ("rules Y001", "rules"),
        ("check", "problems"),
        ("diff HEAD~1", "definitions"),
        ("review --base HEAD~1", "problems"),
        ("changelog", "definitions"),
        ("blame weather/qc", "fields"),
        ("build", "files"),
        ("index --no-commit", "given"),
    ],
)
def test_every_answer_is_an_object_with_the_version_of_its_form(
    indexed: RepoBuilder, run: Run, command: str, key: str
) -> None:
    where = [] if command.startswith("rules") else ["-C", str(indexed.root)]
    body: Any = json.loads(run(*command.split(), *where, "--format", "json").out)
    assert isinstance(body, dict)
    assert next(iter(body.items())) == ("format_version", 1)
    assert key in body


@pytest.mark.parametrize(
    "command",
    [
        "show nosuch",
        "show 1",
        "log nosuch",
        "list nosuch",
        "rules Z999",
        "check nosuch.yaml",
        "diff nosuch",
        "review --base nosuch",
        "changelog --head no",
        "build --preview x",
        "list --nosuch",
        "nosuch",
        "check --max-problems no",
        "index --push --no-commit",
        "import /nonexistent/x.json",
    ],
)
@pytest.mark.parametrize("form", ["--format json", "--format=json"])
def test_wrong_use_is_answered_in_json_where_json_was_asked_for(
    indexed: RepoBuilder, run: Run, command: str, form: str
) -> None:
    where = [] if command.startswith(("rules", "nosuch")) else ["-C", str(indexed.root)]
    outcome = run(*command.split(), *where, *form.split())
    error = json.loads(outcome.out)["error"]
    assert (outcome.code, error["exit_code"]) == (2, 2)
    assert error["message"]
    assert "error" in outcome.err.lower()


def test_refusals_and_problems_are_answered_in_json_too(indexed: RepoBuilder, run: Run) -> None:
    indexed.write("definitions/ledger.jsonl", "broken\n")
    refused = run("index", "-C", str(indexed.root), "--format", "json")
    assert (refused.code, json.loads(refused.out)["error"]["exit_code"]) == (3, 3)
    indexed.define("bad", "title: [\n")
    outcome = run("show", "weather/qc", "-C", str(indexed.root), "--format", "json")
    body = json.loads(outcome.out)
    assert (outcome.code, body["error"]["exit_code"], body["problems"][0]["rule"]) == (1, 1, "Y001")


def test_a_bug_of_ours_is_answered_in_json_too(
    indexed: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.pipeline.load_kinds", lambda source: 1 / 0)
    outcome = run("check", "-C", str(indexed.root), "--format", "json")
    assert (outcome.code, json.loads(outcome.out)["error"]["exit_code"]) == (70, 70)


def test_a_report_of_another_version_is_not_read(indexed: RepoBuilder, run: Run) -> None:
    report = indexed.root / "review.json"
    report.write_text(run("review", "--base", "HEAD~1", "-C", str(indexed.root), "--format", "json").out)
    assert run("comment", "github", "--report", str(report), "--dry-run").code == 0
    report.write_text(report.read_text().replace('"format_version": 1', '"format_version": 2'))
    outcome = run("comment", "github", "--report", str(report), "--dry-run")
    assert (outcome.code, "another version" in outcome.err) == (2, True)


@pytest.mark.parametrize("command", ["show", "log", "blame"])
def test_a_word_that_fits_several_definitions_chooses_none(
    indexed: RepoBuilder, run: Run, command: str
) -> None:
    where = ("-C", str(indexed.root))
    outcome = run(command, "1", *where)
    assert (outcome.code, outcome.out) == (2, "")
    assert "`1` matches more than one definition" in outcome.err
    assert "choose one: process_definition/weather/qc (id 1), application/app (id 1)" in outcome.err
    assert run(command, "application/1", *where).code == 0
    assert run(command, "1", "--kind", "application", *where).code == 0
    assert run(command, "1", "--kind", "aplication", *where).code == 2


def test_a_deleted_definition_and_a_name_made_of_digits_are_named_so_that_one_fits(
    indexed: RepoBuilder, run: Run
) -> None:
    where = ("-C", str(indexed.root))
    indexed.git("rm", "-q", "definitions/application/app.yaml")
    indexed.define("1", "title: One\nowners: [t]\ndefinition: {exec: /bin/one}\n")
    indexed.commit()
    outcome = run("show", "process_definition/1", *where)
    assert outcome.code == 2
    assert "choose one: process_definition/1, process_definition/weather/qc (id 1)" in outcome.err
    assert "application/app (id 1)" in run("show", "1", *where).err
    assert run("show", "app", *where).code == 0
