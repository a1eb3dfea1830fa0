"""How much commands say: warnings by rule with a count, changes before findings, and nothing but errors where that is asked for."""

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

NO_OWNERS = "title: T\ndefinition: {exec: /bin/a}\n"


@pytest.fixture
def noisy(repo: RepoBuilder) -> RepoBuilder:
    """Ten definitions without owners, two of them with another warning, one with an error."""
    for number in range(10):
        repo.define(f"n{number}", NO_OWNERS.replace("/bin/a", "/tmp/a") if number in (2, 5) else NO_OWNERS)
    repo.define("wrong", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, argz: []}\n")
    return repo


def test_warnings_of_one_rule_stand_together_and_are_counted(noisy: RepoBuilder, run: Run) -> None:
    said = run("check", "-C", str(noisy.root)).out
    rules = [line.split(": ")[1] for line in said.splitlines() if line.startswith("definitions/")]
    assert rules == [
        "error S002",
        "warning W202",
        "warning W202",
        "warning W202",
        "warning W104",
        "warning W104",
    ]
    assert "… and 7 more warnings W202, 10 in 10 files in total\n" in said
    assert said.endswith("1 error and 12 warnings.\n")
    everything = run("check", "--all", "-C", str(noisy.root)).out
    assert everything.count("warning W202") == 10 and "more warnings" not in everything


def test_quiet_shows_errors_only(noisy: RepoBuilder, run: Run) -> None:
    outcome = run("check", "-q", "-C", str(noisy.root))
    assert (
        outcome.code == 1
        and "warning" not in outcome.out
        and "error S002" in outcome.out
        and outcome.out.endswith("1 error.\n")
    )
    (noisy.root / "definitions/process_definition/wrong.yaml").unlink()
    for words in (["check", "-q"], ["build", "-q"], ["build", "-q"]):
        assert run(*words, "-C", str(noisy.root)) == run("check", "-q", "-C", str(noisy.root)), words
    outcome = run("check", "-q", "-C", str(noisy.root))
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_a_review_tells_the_change_before_the_findings(repo: RepoBuilder, run: Run, format_: str) -> None:
    repo.define("a")
    repo.commit()
    repo.git("branch", "base")
    repo.define("a", "title: A\ndefinition: {exec: /tmp/other}\n")
    repo.commit()
    outcome = run("review", "--base", "base", "--format", format_, "-C", str(repo.root))
    assert outcome.code == 0
    assert 0 < outcome.out.index("/tmp/other") < outcome.out.index("W104")
    if format_ == "text":
        assert "W104" not in run("review", "--base", "base", "-q", "-C", str(repo.root)).out


def test_a_comment_keeps_room_for_the_findings_of_a_large_change(repo: RepoBuilder, run: Run) -> None:
    for number in range(300):
        repo.define(f"n{number}")
    repo.commit()
    repo.git("branch", "base")
    for number in range(300):
        repo.define(f"n{number}", f"title: T\nowners: [t]\ndefinition: {{exec: /tmp/{'x' * 200}{number}}}\n")
    repo.commit()
    said = run("review", "--base", "base", "--format", "markdown", "-C", str(repo.root)).out
    assert "W104" in said and "300 findings" in said and "more sections" in said
    assert len(said.encode()) < 65_536


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["process_definition", "odd name", "--exec", "/bin/x"], "I001"),
        (["process_definition", "con", "--exec", "/bin/x"], "I005"),
        (["process_definition", "OTHER", "--exec", "/bin/x"], "I004"),
        (["process_definition", "a" * 201, "--exec", "/bin/x"], "I003"),
        (["process_definition", "a", "--exec", "/bin/\u200bx"], "S006"),
        (["process_definition", "a", "--exec", "/bin/${input_file}"], "A020"),
        (["process_definition", "a", "--exec", "/bin/x", "--application", "none"], "R001"),
        (["process_definition", "a", "--exec", "/bin/x", "--process-type", "daily"], "S004"),
        (["process_definition", "a", "--exec", "/bin/x", "--arg", "--user=\u202eadmin"], "S007"),
        (["process_definition", "a", "--exec", "/bin/x", "--arg", "--token=ghp_" + "a1B2" * 9], "X001"),
    ],
)
def test_new_writes_nothing_that_its_own_check_refuses(
    repo: RepoBuilder, run: Run, words: list[str], rule: str
) -> None:
    repo.define("other")
    repo.define("wrong", "title: [\n")  # what is wrong elsewhere is not its business
    before = sorted(Path(repo.root).rglob("*.yaml"))
    outcome = run("new", *words, "-C", str(repo.root))
    assert outcome.code == 1 and f"error {rule}" in outcome.err and "nothing was written" in outcome.err, (
        outcome
    )
    assert "Y001" not in outcome.err
    assert sorted(Path(repo.root).rglob("*.yaml")) == before
