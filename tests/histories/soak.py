#!/usr/bin/env python3
"""Invent many long histories: `soak.py [--histories 1000] [--steps 400] [--first 0] [--jobs 2]`. Prints each that fails.

Before that, kill indexers at every step: `--kills 200`.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from tests.histories.driver import Machine, segments_of, tell
from tests.histories.killed import SEGMENT_LINES
from tests.histories.kills import ALL, kill_and_go_on


def invent(seed: int, steps: int) -> tuple[int, dict[str, int], str]:
    """One history: its seed, what happened in it how often, and how it failed, if it did."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        machine = Machine(Path(folder), seed)
        try:
            for number in range(steps):
                # At first in one file, as programs without segments wrote it.
                with segments_of(128 if number < steps // 5 else 1 + seed % 5):
                    machine.step()
        except BaseException as error:
            return seed, machine.counts, f"{tell(machine)}\n{traceback.format_exc()}\n{error}"
    return seed, machine.counts | {"ids": len(machine.memory.dna)}, ""


def main() -> int:
    """The command line; 1 when a history failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument(
        "--kills", type=int, default=200, help="how often an indexer is killed, at each step in turn"
    )
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    for number in range(given.kills):
        with tempfile.TemporaryDirectory() as folder, segments_of(SEGMENT_LINES):
            kill_and_go_on(Path(folder) / "work", *ALL[number % len(ALL)], seed=number)
    print(f"{given.kills} indexers killed; each time the next run needed no help", flush=True)
    started, failed, counts = time.monotonic(), 0, Counter[str]()
    with ProcessPoolExecutor(given.jobs) as pool:
        seeds = range(given.first, given.first + given.histories)
        for done, (seed, happened, failure) in enumerate(
            pool.map(invent, seeds, [given.steps] * given.histories), 1
        ):
            counts.update(happened)
            if failure:
                failed += 1
                print(f"seed {seed} failed:\n{failure}", flush=True)
            if done % 10 == 0:
                print(f"{done} histories, {failed} failed, {time.monotonic() - started:.0f} s", flush=True)
    print(
        f"{given.histories} histories of {given.steps} steps, {failed} failed, {time.monotonic() - started:.0f} s: {dict(counts)}"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
