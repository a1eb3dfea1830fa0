"""`registry` with a fault built in: `python -m tests.writes.faults.interrupted FAULT serve …`.

FAULT is `POINT:NUMBER:WHAT[:WHOM]`, what happens the NUMBERth time the server comes to a point: `kill` or `stop`
of `server`, `git` or `all`. Points are those of `registry.git.batch_writer`, and `shown`: the state is visible to
readers, and the requests are not answered. `clock:SECONDS` moves the clock of Python by so much; `clock:FILE` by
the number in a file, read each time. `limit:SECONDS` shortens the time limit for one batch.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from registry.cli import main
from registry.git.batch_writer import BatchWriter
from registry.server.branch import BranchRegistry

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def _strike(number: signal.Signals, whom: str) -> None:
    if whom != "server":
        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)
    if whom != "git":
        os.kill(os.getpid(), number)


def _fault_at(point: str, number: int, what: str, whom: str = "server") -> Callable[[str], None]:
    passed = 0

    def at(here: str) -> None:
        nonlocal passed
        passed += here == point
        if here == point and passed == number:
            _strike(_SIGNALS[what], whom)

    return at


def _move_clock(by: str) -> None:
    now = time.time

    def moved() -> float:
        return now() + float(Path(by).read_text(encoding="ascii") if os.sep in by else by)

    time.time = moved


def _shorten_limit(seconds: float) -> None:
    for method in (BatchWriter.write, BatchWriter.publish, BatchWriter.push, BatchWriter.fetch):
        assert method.__kwdefaults__ is not None
        method.__kwdefaults__["limit_s"] = seconds


def _install(at: Callable[[str], None]) -> None:
    create, show = BatchWriter.__init__, BranchRegistry.show

    def create_with_points(self: BatchWriter, *args: Any, **options: Any) -> None:
        create(self, *args, at=at, **options)

    def show_with_point(self: BranchRegistry, state: Any) -> None:
        show(self, state)
        at("shown")

    BatchWriter.__init__ = create_with_points  # type: ignore[method-assign]
    BranchRegistry.show = show_with_point  # type: ignore[method-assign]


def _run(faults: str, arguments: list[str]) -> int:
    for fault in faults.split(","):
        name, _, rest = fault.partition(":")
        if name == "clock":
            _move_clock(rest)
        elif name == "limit":
            _shorten_limit(float(rest))
        else:
            *where, number, what, whom = fault.split(":")
            _install(_fault_at(":".join(where), int(number), what, whom))
    return main(arguments)


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1], sys.argv[2:]))
