"""Dates of commits: ISO 8601 with the author's offset, as git writes them."""

from datetime import datetime
from pathlib import Path

import pytest

from registry.git import open_repository
from registry.git.log import iso_date
from tests.support.repo import RepoBuilder


@pytest.mark.parametrize(
    ("offset", "date"),
    [
        ("+0000", "1970-01-02T00:00:00+00:00"),
        ("-0000", "1970-01-02T00:00:00+00:00"),
        ("+0130", "1970-01-02T01:30:00+01:30"),
        ("-0030", "1970-01-01T23:30:00-00:30"),
        ("-0330", "1970-01-01T20:30:00-03:30"),
        ("-1200", "1970-01-01T12:00:00-12:00"),
        ("+1400", "1970-01-02T14:00:00+14:00"),
        ("+2359", "1970-01-02T23:59:00+23:59"),
        ("-2359", "1970-01-01T00:01:00-23:59"),
        ("+2400", "1970-01-02T00:00:00+00:00"),
        ("-2400", "1970-01-02T00:00:00+00:00"),
        ("0130", "1970-01-02T00:00:00+00:00"),
        ("+130", "1970-01-02T00:00:00+00:00"),
        ("+01300", "1970-01-02T00:00:00+00:00"),
        ("", "1970-01-02T00:00:00+00:00"),
    ],
)
def test_an_offset_moves_the_clock_and_is_written_behind_it(offset: str, date: str) -> None:
    assert iso_date(86_400, offset) == date
    assert datetime.fromisoformat(date).timestamp() == 86_400


@pytest.mark.parametrize("seconds", [-(10**15), -(10**10), -1, 0, 2 * 10**11, 10**15])
@pytest.mark.parametrize("offset", ["-2359", "+2359"])
def test_a_number_that_no_calendar_holds_is_a_date_all_the_same(seconds: int, offset: str) -> None:
    moment = datetime.fromisoformat(iso_date(seconds, offset))
    assert moment.timestamp() == min(max(seconds, -(10**10)), 2 * 10**11)


def test_dates_in_a_log_are_those_of_git(repo: RepoBuilder) -> None:
    for number, offset in enumerate(("-0330", "-0930", "+0545", "+0000", "-1200")):
        repo.define(f"p{number}")
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", offset, "--date", f"17000{number}0000 {offset}")
    repository = open_repository(repo.root)
    assert repository is not None
    log = repository.begin_log(repository.order(repo.git("rev-parse", "HEAD")), "definitions")
    dates = repo.git("log", "--reverse", "--format=%aI").replace("Z", "+00:00").split()
    assert [one.date for one in log.commits()] == dates


def test_commits_of_the_fixtures_are_the_same_every_time(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        repo = RepoBuilder(tmp_path / name)
        repo.define("a")
        made.append(repo.commit("add"))
    assert made[0] == made[1]
    assert repo.git("log", "-1", "--format=%aI %cI") == " ".join(["2023-11-15T01:13:20+02:00"] * 2)
