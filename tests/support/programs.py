"""Programs of other projects that read exported files. `make test-engines` installs them."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

_FOLDERS = [
    str(Path(sys.executable).parent),
    os.environ["PATH"],
    "/usr/sbin",
    "/usr/lib/systemd",
    "/lib/systemd",
]


def required_program(name: str) -> str:
    """The path of a program. Without it, the test is skipped; in CI it fails."""
    found = shutil.which(name, path=":".join(_FOLDERS))
    if found is None:
        skip_outside_of_ci(f"{name} is not installed: make test-engines installs it")
    return found


def skip_outside_of_ci(reason: str) -> NoReturn:
    """Skip a test that lacks something; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
