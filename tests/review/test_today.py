"""The day that a sunset is compared with: the commit's, today's for files that are not committed, or the one that is set."""

import json

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

# Commits of `RepoBuilder` are of 2023-11-15 in UTC, whatever the time is; any day on which tests run is later than 2024.
COMMITTED, DAY_AFTER, LATER, FAR = "2023-11-15", "2023-11-16", "2024-01-01", "2999-01-01"
OVER, NOT_OVER = "C196", "C197"


def rule_of_removal(repo: RepoBuilder, run: Run, sunset: str, *, is_committed: bool) -> set[str]:
    """What removing a definition is called whose sunset was announced."""
    announced = f"lifecycle: deprecated\ndeprecation: {{since: '2023-01-01', sunset: '{sunset}'}}\n"
    file = repo.define("a", f"title: T\nowners: [t]\n{announced}definition: {{exec: /bin/a}}\n")
    repo.define("b")
    repo.commit("announce")
    file.unlink()
    revisions = ["HEAD~1..HEAD"] if is_committed else []
    if is_committed:
        repo.commit("remove")
    outcome = run("diff", *revisions, "-C", str(repo.root), "--format", "json")
    text = json.dumps(json.loads(outcome.out))
    return {rule for rule in (OVER, NOT_OVER) if rule in text}


@pytest.mark.parametrize(("sunset", "rule"), [(COMMITTED, OVER), (DAY_AFTER, NOT_OVER), (LATER, NOT_OVER)])
def test_a_commit_is_compared_on_its_own_day(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, sunset: str, rule: str
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert rule_of_removal(repo, run, sunset, is_committed=True) == {rule}


@pytest.mark.parametrize(("sunset", "rule"), [(LATER, OVER), (FAR, NOT_OVER)])
def test_files_are_compared_today(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, sunset: str, rule: str
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert rule_of_removal(repo, run, sunset, is_committed=False) == {rule}


@pytest.mark.parametrize(("sunset", "rule"), [("2020-09-13", OVER), ("2020-09-14", NOT_OVER)])
@pytest.mark.parametrize("is_committed", [True, False])
def test_a_day_that_is_set_wins(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, sunset: str, rule: str, is_committed: bool
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")  # 2020-09-13
    assert rule_of_removal(repo, run, sunset, is_committed=is_committed) == {rule}


@pytest.mark.parametrize("text", ["", "-1", "1.5", "yesterday", "1" * 13])
def test_a_day_that_is_no_number_of_seconds_is_an_error(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    repo.define("a")
    repo.commit()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    outcome = run("diff", "HEAD..HEAD", "-C", str(repo.root))
    assert (outcome.code, "SOURCE_DATE_EPOCH" in outcome.err) == (2, True)
