"""A small write server for tests: publishes batches without end, and prints each one once it is acknowledged.

`python -m tests.support.batch_server REPOSITORY NAME [POINT NUMBER]` kills itself, and not its git processes, the
NUMBERth time it comes to POINT.
"""

import os
import signal
import sys
from pathlib import Path

from registry.git import CommitSpec, GitError, Published, RefUpdate, Signature, open_repository
from registry.git.batch_writer import BatchWriter

MAIN, HIGH_WATER = "refs/heads/main", "refs/registry/high-water"


def spec(key: str, path: str | None = None, data: bytes | None = b"x: 1\n") -> CommitSpec:
    """A commit that adds one file, with a trailer."""
    who = Signature("Ana Autor", "ana@example.org", 1_700_000_000, "+0200")
    where = f"definitions/{key}.yaml" if path is None else path
    return CommitSpec(f"Add {key}\n\nRequest-Id: {key}\n", who, who, {where: data})


def publish(writer: BatchWriter, commits: list[CommitSpec]) -> list[str] | None:
    """Write and publish a batch on the present head; None where it was not moved."""
    with writer.lock(limit_s=60):
        present = writer.values([MAIN, HIGH_WATER])
        head = present[MAIN]
        assert head is not None
        ids = writer.write(head, commits, limit_s=60)
        updates = [RefUpdate(MAIN, ids[-1], head), RefUpdate(HIGH_WATER, ids[-1], present[HIGH_WATER])]
        return ids if writer.publish(updates, limit_s=60).outcome is Published.MOVED else None


def main(root: str, name: str, point: str = "", number: str = "1") -> None:
    passed = 0

    def at(here: str) -> None:
        nonlocal passed
        passed += here == point
        if passed == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    repository = open_repository(Path(root))
    assert repository is not None
    with BatchWriter(repository, name, most_batches=5, at=at) as writer:
        for batch in range(1_000_000):
            keys = [f"{name}-{os.getpid()}-{batch}-{place}" for place in range(3)]
            try:
                ids = publish(writer, [spec(key) for key in keys])
            except GitError as error:
                print("failed", error.message, flush=True)
                continue
            if ids is not None:
                print("\n".join(ids), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
