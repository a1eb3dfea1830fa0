"""A small disk for one server: a file system in memory that only the server's namespace has."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S
from tests.support.writing import new_bare_registry, new_users
from tests.writes.faults.machine import Machine

_MOUNT = 'mount -t tmpfs -o size=6m tmpfs "$0" && cp -r "$1" "$0" && shift && exec "$@"'
_SET_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
_SET_WRITABLE = 'umount -l "$0"'


class SmallDisk:
    """A server that is not started, whose repository will be on a disk of 6 MB."""

    def __init__(self, folder: Path) -> None:
        """Make a registry below `folder`. Skips the test where namespaces are forbidden."""
        self._disk = folder / "disk"
        self._disk.mkdir()
        bare = new_bare_registry(folder)
        namespace = _namespace(self._disk)
        self._enters_users = "-Urm" in namespace
        self.machine = Machine(self._disk / bare.name, new_users(folder))
        self.machine.log = folder / "serve.log"
        self.machine.prefix = [*namespace, "sh", "-c", _MOUNT, str(self._disk), str(bare)]

    @property
    def _from_here(self) -> Path:
        """The disk, as it can be reached from here while the server runs."""
        return Path(f"/proc/{self.machine.process.pid}/root{self._disk}")

    def copy(self) -> Path:
        """Return a copy of the repository: git does not work on a path in another namespace."""
        found = self._disk.with_name("copy.git")
        shutil.copytree(self._from_here / self.machine.bare.name, found)
        return found

    def fill(self, leave: int) -> Path:
        """Fill the disk except for some bytes; returns the file that does."""
        filler = self._from_here / "filler"
        found = os.statvfs(filler.parent)
        filler.write_bytes(bytes(found.f_bavail * found.f_bsize - leave))
        return filler

    def set_read_only(self) -> None:
        """Refuse all writes from now on."""
        self._inside(_SET_READ_ONLY)

    def set_writable(self) -> None:
        """Allow writes again."""
        self._inside(_SET_WRITABLE)

    def _inside(self, script: str) -> None:
        users = ["--user", "--preserve-credentials"] if self._enters_users else []
        words = ["nsenter", "--target", str(self.machine.process.pid), "--mount", *users]
        command = [*words, "sh", "-c", script, str(self._disk)]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)


def _namespace(folder: Path) -> list[str]:
    """The words that start a command with mounts of its own."""
    for words in (["unshare", "-Urm"], ["unshare", "-m"]):
        tried = [*words, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
        try:
            if subprocess.run(tried, check=False, capture_output=True, timeout=PATIENCE_S).returncode == 0:
                return words
        except FileNotFoundError:
            break
    pytest.skip("namespaces are forbidden here")
