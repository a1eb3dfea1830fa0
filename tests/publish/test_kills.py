"""Killed publications: readers see whole states, and the next publication completes."""

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.publish.kills import kill_beside_readers
from tests.support.repo import RepoBuilder


@pytest.mark.parametrize("target", ["folder", "git"])
def test_readers_see_whole_states_while_publications_are_killed(
    registry: RepoBuilder, run: Run, tmp_path: Path, target: str
) -> None:
    (tmp_path / "published").mkdir()
    kill_beside_readers(registry, run, target, tmp_path / "published", kills=5)
