"""Programs of PyPI that test exports, in an environment of their own."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.programs import skip_outside_of_ci
from tests.support.waiting import PATIENCE_S

_BIN = Path(__file__).parents[2] / ".venv-tools/bin"


def exchange_program(name: str) -> str:
    """Return the path of a program in the environment. Skips the test if it is not installed; in CI, it fails."""
    found = _BIN / name
    if not found.exists():
        skip_outside_of_ci(f"{name} is not installed: make .venv-tools/.installed")
    return str(found)


def run_exchange_program(
    name: str, words: Sequence[str | Path], text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment with a text as its input."""
    return subprocess.run(
        [exchange_program(name), *words],
        input=text,
        capture_output=True,
        encoding="utf-8",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        timeout=PATIENCE_S,
        check=False,
    )
