"""Kill write servers many times: `python -m tests.writes.faults.soak [--rounds 50] [--seed 1]`.

For each victim (server, git processes, all) and for each named point so many kills under 16 clients; afterwards each
2xx is on main once, and the answers equal those of a build. Prints the slowest start. Part of `make soak`.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from registry.git.batch_writer import POINTS
from tests.support.writing import new_bare_registry, new_users
from tests.writes.faults.journal import Journal, compare, compare_with_build
from tests.writes.faults.machine import Machine
from tests.writes.faults.test_kills import kill_at_points, kill_at_random_times

_KILLED_AT = ("shown", *(point for point in POINTS if not point.startswith("restart")))


def _run(name: str, work: Callable[[Machine], Journal]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        machine = Machine(new_bare_registry(root), new_users(root))
        try:
            journal = work(machine)
            compare(machine.bare, journal.exchanges)
            compare_with_build(machine, root)
            print(  # noqa: T201 - a program of its own
                f"{name}: {len(journal.exchanges)} requests, slowest start {machine.slowest_s:.1f} s",
                flush=True,
            )
        finally:
            machine.kill_all()


def main() -> None:
    """Run all kinds of kills."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    _run("random times", lambda machine: kill_at_random_times(machine, 3 * given.rounds, given.seed))
    for whom in ("server", "all"):
        faults = [
            f"{_KILLED_AT[number % len(_KILLED_AT)]}:{2 + number % 5}:kill:{whom}"
            for number in range(given.rounds)
        ]
        _run(f"named points, {whom}", lambda machine, faults=faults: kill_at_points(machine, faults))  # type: ignore[misc]


if __name__ == "__main__":
    main()
