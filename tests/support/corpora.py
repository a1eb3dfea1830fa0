"""Public data to test against, which is not part of this repository: in a folder `shared/corpora` beside or above it."""

from pathlib import Path

import pytest


def corpus(name: str) -> Path:
    """Return the path of a file or folder of the corpora. Skips the test if it does not exist."""
    for folder in Path(__file__).resolve().parents[3:]:
        found = folder / "shared/corpora" / name
        if found.exists():
            return found
    pytest.skip(f"there is no shared/corpora/{name} beside the repository")
