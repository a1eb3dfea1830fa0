"""Clients that generators make from an OpenAPI document."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType


def generate(module: str, *words: str) -> str:
    """Run a generator, and return what it prints."""
    done = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def imported(folder: Path, name: str) -> Iterator[ModuleType]:
    """Import a generated module for the time of a fixture."""
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
