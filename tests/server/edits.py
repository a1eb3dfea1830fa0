"""Many edits in a row under a running server: what it holds must stay flat. `make soak` does 10,000."""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.support.repo import RepoBuilder
from tests.support.served import eventually, get, served


class Held(NamedTuple):
    """What a process holds: files and sockets, threads, children, memory in MB."""

    handles: int
    threads: int
    children: int
    megabytes: float


def held(process: psutil.Process) -> Held:
    memory = process.memory_info().rss / 1e6
    return Held(process.num_fds(), process.num_threads(), len(process.children(recursive=True)), memory)


def edit_many(folder: Path, edits: int, definitions: int = 40) -> list[Held]:
    """What the server holds after each quarter of the edits; every one was shown."""
    marks = {edits * quarter // 4 - 1 for quarter in (1, 2, 3, 4)}
    found: list[Held] = []
    repo = RepoBuilder(folder / "repo")
    for number in range(definitions):
        repo.define(f"g/n{number}")
    repo.commit("start")
    with served(repo.root) as (address, popen):
        process = psutil.Process(popen.pid)
        for number in range(edits):
            name = f"g/n{number % definitions}"
            repo.define(name, f"title: Edit {number}\nowners: [t]\ndefinition: {{exec: /bin/x{number}}}\n")
            eventually(
                lambda name=name, number=number: (  # type: ignore[misc]
                    f"/bin/x{number}".encode() in get(f"{address}/process_definition/{name}/")
                )
            )
            if number % 50 == 49:
                # Amended: a longer history is more to show, and would hide what leaks.
                repo.git("commit", "-q", "-a", "--amend", "-m", f"up to {number}")
            if number in marks:
                time.sleep(1)
                found.append(held(process))
    return found


def is_flat(found: list[Held]) -> bool:
    """True when the second half of the edits left no more than the first: what is kept up to a limit is full by then."""
    early, late = found[1], found[3]
    return (
        late.handles <= early.handles + 5
        and late.threads <= early.threads + 2
        and late.children == 0
        and late.megabytes < 1.15 * early.megabytes
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=10_000)
    with tempfile.TemporaryDirectory() as folder:
        found = edit_many(Path(folder), parser.parse_args().edits)
    for quarter, one in enumerate(found, 1):
        print(f"after {quarter}/4: {one}")
    return 0 if is_flat(found) else 1


if __name__ == "__main__":
    sys.exit(main())
