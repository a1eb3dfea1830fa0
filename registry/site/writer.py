"""Writes units below a folder, with a second process where that pays; copies and removes files there."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from registry.render.target import File, Target
from registry.runtime import share
from registry.site.path_templates import paths_of, template_of

Part = TypeVar("Part")
Result = TypeVar("Result")
OnProgress = Callable[[int, int], None]
"""Told how many of how many parts are done."""

WrittenTargets = dict[str, str]
"""The shape of the paths that were made, by the name of their unit: as text, two million paths are hundreds of megabytes."""


class UnchangedTargets(NamedTuple):
    """Units that lie in another folder just as they would be made: the shapes of their paths, by their names."""

    folder: Path
    shapes: Mapping[str, str]


_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# So many units are taken at once; some hundred parts at 10,000 definitions.
_PART = 50
# Of so many it is remembered that they are there: those of the units at hand, and those above them.
_FOLDERS_KEPT = 2_000
# The folders of definitions lie this deep: `api/<kind>/<id>`, `<kind>/<group>/<name>`.
_SHARED_BELOW = 3
# From this many parts on, a second process pays for its start.
_WORTH_SHARING = 40


def write_units(
    folder: Path,
    units: Sequence[Target],
    tell: OnProgress,
    *,
    is_new: bool,
    same: "UnchangedTargets | None" = None,
    prefetch: Callable[[Iterable[str]], None] = lambda _: None,
) -> WrittenTargets:
    """Make and write all targets, except those that are the `same` elsewhere. `is_new`: nothing is in the folder yet.

    `prefetch` is called with the blobs that some targets need before these are made.
    """
    parts = _parts(units)
    writer = _Writer(folder, is_new=is_new, same=same, prefetch=prefetch)
    writer.made.update(share(parts, writer.write, lambda: writer.made, tell) or {})
    return writer.made


def _parts(units: Iterable[Target]) -> list[list[Target]]:
    """Units to be taken together: the long ones first, each alone; of the others those with the same inputs never apart."""
    long: list[list[Target]] = []
    parts: list[list[Target]] = [[]]
    for unit in units:
        if unit.is_long:
            long.append([unit])
        elif len(parts[-1]) < _PART or unit.key == parts[-1][-1].key:
            parts[-1].append(unit)
        else:
            parts.append([unit])
    return [*long, *parts]


class _Writer:
    """Writes below one folder and remembers which folders are there."""

    def __init__(
        self,
        folder: Path,
        *,
        is_new: bool,
        same: UnchangedTargets | None,
        prefetch: Callable[[Iterable[str]], None],
    ) -> None:
        self.top = f"{folder}/"
        self.prefetch = prefetch
        self.same = same
        self.is_new = is_new
        self.made: WrittenTargets = {}
        self.folders = {""}

    def write(self, units: Iterable[Target]) -> None:
        made = [unit for unit in units if not self.link_same(unit)]
        self.prefetch(blob for unit in made for blob in unit.needs())
        for unit in made:
            paths: list[str] = []
            for file in unit.make():
                self.write_file(file)
                paths.append(file.path)
                paths.extend(file.twins)
            self.made[unit.name] = template_of(paths, unit.places)

    def link_same(self, unit: Target) -> bool:
        """Link the files of a target that is the same elsewhere; False where it has to be made."""
        shape = self.same.shapes.get(unit.name) if self.same is not None else None
        if shape is None or not self.link_all(paths_of(shape, unit.places)):
            return False
        self.made[unit.name] = shape
        return True

    def link_all(self, paths: Iterable[str]) -> bool:
        """The files at these paths as further names of those elsewhere; False where that cannot be."""
        assert self.same is not None
        try:
            for path in paths:
                self.make_folder(path.rpartition("/")[0])
                twin = self.top + path
                with suppress(FileNotFoundError):
                    os.unlink(twin)  # noqa: PTH108
                os.link(f"{self.same.folder}/{path}", twin)
        except OSError:
            return False  # no hard links here, or too many of one file: all of it is made
        return True

    def make_folder(self, parent: str) -> None:
        if parent not in self.folders:
            self.make_folder(parent.rpartition("/")[0])
            try:  # noqa: SIM105 - `suppress` takes a tenth of the time of a folder
                os.mkdir(self.top + parent)  # noqa: PTH102 - a Path for each of a hundred thousand files costs a second
            except FileExistsError:
                pass  # another unit has files there too, or we have forgotten
            if len(self.folders) >= _FOLDERS_KEPT:
                self.folders = {""}
            self.folders.add(parent)

    def write_file(self, file: File) -> None:
        """One file; twins are further names of the same one."""
        self.make_folder(file.path.rpartition("/")[0])
        path = self.top + file.path
        is_same = not self.is_new and isinstance(file.body, bytes) and _has(path, file.body)
        if not is_same:
            if not self.is_new:
                # Never into the file: other generations have it too.
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108
            _create(path, file.parts())
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


def _create(path: str, parts: Iterable[bytes]) -> None:
    # Exclusive: two files for one address are a bug, never the later one over the earlier.
    handle = os.open(path, _NEW_FILE, 0o666)  # less the umask
    try:
        for part in parts:
            written = os.write(handle, part)
            while written < len(part):
                written += os.write(handle, memoryview(part)[written:])
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
    inner = [(str(old), str(new))]
    # The uppermost folders here; what is below them is shared.
    for _ in range(_SHARED_BELOW):
        inner = [found for source, target in inner for found in _copy_folder(source, target)]
    parts = [inner[start : start + _PART] for start in range(0, len(inner), _PART)]
    share(parts, _copy_all, lambda: True, lambda _done, _total: None)


def _copy_all(folders: Iterable[tuple[str, str]]) -> None:
    for source, target in folders:
        _copy_all(_copy_folder(source, target))


def _copy_folder(source: str, target: str) -> list[tuple[str, str]]:
    """One folder with its files; gives the folders in it, from and to."""
    os.mkdir(target)  # noqa: PTH102 - called often, as below
    inner = []
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner.append((entry.path, f"{target}/{entry.name}"))
            else:
                os.link(entry.path, f"{target}/{entry.name}")
    return inner


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
