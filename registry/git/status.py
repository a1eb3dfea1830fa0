"""`git status` under way: which files differ from HEAD, found by git while we do other work."""

import os
import subprocess
from typing import Any

from registry.git.blobs import widen
from registry.git.environment import TIMEOUT_S
from registry.git.error import GitError, first_line


class PendingStatus:
    """Paths that differ from HEAD or are not tracked; git looks for them from the start, and whoever asks waits."""

    def __init__(self, process: Any) -> None:
        """`process` is `git status --porcelain=v1 -z`, just started."""
        self._process = process
        self._found: dict[str, str] | None = None
        widen(process.stdout)  # git need not wait for us to read

    def paths(self) -> dict[str, str]:
        """Each with git's two status letters. Raises GitError where git failed."""
        if self._found is None:
            process = self._process.proc
            try:
                listing, said = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                listing, said = process.communicate()
            if process.returncode:
                raise GitError(f"git status failed: {first_line(said.decode('utf-8', 'replace'))}")
            self._found = {os.fsdecode(line[3:]): line[:2].decode() for line in listing.split(b"\0") if line}
        return self._found

    def close(self) -> None:
        """End git, if nobody has waited for it."""
        if self._found is None:
            self._process.proc.kill()
            self._process.proc.communicate()
