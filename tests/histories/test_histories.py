"""Ids through invented histories on real git; `make soak` runs many more, and longer ones."""

from pathlib import Path

import pytest

from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.histories.driver import BrokenPromiseError, Machine, naive, segments_of, tell
from tests.support.seeds import seeds


@pytest.mark.parametrize("seed", seeds(2, 3))
def test_ids_last_through_whatever_people_do(seed: int, tmp_path: Path) -> None:
    machine = Machine(tmp_path, seed)
    try:
        with segments_of(128):  # in one file, as programs without segments wrote it
            for _ in range(15):
                machine.step()
        with segments_of(1 + seed % 3):
            for _ in range(45):
                machine.step()
            machine.index()
    except BaseException as error:
        error.add_note(tell(machine))
        raise
    site = tmp_path / "site"
    assert build(open_source(machine.hub.path, "main"), Site(site)).files
    for number in machine.memory.dna:
        assert (site / f"api/process_definition/{number}/index.json").exists(), (
            f"{number} was given, and does not answer"
        )


def test_the_machine_finds_what_is_wrong_with_the_simple_way(tmp_path: Path) -> None:
    def is_caught(seed: int) -> bool:
        folder = tmp_path / str(seed)
        folder.mkdir()
        machine = Machine(folder, seed, naive, checks_ledger=False)
        try:
            for _ in range(80):
                machine.step()
        except BrokenPromiseError:
            return True
        return False

    assert any(is_caught(seed) for seed in range(6)), "the machine cannot fail"
