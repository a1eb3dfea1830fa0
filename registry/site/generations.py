"""Files to a generation on disk, made current by one rename: a reader never sees half of a site.

`site` is a symbolic link into `.site.generations/` beside it. Each build makes a new generation folder, then renames a new
link over the old one. The last three generations stay, for readers that are in the middle of one. A new generation is made
from the oldest of the three, in which only the units that have changed since are written anew; where there are not three
yet, from a copy of the current one, whose files are hard links; and from nothing where most has changed.
"""

import errno
import re
import secrets
import shutil
import sqlite3
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from registry.errors import RefusedError, UsageError
from registry.files.safe_paths import create_new
from registry.render.target import Target, Targets, grouped_by_fingerprint
from registry.site.manifest import Manifest, RecordedGeneration, pack
from registry.site.path_templates import count_of, paths_of
from registry.site.place import refuse_place
from registry.site.writer import OnProgress, UnchangedTargets, copy_tree, remove_files, write_units

_KEPT = 3
_NAME = re.compile(r"[0-9]{6,15}\Z")
_LOCK_TIMEOUT_S = 600
# From this share of changed units on, building upon an old generation saves nothing.
_WORTH_KEEPING = 0.6
# From so many units on, asking which of them the latest generation has saves more than it takes.
_WORTH_LINKING = 200


class WriteResult(NamedTuple):
    """What was written: how many files the site has, the generation's folder, and how many of its units were made anew."""

    files: int
    folder: Path
    changed: int


class Site:
    """One place that a registry is built to."""

    def __init__(self, out: Path) -> None:
        """`out` is the address that a web server serves: a link, or nothing yet."""
        self.out = out
        self.generations = out.parent / f".{out.name}.generations"

    @property
    def current(self) -> Path | None:
        """The folder that is served now, or None."""
        return self.out.resolve() if self._is_own_link() and self.out.exists() else None

    def _is_own_link(self) -> bool:
        if not self.out.is_symlink():
            return False
        target = self.out.readlink()
        return target.parent == Path(self.generations.name) and _NAME.match(target.name) is not None

    def prepare(self, root: Path | None = None) -> None:
        """See that the site can be written at all, before the work is done. Raises UsageError or RefusedError.

        `root` is the registry that it is made from, whose own folders are no place for it.
        """
        if root is not None:
            refuse_place(root, self.out)
        # In this order: another build may make its link at this moment, or remove an empty folder that was there for it.
        if self.out.exists() and not self.out.is_symlink():
            try:
                self.out.rmdir()
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise UsageError(
                        f"{self.out} cannot be replaced: {error.strerror}", "name another place with --out"
                    ) from error
                message = f"{self.out} is there and was not made by `registry build`"
                raise RefusedError(message, "remove it, or name another place with --out") from error
        if self.out.is_symlink() and not self._is_own_link():
            raise RefusedError(
                f"{self.out} is a link that `registry build` did not make",
                "remove it, or name another place with --out",
            )
        if self.generations.is_symlink():
            raise RefusedError(
                f"{self.generations} is a link",
                "remove it, or name another place with --out: nothing is written where it points to",
            )
        try:
            self.generations.mkdir(parents=True, exist_ok=True)
            self._mode_of_new_files()
        except OSError as error:
            raise UsageError(
                f"{self.generations} cannot be written: {error.strerror}", "name another place with --out"
            ) from error

    def _mode_of_new_files(self) -> int:
        """The permissions that a new file gets there: what the umask, or the folder's own rules, leave. Raises OSError."""
        probe = self.generations / f".probe-{secrets.token_hex(4)}"  # another build may be at the same
        create_new(probe, b"")
        try:
            return stat.S_IMODE(probe.lstat().st_mode)
        finally:
            probe.unlink(missing_ok=True)

    def write(
        self, units: Targets, tell: OnProgress = lambda _done, _total: None, *, from_nothing: bool = False
    ) -> WriteResult:
        """Make a whole new generation of these units the current one. On any error the last good one stays.

        Where the current one is made from just these, nothing is done. `from_nothing`: every unit is made and written.
        """
        self.prepare()
        try:
            lock = self.generations / ".lock"
            if lock.is_symlink():
                lock.unlink()  # the file that it points to would be emptied
            with FileLock(lock, timeout=_LOCK_TIMEOUT_S):
                return self._write(units, tell, from_nothing=from_nothing)
        except Timeout as error:
            raise UsageError(
                f"another build has been writing to {self.out} for {_LOCK_TIMEOUT_S} s",
                "wait for it, or end it",
            ) from error
        except OSError as error:
            raise UsageError(
                f"the site cannot be written to {error.filename or self.out}: {error.strerror}",
                "the last good site stays",
            ) from error

    def _write(self, units: Targets, tell: OnProgress, *, from_nothing: bool) -> WriteResult:
        # Whatever is unfinished here was left behind by a build that was killed: we hold the lock.
        self._remove_partial()
        record = Manifest(self.generations)
        try:
            return self._write_with(record, units, tell, from_nothing=from_nothing)
        except sqlite3.DatabaseError:
            # The record broke on the way: without it everything is written.
            record.remove()
            self._remove_partial()
            return self._write_with(Manifest(self.generations), units, tell, from_nothing=True)
        finally:
            record.close()

    def _remove_partial(self) -> None:
        for left in self.generations.glob("*.partial"):
            if left.is_symlink() or not left.is_dir():
                left.unlink()
            else:
                shutil.rmtree(left)

    def _write_with(
        self, record: Manifest, units: Targets, tell: OnProgress, *, from_nothing: bool
    ) -> WriteResult:
        names = sorted(
            (entry.name for entry in self.generations.iterdir() if _NAME.match(entry.name)), key=int
        )
        # Files of older generations are taken over as they are. With another umask they would keep the old permissions.
        mode = self._mode_of_new_files()
        fitting = {name for name in names if _has_mode(self.generations / name, mode)}
        known = [] if from_nothing else [one for one in record.generations() if one.folder in fitting]
        record.keep_only(one.slot for one in known)
        current = self.current
        latest = next((one for one in known if current is not None and one.folder == current.name), None)
        wanted = units.keys
        packed = pack(wanted)
        if latest is not None and record.packed(latest.slot) == packed:
            return WriteResult(latest.files, self.generations / latest.folder, 0)
        name = f"{int(names[-1]) + 1 if names else 1:06d}"
        partial = self.generations / f"{name}.partial"
        base = self._base(record, known, latest, wanted, names, partial)
        try:
            partial.mkdir(exist_ok=base is not None)
            made, gone, files = _fill(record, base, latest, self.generations, partial, units, tell)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        slot = (
            base.slot
            if base is not None
            else next(free for free in range(_KEPT + 2) if free not in record.slots())
        )
        folder = self.generations / name
        record.note(partial, RecordedGeneration(slot, name, files), packed, made, gone)
        partial.rename(folder)
        self._make_current(name)
        for old in names[: 1 - _KEPT]:
            _remove(self.generations / old)
        kept = {*names[1 - _KEPT :], name}
        record.keep_only(one.slot for one in record.generations() if one.folder in kept)
        return WriteResult(files, folder, len(made))

    def _base(
        self,
        record: Manifest,
        known: Sequence[RecordedGeneration],
        latest: RecordedGeneration | None,
        wanted: dict[str, str],
        names: Sequence[str],
        partial: Path,
    ) -> RecordedGeneration | None:
        """The generation to build upon, its folder already at `partial`; None where it is to be written from nothing."""
        if latest is None:
            return None
        oldest = known[0]
        if len(names) >= _KEPT and oldest.folder == names[-_KEPT] and oldest is not latest:
            # Also where all has changed: its folders are made already, and it would have to be removed.
            record.forget(oldest.slot)
            (self.generations / oldest.folder).rename(partial)
            return oldest
        keys = record.keys(latest.slot)
        same = sum(keys.get(unit) == key for unit, key in wanted.items())
        if same < (1 - _WORTH_KEEPING) * len(wanted):
            return None
        try:
            copy_tree(self.generations / latest.folder, partial)
        except OSError:
            # No hard links here, or too many of one file.
            shutil.rmtree(partial, ignore_errors=True)
            return None
        slot = next(free for free in range(_KEPT + 2) if free not in record.slots())
        record.copy(latest.slot, slot)
        return latest._replace(slot=slot)

    def _make_current(self, name: str) -> None:
        link = self.generations / ".next"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(self.generations.name, name))
        link.replace(self.out)


def _has_mode(folder: Path, mode: int) -> bool:
    """True for a folder (no link) made under the umask under which a file gets this mode."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_mode & 0o666 == mode


def _remove(generation: Path) -> None:
    if generation.is_symlink() or not generation.is_dir():
        generation.unlink(missing_ok=True)
    else:
        shutil.rmtree(generation, ignore_errors=True)


def _fill(  # noqa: PLR0913 - what is there, and what is wanted
    record: Manifest,
    base: RecordedGeneration | None,
    latest: RecordedGeneration | None,
    generations: Path,
    folder: Path,
    units: Targets,
    tell: OnProgress,
) -> tuple[list[tuple[Target, str]], set[str], int]:
    """Write what is not in `folder` yet (which was `base`), and remove what is no more; what is in `latest` need not be made.

    Gives the units that were made, with the shapes of their paths; those that are gone; and how many files there are now.
    """
    keys = record.keys(base.slot) if base is not None else {}
    changed = grouped_by_fingerprint(units.other_than(keys))
    gone = keys.keys() - units.keys.keys()
    before = (
        record.paths(base.slot, [*gone, *(unit.name for unit in changed if unit.name in keys)])
        if base is not None
        else []
    )
    same = None
    if (
        base is not None
        and latest is not None
        and base.folder != latest.folder
        and len(changed) >= _WORTH_LINKING
    ):
        # As after a change of a template or of the settings: all was made for the latest generation, and `base` is older.
        as_latest = record.keys(latest.slot)
        names = {unit.name for unit in changed if as_latest.get(unit.name) == unit.key}
        same = UnchangedTargets(generations / latest.folder, record.shapes(latest.slot, names))
    made = write_units(folder, changed, tell, is_new=base is None, same=same, prefetch=units.prefetch)
    count = sum(map(count_of, made.values()))
    if base is not None:
        written = {path for unit in changed for path in paths_of(made[unit.name], unit.places)}
        if len(written) < count:
            raise AssertionError(
                "two units make one file"
            )  # a mistake of ours, seen before anybody sees the site
        remove_files(folder, set(before) - written)
    files = (base.files if base is not None else 0) - len(before) + count
    return [(unit, made[unit.name]) for unit in changed], gone, files
