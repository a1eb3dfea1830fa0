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


def edit_many(folder: Path, edits: int, definitions: int = 40) -> tuple[Held, Held]:
    """What the server holds after a tenth of the edits, and after all of them; every one was shown."""
    repo = RepoBuilder(folder / "repo")
    for number in range(definitions):
        repo.define(f"g/n{number}")
    repo.commit("start")
    with served(repo.root) as (address, popen):
        process = psutil.Process(popen.pid)
        early = None
        for number in range(edits):
            name = f"g/n{number % definitions}"
            repo.define(name, f"title: Edit {number}\nowners: [t]\ndefinition: {{exec: /bin/x{number}}}\n")
            eventually(lambda name=name, number=number: f"/bin/x{number}".encode() in get(f"{address}/process_definition/{name}/"))  # type: ignore[misc]
            if number % 50 == 49:
                repo.git("commit", "-q", "-a", "-m", f"up to {number}")
            if number == edits // 10:
                time.sleep(1)
                early = held(process)
        time.sleep(1)
        assert early is not None
        return early, held(process)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=10_000)
    with tempfile.TemporaryDirectory() as folder:
        early, late = edit_many(Path(folder), parser.parse_args().edits)
    print(f"after a tenth: {early}\nafter all:     {late}")
    return 0 if late.handles <= early.handles + 5 and late.threads <= early.threads + 2 and late.megabytes < 1.5 * early.megabytes else 1


if __name__ == "__main__":
    sys.exit(main())
