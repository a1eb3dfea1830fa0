"""Writes units below a folder, with a second process where that pays; copies and removes files there."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import RegistryError, UsageError
from registry.forking import can_fork
from registry.render.file import File, Unit

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.sharedctypes import Synchronized

Made = dict[str, str]
"""Paths, one a line, by the name of the unit that made them: in lists, two million of them are hundreds of megabytes."""
# So many units are taken at once; some hundred parts at 10,000 definitions.
_PART = 100
# Of so many it is remembered that they are there: those of the units at hand, and those above them.
_FOLDERS_KEPT = 2_000
# From this many parts on, a second process pays for its start.
_WORTH_SHARING = 20


def write_units(folder: Path, units: Sequence[Unit], tell: Callable[[int, int], None], *, is_new: bool) -> Made:
    """Make and write all units, with a child process that takes every part it finds not taken yet.

    The child shares everything we hold without copying it. `is_new`: nothing is in the folder yet.
    """
    parts = [units[start : start + _PART] for start in range(0, len(units), _PART)]
    writer = _Writer(folder, is_new=is_new)
    if len(parts) < _WORTH_SHARING or not can_fork():
        for number, part in enumerate(parts):
            tell(number, len(parts))
            writer.write(part)
        return writer.made
    context = multiprocessing.get_context("fork")
    taken = context.Value("l", 0)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_write_and_tell, args=(writer, parts, taken, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        _write_untaken(writer, parts, taken, tell)
        try:
            told = ours.recv()
        except EOFError as error:
            raise UsageError("a process that wrote the site was killed", "is there enough memory?") from error
        if isinstance(told, BaseException):
            raise told
        writer.made.update(told)
    finally:
        child.kill()
        child.join()
        ours.close()
    return writer.made


def _write_untaken(writer: "_Writer", parts: Sequence[Sequence[Unit]], taken: "Synchronized[int]", tell: Callable[[int, int], None]) -> None:
    """Write part after part, each one that no other process has taken."""
    while True:
        with taken.get_lock():
            mine = taken.value
            taken.value += 1
        if mine >= len(parts):
            return
        tell(mine, len(parts))
        writer.write(parts[mine])


def _write_and_tell(writer: "_Writer", parts: Sequence[Sequence[Unit]], taken: "Synchronized[int]", told: "Connection") -> None:
    """In the child: what was made, or the error that stopped it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends us
    try:
        _write_untaken(writer, parts, taken, lambda _done, _total: None)
        told.send(writer.made)
    except (OSError, RegistryError) as error:
        with suppress(OSError):  # the parent is gone, and nobody asks any more
            told.send(error)


class _Writer:
    """Writes below one folder and remembers which folders are there."""

    def __init__(self, folder: Path, *, is_new: bool) -> None:
        self.top = f"{folder}/"
        self.is_new = is_new
        self.made: Made = {}
        self.folders = {""}

    def write(self, units: Iterable[Unit]) -> None:
        for unit in units:
            paths: list[str] = []
            for file in unit.make():
                self.write_file(file)
                paths.append(file.path)
                paths.extend(file.twins)
            self.made[unit.name] = "\n".join(paths)

    def make_folder(self, parent: str) -> None:
        if parent not in self.folders:
            self.make_folder(parent.rpartition("/")[0])
            with suppress(FileExistsError):  # another unit has files there too, or we have forgotten
                os.mkdir(self.top + parent)  # noqa: PTH102 - a Path for each of a hundred thousand files costs a second
            if len(self.folders) >= _FOLDERS_KEPT:
                self.folders = {""}
            self.folders.add(parent)

    def write_file(self, file: File) -> None:
        """One file; twins are further names of the same one."""
        self.make_folder(file.path.rpartition("/")[0])
        path = self.top + file.path
        is_same = not self.is_new and _has(path, file.body)
        if not is_same:
            if not self.is_new:
                # Never into the file: other generations have it too.
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108
            _create(path, file.body)
        for twin in file.twins:
            self.make_folder(twin.rpartition("/")[0])
            _link(path, self.top + twin, is_new=self.is_new)


def _has(path: str, body: bytes) -> bool:
    """True when a file holds just these bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        return os.fstat(handle).st_size == len(body) and os.read(handle, len(body) + 1) == body
    finally:
        os.close(handle)


def _create(path: str, body: bytes) -> None:
    # Exclusive: two files for one address are a bug, never the later one over the earlier.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
    try:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)


def _link(path: str, twin: str, *, is_new: bool) -> None:
    if not is_new:
        try:
            if os.path.samefile(path, twin):  # noqa: PTH121
                return
            os.unlink(twin)  # noqa: PTH108
        except FileNotFoundError:
            pass
    try:
        os.link(path, twin)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (some network mounts), or too many of one file.
        shutil.copyfile(path, twin)


def copy_tree(old: Path, new: Path) -> None:
    """The same folders, and the same files as hard links. Raises OSError where that cannot be."""
    os.mkdir(new)  # noqa: PTH102
    with os.scandir(old) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                copy_tree(Path(entry.path), new / entry.name)
            else:
                os.link(entry.path, f"{new}/{entry.name}")


def remove_files(folder: Path, paths: Iterable[str]) -> None:
    """Remove files, and folders that are empty then."""
    parents = set()
    for path in paths:
        with suppress(FileNotFoundError):
            os.unlink(f"{folder}/{path}")  # noqa: PTH108
        parents.add(path.rpartition("/")[0])
    # Deepest first, so that a folder of empty folders goes, too.
    for parent in sorted(parents, key=lambda one: one.count("/"), reverse=True):
        while parent:
            try:
                os.rmdir(f"{folder}/{parent}")  # noqa: PTH106
            except OSError:
                break  # not empty
            parent = parent.rpartition("/")[0]  # noqa: PLW2901
