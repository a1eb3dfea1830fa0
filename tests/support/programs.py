"""Programs of other projects that tests start. `make test-engines` installs them."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from registry.execution.bubblewrap import Bubblewrap

_FOLDERS = [
    str(Path(sys.executable).parent),
    os.environ["PATH"],
    # Debian has servers outside of PATH.
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/lib/systemd",
    "/lib/systemd",
    *map(str, Path("/usr/lib/postgresql").glob("*/bin")),
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


def usable_sandbox() -> Bubblewrap:
    """The sandbox for programs of definitions. Where it does not work, the test is skipped; in CI it fails."""
    found = Bubblewrap()
    if found.unusable_because:
        skip_outside_of_ci(found.unusable_because)
    return found
