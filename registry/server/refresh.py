"""Builds the site anew when a request finds that files have changed. (Watching, and pushing to the browser, come later.)"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from registry.build import BuildResult, build
from registry.errors import RegistryError
from registry.site import Site
from registry.source import open_source

_LOOK_EVERY_S = 0.5
_WATCHED = ("definitions", "schema", "site_templates", "registry.yaml")


class Refresher:
    """Looks at the files at most twice a second, and builds when they differ from what was built last."""

    def __init__(self, root: Path, site: Site, tell: Callable[[BuildResult | RegistryError], None]) -> None:
        """`tell` is given the result of every build, also of one that found problems or could not be done."""
        self.root = root
        self.site = site
        self.tell = tell
        self._lock = threading.Lock()
        self._seen: int | None = None
        self._looked = 0.0

    def __call__(self) -> None:
        """Build if something changed. Requests that come meanwhile wait, and get the new site.

        What stops a build is told and answers go on from the last good site: a half-edited template must not end a server.
        """
        with self._lock:
            if time.monotonic() - self._looked < _LOOK_EVERY_S:
                return
            try:
                self.build()
            except RegistryError as error:
                self.tell(error)
            finally:
                self._looked = time.monotonic()

    def build(self) -> None:
        """Build if something changed since the last time. Raises RegistryError where it cannot be done."""
        fingerprint = self._fingerprint()
        if fingerprint != self._seen:
            # Remembered before: a file that changes during the build is seen by the next request.
            self._seen = fingerprint
            self.tell(build(open_source(self.root), self.site))

    def _fingerprint(self) -> int:
        """A number that differs when any file's path, size, time or inode does, or HEAD names another commit."""
        found: list[tuple[str, int, int, int]] = []
        for name in (*_WATCHED, ".git/HEAD", ".git/logs/HEAD", ".git/packed-refs"):
            self._look(str(self.root / name), found)
        return hash(tuple(sorted(found)))

    def _look(self, path: str, found: list[tuple[str, int, int, int]]) -> None:
        try:
            status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - called for every file, twice a second
        except OSError:
            return
        found.append((path, status.st_size, status.st_mtime_ns, status.st_ino))
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    self._look(entry.path, found)
        except OSError:
            return  # a file, or a folder that went away
