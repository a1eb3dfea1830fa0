"""Random writes and pushes through HTTP, as `make soak` sends more of them."""

from pathlib import Path

import pytest

from tests.support.seeds import seeds
from tests.writes.faults.sequences import run_sequence

STEPS = 30


@pytest.mark.parametrize("seed", seeds(1, 2))
def test_a_server_answers_as_a_fresh_one(seed: int, tmp_path: Path) -> None:
    run_sequence(tmp_path, STEPS, seed)
