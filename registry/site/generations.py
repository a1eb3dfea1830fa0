"""Generations of the site on disk, published atomically: readers never see a partial site.

`site` is a symbolic link into `.site.generations/` in the same folder. Each build creates a new generation
folder, then replaces the link by renaming a new one over it. The last three generations are kept for readers
that still use them. A new generation starts from the oldest of the three, where only changed targets are
written. With fewer than three it starts from a copy of the current generation, made of hard links. When most
targets have changed, it starts from an empty folder.
"""

import errno
import re
import secrets
import shutil
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from registry.errors import RefusedError, UsageError
from registry.files.safe_paths import create_new
from registry.render.target import Target, Targets, grouped_by_fingerprint
from registry.site.manifest import Manifest, RecordedGeneration, pack
from registry.site.path_templates import count_of, paths_of
from registry.site.place import refuse_place
from registry.site.plan import KEPT_GENERATIONS, Base, GenerationPlan, from_scratch, plan_generation
from registry.site.writer import (
    OnProgress,
    UnchangedTargets,
    copy_tree,
    files_in,
    remove_files,
    write_targets,
)

# Up to 15 digits: the next name is computed as a number, and sorting by number keeps working after 999,999
# builds.
_NAME = re.compile(r"[0-9]{6,15}\Z")
# A copy of fewer files takes a tenth of a second at most.
_WORTH_PREPARING = 1_000
# A full build of a very large registry takes minutes, and a second one started by CI has to wait for it.
_LOCK_TIMEOUT_S = 600


class WriteResult(NamedTuple):
    """Result of a build: number of files, folder of the generation, and number of targets written."""

    files: int
    folder: Path
    changed: int


class Site:
    """The output location of a registry's site."""

    def __init__(self, out: Path) -> None:
        """Take the path that a web server serves: a link, or a path that does not exist yet."""
        self.out = out
        self.generations = out.parent / f".{out.name}.generations"

    @property
    def current(self) -> Path | None:
        """The folder that is currently served, or None."""
        return self.out.resolve() if self._is_own_link() and self.out.exists() else None

    def _is_own_link(self) -> bool:
        if not self.out.is_symlink():
            return False
        target = self.out.readlink()
        # Only the form that `_make_current` writes. Any other link was made by hand, and replacing it would
        # lose it.
        return target.parent == Path(self.generations.name) and _NAME.match(target.name) is not None

    def prepare(self, root: Path | None = None) -> None:
        """Check that the site can be written, before it is rendered.

        `root` is the registry of the site; the site must not be in the registry's own folders. Raises
        UsageError when nothing can be written there, and RefusedError for a path that `registry build` did
        not create.
        """
        if root is not None:
            refuse_place(root, self.out)
        # The order matters: another build may create its link now, or remove an empty folder in its place.
        if self.out.exists() and not self.out.is_symlink():
            try:
                self.out.rmdir()
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise UsageError(
                        f"{self.out} cannot be replaced: {error.strerror}", "choose another folder with --out"
                    ) from error
                message = f"{self.out} exists and was not created by `registry build`"
                raise RefusedError(message, "remove it, or choose another folder with --out") from error
        if self.out.is_symlink() and not self._is_own_link():
            raise RefusedError(
                f"{self.out} is a link that `registry build` did not create",
                "remove it, or choose another folder with --out",
            )
        if self.generations.is_symlink():
            raise RefusedError(
                f"{self.generations} is a link",
                "remove it, or choose another folder with --out: links are not followed when writing",
            )
        try:
            self.generations.mkdir(parents=True, exist_ok=True)
            self._mode_of_new_files()
        except OSError as error:
            raise UsageError(
                f"{self.generations} cannot be written: {error.strerror}", "choose another folder with --out"
            ) from error

    def _mode_of_new_files(self) -> int:
        """Return the mode of new files, which depends on the umask or the rules of the folder.

        Raises OSError when no file can be created.
        """
        # Another build may probe at the same time.
        probe = self.generations / f".probe-{secrets.token_hex(4)}"
        create_new(probe, b"")
        try:
            return stat.S_IMODE(probe.lstat().st_mode)
        finally:
            probe.unlink(missing_ok=True)

    def write(
        self,
        targets: Targets,
        report: OnProgress = lambda _done, _total: None,
        *,
        from_nothing: bool = False,
        resume: bool = False,
    ) -> WriteResult:
        """Write a new generation of these targets and make it current.

        After an error the previous generation stays current. Does nothing when the current generation was
        made from the same targets. `from_nothing` renders and writes every target. With `resume`, files that
        an interrupted write left are kept if their bytes are right, and Ctrl-C leaves them. Raises UsageError
        when the site cannot be written or another build holds the lock for 10 minutes, RefusedError as
        `prepare` does, and AssertionError when two targets write one file.
        """
        self.prepare()
        try:
            with self._lock():
                return self._write(targets, report, from_nothing=from_nothing, resume=resume)
        except OSError as error:
            raise UsageError(
                f"the site cannot be written to {error.filename or self.out}: {error.strerror}",
                "the previous site was kept",
            ) from error

    @contextmanager
    def _lock(self) -> Iterator[None]:
        lock = self.generations / ".lock"
        if lock.is_symlink():
            lock.unlink()  # the lock would truncate the file that the link points to
        try:
            with FileLock(lock, timeout=_LOCK_TIMEOUT_S):
                yield
        except Timeout as error:
            raise UsageError(
                f"another build has been writing to {self.out} for {_LOCK_TIMEOUT_S} s",
                "wait for it, or stop it",
            ) from error

    @contextmanager
    def manifest(self) -> Iterator[Manifest]:
        """Give the manifest of the generations, while no build can change them.

        Raises UsageError when a build takes too long.
        """
        with self._lock():
            manifest = Manifest(self.generations)
            try:
                yield manifest
            finally:
                manifest.close()

    def prepare_next(self) -> None:
        """Copy the current generation until as many exist as are kept, so that later builds need not.

        A copy of a large site takes seconds, and the first builds after a full one would wait for it. Does
        nothing for small sites, where the file system has no hard links, and if the current generation
        cannot be reused. Raises UsageError when another build holds the lock for 10 minutes.
        """
        with self.manifest() as manifest, suppress(OSError, sqlite3.DatabaseError):
            for _ in range(KEPT_GENERATIONS - 1):
                current = self.current
                folders = self._folders_up_to(current)
                usable = {one.folder: one for one in self._usable(manifest, folders)}
                latest = usable.get(current.name) if current is not None else None
                if latest is None or latest.files < _WORTH_PREPARING or len(usable) >= KEPT_GENERATIONS:
                    return
                self._copy_as_next(manifest, latest, folders)

    def _copy_as_next(self, manifest: Manifest, latest: RecordedGeneration, folders: Sequence[str]) -> None:
        name = _next_name(folders)
        partial = self.generations / f"{name}.partial"
        folder_id = _free_id(manifest)
        try:
            copy_tree(self.generations / latest.folder, partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        manifest.copy(latest.folder_id, folder_id)
        manifest.record(partial, latest._replace(folder_id=folder_id, folder=name), (), ())
        partial.rename(self.generations / name)
        self._make_current(name)

    def previous(self) -> Path | None:
        """Return the folder of the generation before the current one, or None."""
        current = self.current
        if current is None:
            return None
        older = [
            entry
            for entry in self.generations.iterdir()
            if _NAME.match(entry.name) and int(entry.name) < int(current.name)
        ]
        return max(older, key=lambda entry: int(entry.name), default=None)

    def _write(
        self, targets: Targets, report: OnProgress, *, from_nothing: bool, resume: bool
    ) -> WriteResult:
        manifest = Manifest(self.generations)
        try:
            return self._write_with(manifest, targets, report, from_nothing=from_nothing, resume=resume)
        except sqlite3.DatabaseError:
            # The manifest is damaged: write everything.
            manifest.remove()
            manifest = Manifest(self.generations)
            return self._write_with(manifest, targets, report, from_nothing=True, resume=False)
        finally:
            manifest.close()

    def _remove_partial(self, kept: Path | None = None) -> None:
        # This build holds the lock: unfinished folders were left by a build that was killed.
        for left in self.generations.glob("*.partial"):
            if left == kept:
                continue
            if left.is_symlink() or not left.is_dir():
                left.unlink()
            else:
                shutil.rmtree(left)

    def _take_partial(self, folder: Path) -> bool:
        """Rename what a killed build left to `folder`. Return False if there is nothing that can be used."""
        mode = self._mode_of_new_files()
        left = [one for one in self.generations.glob("*.partial") if _has_mode(one, mode)]
        if not left:
            return False
        newest = max(left)
        self._remove_partial(newest)
        newest.rename(folder)
        return True

    def _write_with(
        self, manifest: Manifest, targets: Targets, report: OnProgress, *, from_nothing: bool, resume: bool
    ) -> WriteResult:
        current = self.current
        folders = self._folders_up_to(current)
        usable = [] if from_nothing else self._usable(manifest, folders)
        manifest.keep_only(one.folder_id for one in usable)
        latest = next((one for one in usable if current is not None and one.folder == current.name), None)
        packed = pack(targets.fingerprints)
        # The bytes decide, so both were packed by the same function from fingerprints in the same order.
        if latest is not None and latest.packed == packed:
            self._remove_partial()
            return WriteResult(latest.files, self.generations / latest.folder, 0)
        chosen = _plan(usable[0], latest, folders, targets) if latest else from_scratch(targets.fingerprints)
        name = _next_name(folders)
        partial = self.generations / f"{name}.partial"
        try:
            chosen, folder_id = self._begin(chosen, manifest, partial, targets.fingerprints, resume=resume)
            unchanged = self._unchanged(chosen, manifest, latest)
            written, files = _apply(chosen, manifest, folder_id, unchanged, partial, targets, report)
        # Also after Ctrl-C: a partial folder can have as many files as a site.
        except BaseException as error:
            if not (resume and isinstance(error, KeyboardInterrupt)):
                shutil.rmtree(partial, ignore_errors=True)
            raise
        recorded = RecordedGeneration(folder_id, name, files, packed)
        # First the record, then the rename, then the link. A build that is killed in between leaves a folder
        # that is not current, or a record without its folder: readers see the previous site in both cases.
        manifest.record(partial, recorded, written, chosen.remove)
        partial.rename(self.generations / name)
        self._make_current(name)
        self._remove_old(folders, manifest, name)
        return WriteResult(files, self.generations / name, len(written))

    def _folders_up_to(self, current: Path | None) -> list[str]:
        """Return the names of the generations, oldest first, without those that never became current.

        A build that is killed before it replaces the link leaves a newer one. It is removed: `previous` must
        be a generation that readers have seen.
        """
        names = sorted((one.name for one in self.generations.iterdir() if _NAME.match(one.name)), key=int)
        newer = [name for name in names if current is not None and int(name) > int(current.name)]
        for name in newer:
            _remove(self.generations / name)
        return names[: len(names) - len(newer)]

    def _usable(self, manifest: Manifest, folders: Sequence[str]) -> list[RecordedGeneration]:
        """Return the generations whose files can be reused, oldest first."""
        # Reused files of older generations would keep their old permissions after a change of the umask.
        mode = self._mode_of_new_files()
        fitting = {name for name in folders if _has_mode(self.generations / name, mode)}
        return [one for one in manifest.generations() if one.folder in fitting]

    def _unchanged(
        self, chosen: GenerationPlan, manifest: Manifest, latest: RecordedGeneration | None
    ) -> UnchangedTargets | None:
        if latest is None or not chosen.link:
            return None
        templates = manifest.path_templates(latest.folder, chosen.link)
        return UnchangedTargets(self.generations / latest.folder, templates)

    def _remove_old(self, folders: Sequence[str], manifest: Manifest, current: str) -> None:
        """Remove all generations except the last ones of `folders`, and `current`."""
        # One place less, because the new generation is not in `folders`.
        for old in folders[: 1 - KEPT_GENERATIONS]:
            _remove(self.generations / old)
        kept = {*folders[1 - KEPT_GENERATIONS :], current}
        manifest.keep_only(one.folder_id for one in manifest.generations() if one.folder in kept)

    def _begin(
        self,
        chosen: GenerationPlan,
        manifest: Manifest,
        partial: Path,
        wanted: Mapping[str, str],
        *,
        resume: bool,
    ) -> tuple[GenerationPlan, int]:
        """Move or copy the folder that the plan starts from to `partial`.

        Returns the plan that can be followed, and the id of the folder in the manifest.
        """
        start = chosen.start
        is_resumed = resume and start is None and self._take_partial(partial)
        if not is_resumed:
            self._remove_partial()
        if start is not None and chosen.base is Base.OLDEST:
            # Before the folder changes: if this build is killed, a half-changed folder must not be reused.
            manifest.invalidate(start.folder_id)
            (self.generations / start.folder).rename(partial)
            return chosen, start.folder_id
        folder_id = _free_id(manifest)
        if start is not None:
            try:
                copy_tree(self.generations / start.folder, partial)
            except OSError:
                # No hard links on this file system, or too many of one file.
                shutil.rmtree(partial, ignore_errors=True)
            else:
                manifest.copy(start.folder_id, folder_id)
                return chosen, folder_id
        if is_resumed:
            return replace(chosen, base=Base.INTERRUPTED), folder_id
        partial.mkdir()
        return from_scratch(wanted), folder_id

    def _make_current(self, name: str) -> None:
        # `symlink` cannot replace a link, and removing the old one first would leave a moment without a site.
        # `rename` replaces it in one step.
        link = self.generations / ".next"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(self.generations.name, name))
        link.replace(self.out)


def _next_name(folders: Sequence[str]) -> str:
    return f"{int(folders[-1]) + 1 if folders else 1:06d}"


def _free_id(manifest: Manifest) -> int:
    taken = manifest.folder_ids()
    return next(number for number in range(KEPT_GENERATIONS + 2) if number not in taken)


def _has_mode(folder: Path, mode: int) -> bool:
    """Return True for a folder (not a link) that was created under the umask that gives files this mode."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_mode & 0o666 == mode


def _remove(generation: Path) -> None:
    if generation.is_symlink() or not generation.is_dir():
        generation.unlink(missing_ok=True)
    else:
        shutil.rmtree(generation, ignore_errors=True)


def _plan(
    oldest: RecordedGeneration, latest: RecordedGeneration, folders: Sequence[str], targets: Targets
) -> GenerationPlan:
    # Only these two are loaded: decoding the fingerprints of a generation takes time at 100,000 targets.
    newest = latest.load()
    usable = [newest] if oldest is latest else [oldest.load(), newest]
    return plan_generation(usable, newest, folders, targets.fingerprints)


def _apply(  # noqa: PLR0913 - the existing state and the wanted state
    chosen: GenerationPlan,
    manifest: Manifest,
    folder_id: int,
    unchanged: UnchangedTargets | None,
    folder: Path,
    targets: Targets,
    report: OnProgress,
) -> tuple[list[tuple[Target, str]], int]:
    """Write and link the targets of a plan in `folder`, and remove files that are no longer wanted.

    Returns the targets written with the templates of their paths, and the number of files in the folder.
    """
    start = chosen.start
    changed = grouped_by_fingerprint(targets.changed_since(start.fingerprints if start is not None else {}))
    before: list[str] = []
    if start is not None:
        replaced = (name for name in chosen.make if name in start.fingerprints)
        before = manifest.paths(folder_id, [*chosen.remove, *replaced])
    elif chosen.base is Base.INTERRUPTED:
        before = list(files_in(folder))
    is_new = chosen.base is Base.SCRATCH
    templates = write_targets(
        folder, changed, report, is_new=is_new, unchanged=unchanged, prefetch=targets.prefetch
    )
    count = sum(map(count_of, templates.values()))
    if not is_new:
        written = {path for target in changed for path in paths_of(templates[target.name], target.prefixes)}
        if len(written) < count:
            # A bug in a renderer, found before the site is published.
            raise AssertionError("two targets write the same file")
        remove_files(folder, set(before) - written)
    files = (start.files - len(before) if start is not None else 0) + count
    return [(target, templates[target.name]) for target in changed], files
