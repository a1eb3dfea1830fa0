"""Kill -9 at every step; `make soak` does it 200 times."""

from pathlib import Path

import pytest

from tests.histories.driver import segments_of
from tests.histories.killed import SEGMENT_LINES
from tests.histories.kills import ALL, kill_and_go_on


@pytest.mark.parametrize(("mode", "step", "count"), ALL)
def test_after_a_kill_the_next_run_needs_no_help(mode: str, step: str, count: int, tmp_path: Path) -> None:
    with segments_of(SEGMENT_LINES):
        kill_and_go_on(tmp_path / "work", mode, step, count, seed=1)
