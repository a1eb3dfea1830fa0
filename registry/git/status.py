"""A running `git status`: finds the files that differ from HEAD in the background."""

import os
import subprocess
from typing import Any

from registry.git.environment import TIMEOUT_S
from registry.git.error import GitError, first_line
from registry.git.pipes import widen


class PendingStatus:
    """Paths that differ from HEAD or are untracked. Git starts at once; reading the result waits for it."""

    def __init__(self, process: Any) -> None:
        """`process` is `git status --porcelain=v1 -z`, just started."""
        self._process = process
        self._found: dict[str, str] | None = None
        widen(process.stdout)  # git need not wait for this process to read

    def paths(self) -> dict[str, str]:
        """Return the paths with git's two status letters. Raises GitError if git failed."""
        if self._found is None:
            process = self._process.proc
            try:
                listing, message = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                listing, message = process.communicate()
            if process.returncode:
                raise GitError(f"git status failed: {first_line(message.decode('utf-8', 'replace'))}")
            self._found = {os.fsdecode(line[3:]): line[:2].decode() for line in listing.split(b"\0") if line}
        return self._found

    def close(self) -> None:
        """End git if its result was not read."""
        if self._found is None:
            self._process.proc.kill()
            self._process.proc.communicate()
