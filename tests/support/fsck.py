"""`git fsck` of a repository that a write server may be repacking."""

import os
import subprocess
from pathlib import Path

from registry.git.server_file import open_locked
from tests.support.waiting import PATIENCE_S, eventually


def check_objects(bare: Path) -> None:
    """Fail unless all objects of a bare repository are whole.

    `git fsck` fails for a pack that `git repack` replaces at that moment, so this holds the lock of
    background repacking.
    """
    folder = bare / "registry"
    folder.mkdir(exist_ok=True)
    handles: list[int] = []

    def is_locked() -> bool:
        handle = open_locked(folder / "repack.lock")
        if handle is not None:
            handles.append(handle)
        return handle is not None

    eventually(is_locked, "the end of git repack")
    try:
        found = subprocess.run(
            ["git", "fsck", "--full", "--strict", "--no-dangling"],
            cwd=bare,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        os.close(handles[0])
    assert (found.returncode, found.stdout) == (0, b""), found.stderr.decode()
