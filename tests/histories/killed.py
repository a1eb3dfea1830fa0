"""`killed.py FOLDER MODE STEP COUNT`: index, and be killed the COUNT-th time that STEP is reached."""

import os
import signal
import sys
from pathlib import Path

from registry.ids import segments
from registry.indexing.indexer import IndexOptions, index

MODES = {
    "push": IndexOptions(remote="origin", branch="main"),
    "local": IndexOptions(),
    "files": IndexOptions(make_commit=False),
}
STEPS = {
    "push": ("fetched", "commit made", "pushed"),
    "local": ("commit made", "branch moved", "moved"),
    "files": ("file written",),
}


SEGMENT_LINES = 2
"""So few that the killed run seals segments."""


def main(folder: str, mode: str, name: str, count: str) -> None:
    """Index `folder`; does not come back when the step is reached."""
    left = int(count)

    def step(reached: str) -> None:
        nonlocal left
        left -= reached == name
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    segments.SEGMENT_LINES = SEGMENT_LINES
    index(Path(folder), MODES[mode], step)


if __name__ == "__main__":
    main(*sys.argv[1:])
