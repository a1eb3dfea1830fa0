"""Runs of cwltool, the reference runner of CWL."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.exchange_programs import run_exchange_program

_SCRIPT = Path(__file__).parent / "exchange_tools/run_cwltool.py"


class CwltoolRun(NamedTuple):
    """The exit status of one run, and what cwltool printed."""

    status: int
    log: str


def run_cwltool(*runs: Sequence[object]) -> list[CwltoolRun]:
    """Run cwltool for each list of words, all in one process."""
    words = [[str(word) for word in words] for words in runs]
    done = run_exchange_program("python", [_SCRIPT], json.dumps(words))
    assert done.returncode == 0, done.stderr
    return [CwltoolRun(*answer) for answer in json.loads(done.stdout)]
