"""Writes targets to a folder, with a second process where that saves time; copies and removes files."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from registry.render.target import File, Target
from registry.runtime import share
from registry.site.path_templates import paths_of, template_of

OnProgress = Callable[[int, int], None]
"""Receives the number of finished parts and the total."""

WrittenTargets = dict[str, str]
"""Path templates of the written targets, by name.

As text, two million paths would take hundreds of megabytes.
"""


class UnchangedTargets(NamedTuple):
    """Targets that are identical in another folder: their path templates, by name."""

    folder: Path
    path_templates: Mapping[str, str]


_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Number of targets in one part, which gives some hundred parts at 10,000 definitions.
_PART = 50
# Maximum number of existing folders to remember: those of current targets and their parents.
_FOLDERS_KEPT = 2_000
# Depth of the folders of definitions: `api/<kind>/<id>`, `<kind>/<group>/<name>`.
_SHARED_BELOW = 3
# Minimum number of parts for which a second process saves more than its start costs.
_WORTH_SHARING = 40


def write_targets(
    folder: Path,
    targets: Sequence[Target],
    report: OnProgress,
    *,
    is_new: bool,
    unchanged: UnchangedTargets | None = None,
    prefetch: Callable[[Iterable[str]], None] = lambda _: None,
) -> WrittenTargets:
    """Render and write all targets, except those in `unchanged`, which are linked.

    `is_new` means that the folder is empty. `prefetch` is called with the ids of the blobs that targets need,
    before these are rendered. Returns the path templates of all targets.
    """
    parts = _parts(targets)
    writer = _Writer(folder, is_new=is_new, unchanged=unchanged, prefetch=prefetch)
    writer.written.update(share(parts, writer.write, lambda: writer.written, report) or {})
    return writer.written


def _parts(targets: Iterable[Target]) -> list[list[Target]]:
    """Split targets into parts: each long target alone and first, targets with the same inputs together."""
    long: list[list[Target]] = []
    parts: list[list[Target]] = [[]]
    for target in targets:
        if target.is_long:
            long.append([target])
        elif len(parts[-1]) < _PART or target.fingerprint == parts[-1][-1].fingerprint:
            parts[-1].append(target)
        else:
            parts.append([target])
    # Long targets first: one that starts last would leave the other process without work.
    return [*long, *parts]


class _Writer:
    """Writes below one folder and remembers which folders exist."""

    def __init__(
        self,
        folder: Path,
        *,
        is_new: bool,
        unchanged: UnchangedTargets | None,
        prefetch: Callable[[Iterable[str]], None],
    ) -> None:
        self.top = f"{folder}/"
        self.prefetch = prefetch
        self.unchanged = unchanged
        self.is_new = is_new
        self.written: WrittenTargets = {}
        self.folders = {""}

    def write(self, targets: Iterable[Target]) -> None:
        changed = [target for target in targets if not self.link_unchanged(target)]
        self.prefetch(blob for target in changed for blob in target.needs())
        for target in changed:
            paths: list[str] = []
            for file in target.make():
                self.write_file(file)
                paths.append(file.path)
                paths.extend(file.twins)
            self.written[target.name] = template_of(paths, target.prefixes)

    def link_unchanged(self, target: Target) -> bool:
        """Link the files of a target that is identical elsewhere. Return False if it must be written."""
        template = self.unchanged.path_templates.get(target.name) if self.unchanged is not None else None
        if template is None or not self.link_all(paths_of(template, target.prefixes)):
            return False
        self.written[target.name] = template
        return True

    def link_all(self, paths: Iterable[str]) -> bool:
        """Hard-link the files at these paths from the other folder. Return False if that is not possible."""
        assert self.unchanged is not None
        try:
            for path in paths:
                self.make_folder(path.rpartition("/")[0])
                twin = self.top + path
                with suppress(FileNotFoundError):
                    os.unlink(twin)  # noqa: PTH108
                os.link(f"{self.unchanged.folder}/{path}", twin)
        except OSError:
            return False  # no hard links here, or too many of one file: write the whole target
        return True

    def make_folder(self, parent: str) -> None:
        if parent not in self.folders:
            self.make_folder(parent.rpartition("/")[0])
            try:  # noqa: SIM105 - `suppress` takes a tenth of the time of a folder
                os.mkdir(self.top + parent)  # noqa: PTH102 - a Path for each of a hundred thousand files costs a second
            except FileExistsError:
                pass  # another target has files there too, or the folder was dropped from the set
            if len(self.folders) >= _FOLDERS_KEPT:
                self.folders = {""}
            self.folders.add(parent)

    def write_file(self, file: File) -> None:
        """Write one file; its twins are hard links to it."""
        self.make_folder(file.path.rpartition("/")[0])
        path = self.top + file.path
        is_unchanged = not self.is_new and isinstance(file.body, bytes) and _has(path, file.body)
        if not is_unchanged:
            if not self.is_new:
                # Never write into the file: other generations share it.
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108
            _create(path, file.parts())
        for twin in file.twins:
            self.make_folder(twin.rpartition("/")[0])
            _link(path, self.top + twin, is_new=self.is_new)


def _has(path: str, body: bytes) -> bool:
    """Return True when a file has exactly these bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        # The size first, so that only files of the right size are read.
        return os.fstat(handle).st_size == len(body) and os.read(handle, len(body) + 1) == body
    finally:
        os.close(handle)


def _create(path: str, parts: Iterable[bytes]) -> None:
    # Exclusive: two files for one address are a bug; the later one must not replace the earlier one.
    handle = os.open(path, _NEW_FILE, 0o666)  # reduced by the umask
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
    """Copy a folder tree, with hard links for files.

    Raises OSError when hard links are not possible.
    """
    inner = [(str(old), str(new))]
    # Copy the uppermost folders in this process; share the folders below them.
    for _ in range(_SHARED_BELOW):
        inner = [found for source, target in inner for found in _copy_folder(source, target)]
    parts = [inner[start : start + _PART] for start in range(0, len(inner), _PART)]
    share(parts, _copy_all, lambda: True, lambda _done, _total: None)


def _copy_all(folders: Iterable[tuple[str, str]]) -> None:
    for source, target in folders:
        _copy_all(_copy_folder(source, target))


def _copy_folder(source: str, target: str) -> list[tuple[str, str]]:
    """Copy one folder with its files, and return source and target of the folders in it."""
    os.mkdir(target)  # noqa: PTH102 - called often, as below
    inner = []
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner.append((entry.path, f"{target}/{entry.name}"))
            else:
                os.link(entry.path, f"{target}/{entry.name}")
    return inner


def files_in(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, relative to it."""
    for parent, _, names in os.walk(folder):
        inside = os.path.relpath(parent, folder)
        yield from (names if inside == "." else (f"{inside}/{name}" for name in names))


def remove_files(folder: Path, paths: Iterable[str]) -> None:
    """Remove files, and folders that become empty."""
    parents = set()
    for path in paths:
        with suppress(FileNotFoundError):
            os.unlink(f"{folder}/{path}")  # noqa: PTH108
        parents.add(path.rpartition("/")[0])
    # Deepest first, to remove parents that become empty.
    for parent in sorted(parents, key=lambda one: one.count("/"), reverse=True):
        while parent:
            try:
                os.rmdir(f"{folder}/{parent}")  # noqa: PTH106
            except OSError:
                break  # not empty
            parent = parent.rpartition("/")[0]  # noqa: PLW2901
