"""A registry that is kept ready to answer from while its files change: the newest good state, and the
current problems."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from registry.errors import RegistryError, UsageError, system_message
from registry.load.file_stats import TreeScan, scan
from registry.load.source import WorkTree, open_source
from registry.model.addresses import INDEX_PAGE, definition_page, page_file
from registry.model.problem import Problem, has_errors
from registry.pipeline import SourceState, check_one, read_state, update_state
from registry.progress import NOT_CANCELED, CanceledError, CancelToken, Progress, silent
from registry.render import json_answer, render, render_one, target_at
from registry.render.target import Target, Targets, files_by_path
from registry.snapshot import with_edit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from registry.cache.build_cache import BuildCache
    from registry.snapshot import Snapshot

_MOST_BYTES = 128 * 1024 * 1024


class PageIndex:
    """The files of one state of a site by path, each made when first requested; finished files are shared
    between states."""

    def __init__(
        self, targets: Targets, cache: PageCache, newer: Mapping[str, Target] = MappingProxyType({})
    ) -> None:
        """`targets` are all of the state, except those that have `newer` ones at their prefixes. `cache`
        holds finished files."""
        self._targets = targets
        self._cache = cache
        self._newer = newer

    def get(self, path: str) -> bytes | None:
        """The bytes of the file at a path, or None."""
        prefix = path
        while prefix:
            for name in (prefix, prefix.removesuffix(".json")):
                target = self._newer.get(name) or self._targets.at(name)
                if target is not None:
                    found = self._cache.files(target).get(path)
                    if found is not None:
                        return found
            prefix = prefix.rpartition("/")[0]
        return None

    def with_newer(self, targets: Sequence[Target]) -> PageIndex:
        """The same files, except those of these targets."""
        newer = {prefix: target for target in targets for prefix in target.prefixes}
        return PageIndex(self._targets, self._cache, {**self._newer, **newer})


class SnapshotPages(PageIndex):
    """The files of one snapshot by path. Each is made without listing all targets."""

    def __init__(self, snapshot: Snapshot, cache: PageCache) -> None:
        """`cache` holds finished files of this and of earlier snapshots."""
        super().__init__(Targets(()), cache)
        self._snapshot = snapshot

    def get(self, path: str) -> bytes | None:
        """The bytes of the file at a path, or None."""
        found = json_answer.answer(self._snapshot, path)
        if found is not None:
            return found
        target = target_at(self._snapshot, path)
        return self._cache.files(target).get(path) if target is not None else None


class PageCache:
    """Finished files, the newest of each target; the least recently requested ones are dropped when there
    are too many."""

    def __init__(self) -> None:
        """Empty."""
        self._files: OrderedDict[str, tuple[str, dict[str, bytes]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def files(self, target: Target) -> dict[str, bytes]:
        """The files of a target by path."""
        with self._lock:
            fingerprint, found = self._files.get(target.name, ("", {}))
            if fingerprint == target.fingerprint:
                self._files.move_to_end(target.name)
                return found
        # Outside of the lock: rendering takes milliseconds, and other requests go on meanwhile. Two threads
        # may make the same target at once; both get the same bytes.
        found = dict(files_by_path(target.make()))
        with self._lock:
            self._drop(target.name)
            self._files[target.name] = (target.fingerprint, found)
            self._bytes += sum(map(len, found.values()))
            # One target always stays, even if it alone is larger than the limit: its reader asks for its
            # other files next.
            while self._bytes > _MOST_BYTES and len(self._files) > 1:
                self._drop(next(iter(self._files)))
        return found

    def keep_only(self, fingerprints: Mapping[str, str]) -> None:
        """Drop the files of targets that no longer exist with the same fingerprint (by name)."""
        with self._lock:
            outdated = [name for name, (old, _) in self._files.items() if fingerprints.get(name) != old]
            for name in outdated:
                self._drop(name)

    def _drop(self, name: str) -> None:
        _, old = self._files.pop(name, ("", {}))
        self._bytes -= sum(map(len, old.values()))


@dataclass(frozen=True, slots=True)
class LiveState:
    """What is answered from. `problems` are those of the current files, which are not always those of
    `snapshot`."""

    version: int
    snapshot: Snapshot | None
    pages: PageIndex
    problems: tuple[Problem, ...] = ()
    error: RegistryError | None = None

    @property
    def is_good(self) -> bool:
        """True when the answers show the current files."""
        return self.error is None and not has_errors(self.problems)


class LiveUpdate(NamedTuple):
    """A new state, and the seconds that it took."""

    state: LiveState
    seconds: float


class _Known(NamedTuple):
    """A source as it was read, and the scan of its files that was taken before."""

    scan: TreeScan
    source: SourceState


class LiveRegistry:
    """Keeps a state. One thread calls `update` and `reload`, any thread may read `state`."""

    def __init__(self, root: Path, cache: BuildCache, notify: Callable[[LiveUpdate], None]) -> None:
        """`notify` receives every new state, in the thread that made it."""
        self.root = root
        self.cache = cache
        self._notify = notify
        self._page_cache = PageCache()
        self._lock = threading.Lock()
        self._last_reload_s = 0.0
        # The files as they were read last, and the last ones without errors. None: the next update reads
        # everything.
        self._newest: _Known | None = None
        self._good: _Known | None = None
        self.state = LiveState(0, None, PageIndex(Targets(()), self._page_cache))

    def apply_edit(self, path: str) -> bool:
        """Show an edited definition at once, before lists and counts, which follow with the next `update`.

        False where that is not enough: the file is new, removed, or has another id or an error, or more than
        it may differ.
        """
        with self._lock:
            started = time.monotonic()
            newest = self._newest
            snapshot = newest.source.snapshot if newest is not None and self.state.is_good else None
            if newest is None or snapshot is None:
                return False
            try:
                found = check_one(newest.source.checked, WorkTree(self.root), path)
                if found is None or has_errors(found[0].problems):
                    return False
                checked, changes = found
                edited = next(iter(changes.values()), None)
                before = snapshot.by_name.get(edited[:2]) if edited is not None else None
                if edited is None or before is None or before.id != edited.id or snapshot.is_fork:
                    return False
                snapshot = with_edit(snapshot, edited)
                pages = self.state.pages.with_newer(render_one(snapshot, edited))
                # Made now: an error in a template must appear here, and the browser asks for this page next.
                pages.get(page_file(definition_page(edited.kind, edited.name)))
            except (RegistryError, OSError):
                return False  # reported by `update`
            self._newest = _Known(newest.scan, SourceState(checked, snapshot, checked.problems))
            self._show(LiveState(0, snapshot, pages, checked.problems), started)
            return True

    def update(self, seen: TreeScan | None = None, cancel: CancelToken = NOT_CANCELED) -> bool:
        """Show the current files: read those that changed since the last state, or everything where that
        is not enough.

        `seen` is a scan that was just taken. False when `cancel` ended it: the changes are part of the next
        update. After an error, answers go on from the last good state.
        """
        return self._take(seen, cancel, lambda source, scan_now: self._updated(source, scan_now, cancel))

    def reload(
        self,
        progress: Progress = silent,
        seen: TreeScan | None = None,
        cancel: CancelToken = NOT_CANCELED,
    ) -> bool:
        """As `update`, but read everything: only what is in the cache is not parsed and checked again."""

        def read(source: WorkTree, _scan: TreeScan) -> SourceState:
            return read_state(source, progress, self.cache, cancel)

        return self._take(seen, cancel, read)

    def pause_s(self) -> float:
        """How long nothing should have changed before everything is read again: longer where that takes
        longer."""
        return min(2.0, max(0.1, 2 * self._last_reload_s))

    def _updated(self, source: WorkTree, seen: TreeScan, cancel: CancelToken) -> SourceState:
        """The state of the source, from what is known of it where that is possible."""
        newest, good = self._newest, self._good
        if newest is not None and good is not None and good.source.snapshot is not None:
            found = update_state(
                newest.source,
                good.source.snapshot,
                source,
                seen.changed_since(newest.scan),
                seen.changed_since(good.scan),
                git_changed=seen.git != good.scan.git,
            )
            if found is not None:
                return found
        return read_state(source, cache=self.cache, cancel=cancel)

    def _take(
        self, seen: TreeScan | None, cancel: CancelToken, read: Callable[[WorkTree, TreeScan], SourceState]
    ) -> bool:
        with self._lock:
            started = time.monotonic()
            try:
                source = open_source(self.root)
                assert isinstance(source, WorkTree)
                seen = seen if seen is not None else _scan(source)
                # The scan was taken before the files are read, so a write in between is found again by the
                # next scan.
                source.use(seen)
                cancel.check()
                found = read(source, seen)
                cancel.check()
                known = _Known(seen, found)
                state = self._state_of(found, cancel)
                self._newest, self._good = known, known if found.snapshot is not None else self._good
            except CanceledError:
                return False
            except RegistryError as error:
                state = self._stopped_by(error)
            except OSError as error:
                # Files that vanish while they are read, too many open files …: a condition of the machine,
                # which may pass.
                state = self._stopped_by(UsageError(system_message(error)))
            self._last_reload_s = time.monotonic() - started
            self._show(state, started)
            return True

    def _show(self, state: LiveState, started: float) -> None:
        self.state = replace(state, version=self.state.version + 1)
        self._notify(LiveUpdate(self.state, time.monotonic() - started))

    def _stopped_by(self, error: RegistryError) -> LiveState:
        # What was read is incomplete after an error, so the next update reads everything.
        self._newest = None
        return replace(self.state, error=error)

    def _state_of(self, found: SourceState, cancel: CancelToken) -> LiveState:
        """What is answered from; the snapshot before stays where there are errors. Raises RegistryError
        for a broken template."""
        if found.snapshot is None:
            return replace(self.state, problems=found.problems, error=None)
        targets = render(found.snapshot, live=True)
        cancel.check()
        pages = PageIndex(targets, self._page_cache)
        # Before the state is shown: a broken template must not replace good pages.
        _try_out(found.snapshot, pages)
        self._page_cache.keep_only(targets.fingerprints)
        return LiveState(0, found.snapshot, pages, found.problems)


def _scan(source: WorkTree) -> TreeScan:
    return scan(source.root, source.repository.state_files() if source.repository is not None else ())


def _try_out(snapshot: Snapshot, pages: PageIndex) -> None:
    """Make one page of each sort. Raises RegistryError for a template that is broken."""
    pages.get(INDEX_PAGE)
    for definitions in snapshot.by_kind.values():
        for definition in definitions[:1]:
            pages.get(page_file(definition_page(definition.kind, definition.name)))
