"""Faults of write servers in great numbers: `python -m tests.writes.faults.soak [--rounds 50] [--seed 1]`.

For each victim (server, git processes, all) and for each named point so many kills under 16 clients; afterwards each
2xx is on main once, and the answers equal those of a build. Prints the slowest start. Also stops processes for a while, runs `git gc`
beside 64 clients, and sends random sequences. Part of `make soak`.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from registry.git.batch_writer import POINTS
from tests.support.writing import new_bare_registry, new_users
from tests.writes.faults.journal import Journal, compare, compare_with_build
from tests.writes.faults.machine import Machine
from tests.writes.faults.sequences import run_sequence
from tests.writes.faults.test_kills import kill_at_points, kill_at_random_times, stop_for_a_while
from tests.writes.faults.test_maintenance import collect_beside_writers

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
                f"{name}: {len(journal.exchanges)} requests, slowest start {machine.slowest_s:.1f} s, "
                f"slowest first write {machine.slowest_write_s:.1f} s",
                flush=True,
            )
        finally:
            machine.kill_all()


def main() -> None:
    """Run all kinds of kills."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--stopped", type=float, default=30, help="seconds for which processes are stopped")
    options.add_argument("--clients", type=int, default=64, help="clients beside git gc")
    options.add_argument("--sequences", type=int, default=50, help="sequences of 100 steps")
    given = options.parse_args()
    _run("random times", lambda machine: kill_at_random_times(machine, 3 * given.rounds, given.seed))
    for whom in ("server", "all"):
        faults = [
            f"{_KILLED_AT[number % len(_KILLED_AT)]}:{2 + number % 5}:kill:{whom}"
            for number in range(given.rounds)
        ]
        _run(f"named points, {whom}", lambda machine, faults=faults: kill_at_points(machine, faults))  # type: ignore[misc]
    for whom in ("server", "git", "all"):
        _run(f"stopped, {whom}", lambda machine, whom=whom: _stop(machine, whom, given.stopped))  # type: ignore[misc]
    _run("git gc", lambda machine: _collect(machine, given.clients, given.rounds))
    for number in range(given.sequences):
        with tempfile.TemporaryDirectory() as folder:
            run_sequence(Path(folder), 100, given.seed + number)
    print(f"{given.sequences} sequences of 100 steps", flush=True)  # noqa: T201


def _stop(machine: Machine, whom: str, seconds: float) -> Journal:
    other = Machine(machine.bare, machine.users)
    try:
        return stop_for_a_while(machine, other, whom, seconds)
    finally:
        other.end()


def _collect(machine: Machine, clients: int, rounds: int) -> Journal:
    machine.start()
    return collect_beside_writers(machine, clients, rounds)


if __name__ == "__main__":
    main()
