"""Calls back when files on disk change. Events only trigger a scan; the scan decides what has changed.

The first close, move or removal of a file triggers a scan at once. Changes within the next tenth of a second
are collected for a second scan. While a file is being written, the scan waits until it is closed or no event
arrives for a tenth of a second, because a partial file is not a valid state. A regular scan every few seconds
finds changes without events (after a queue overflow, on a network mount, or after the process was stopped).
"""

import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import RegistryError, system_message
from registry.load.file_stats import WATCHED, TreeScan, scan

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

_QUIET_S = 0.1
_GATHER_AT_MOST_S = 2.0
_WAIT_FOR_GIT_S = 10.0
# Intervals of the regular scan in seconds: without file events, and with them.
_POLL_S = 0.5
_SAFETY_S = 5.0
# Other systems send no event when a file is closed.
_TELLS_OF_CLOSING = sys.platform == "linux"
# Lock files that exist while git changes the work tree.
_AT_WORK = ("index.lock", "HEAD.lock")


class Watcher:
    """Calls back when watched files or git's state differ from the last scan.

    Runs in its own thread.
    """

    def __init__(  # noqa: PLR0913 - independent callbacks
        self,
        root: Path,
        state_files: Callable[[], list[Path]],
        changed: Callable[[set[str]], object],
        *,
        settled: Callable[[], bool] = lambda: True,
        pause_s: Callable[[], float] = lambda: _QUIET_S,
        poll: bool = False,
        notify: Callable[[str], None] = lambda _what: None,
        report_bug: Callable[[Exception], object] = lambda _error: None,
    ) -> None:
        """Take the first scan; `start` begins to watch.

        `state_files` returns the relevant state files of git. `changed` receives the paths of changed files;
        the set is empty when only git's state has changed. If `changed` returns True, work is left: `settled`
        is called once nothing has changed for `pause_s` seconds. If `settled` returns False because an event
        interrupted it, it is called again.

        `poll` scans regularly instead of using events, for file systems without events. `notify` receives a
        message when events are not available. `report_bug` receives unexpected errors; watching continues.
        """
        # Absolute: the current folder may be deleted and created again.
        root = root.absolute()
        self._root, self._state_files, self._changed, self._notify = root, state_files, changed, notify
        self._settled, self._pause_s = settled, pause_s
        self._is_pending = False
        self._report_bug = report_bug
        self._poll = poll
        # `_hint`: an event arrived. `_whole`: a file is complete, as far as the system reports it.
        self._hint = threading.Event()
        self._whole = threading.Event()
        self._stop = threading.Event()
        self._observer: object | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._seen: TreeScan = scan(root, state_files())

    @property
    def seen(self) -> TreeScan:
        """The last scan of the files."""
        return self._seen

    @property
    def has_event(self) -> bool:
        """True when an event has arrived since the last scan."""
        return self._hint.is_set()

    def start(self) -> None:
        """Start watching. Changes since the construction of this object are reported, too."""
        if not self._poll:
            self._observe()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and wait for the thread to end."""
        self._stop.set()
        self._whole.set()
        self._hint.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        self._unobserve()

    def _observe(self) -> None:
        """Subscribe to file events. Without them (at a limit of the system, for example), poll instead."""
        from watchdog.observers import Observer

        # For nested folders that are created at once, watchdog subscribes twice and warns about it, which
        # would disturb the status view. The warning is harmless.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        observer: BaseObserver | None = None
        folders = self._watched_folders()
        try:
            observer = Observer()
            self._subscribe(observer, folders)
            observer.start()
        except (OSError, RuntimeError) as error:
            self._poll = True
            self._notify(
                f"no file events ({getattr(error, 'strerror', None) or error}): "
                f"polling every {_POLL_S:g} s instead"
            )
            if observer is not None:
                with suppress(Exception):
                    observer.stop()
            return
        self._observer = observer
        self._observed = [(folder, _identity(folder)) for folder in (self._root, *folders)]

    def _subscribe(self, observer: "BaseObserver", folders: list[Path]) -> None:
        from watchdog.events import (
            EVENT_TYPE_CLOSED_NO_WRITE,
            EVENT_TYPE_CREATED,
            EVENT_TYPE_MODIFIED,
            EVENT_TYPE_OPENED,
            FileSystemEvent,
            FileSystemEventHandler,
        )

        watcher = self

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                # Reading is not a change; the watcher's own scans would trigger it forever.
                if event.event_type in (EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE):
                    return
                if not _TELLS_OF_CLOSING or event.event_type not in (EVENT_TYPE_CREATED, EVENT_TYPE_MODIFIED):
                    watcher._whole.set()
                watcher._hint.set()

        for folder in folders:
            observer.schedule(Handler(), str(folder), recursive=True)
        # At the root watch direct entries only: registry.yaml, and folders created or removed.
        observer.schedule(Handler(), str(self._root), recursive=False)
        for folder in self._git_folders():
            observer.schedule(Handler(), str(folder), recursive=False)

    def _watched_folders(self) -> list[Path]:
        """Return the folders of files that the registry reads. It follows no links to folders."""
        folders = (self._root / name for name in WATCHED)
        return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]

    def _git_folders(self) -> list[Path]:
        """Return the folders of git's state files; none while the repository cannot be read.

        The next scan reports the error.
        """
        try:
            found = {path.parent for path in self._state_files()}
        except RegistryError:
            return []
        return sorted(folder for folder in found if folder.is_dir())

    def _unobserve(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            with suppress(Exception):
                observer.stop()  # type: ignore[attr-defined]
                observer.join(timeout=5)  # type: ignore[attr-defined]

    def _run(self) -> None:
        last = ""
        while not self._stop.is_set():
            try:
                self._turn()
                last = ""
            except (RegistryError, OSError) as error:
                # The folder is gone, or no file can be opened: this may be temporary. Report it once.
                message = error.message if isinstance(error, RegistryError) else system_message(error)
                if message != last:
                    self._notify(message)
                last = message
                self._stop.wait(_POLL_S)
            except Exception as error:  # noqa: BLE001 - the edge of a thread: it must not end in silence
                self._report_bug(error)
                self._stop.wait(_POLL_S)

    def _turn(self) -> None:
        """Wait for an event or the next regular scan, and process it."""
        timeout = _POLL_S if self._poll else _SAFETY_S
        has_event = self._hint.wait(min(timeout, self._pause_s()) if self._is_pending else timeout)
        self._hint.clear()
        if self._stop.is_set():
            return
        if self._is_pending and not has_event:
            self._is_pending = not self._settled()
            return
        if has_event:
            self._wait_until_written()
        self._rescan_changed_folders()
        self._scan_files()
        if self._gather_events():
            self._scan_files()

    def _gather_events(self) -> bool:
        """Wait while events arrive, at most for a while. Returns True if any has arrived.

        A checkout or an editor changes many files at once: one scan of all is faster than one for each.
        """
        deadline = time.monotonic() + _GATHER_AT_MOST_S
        has_more = False
        while self._hint.wait(_QUIET_S) and time.monotonic() < deadline and not self._stop.is_set():
            self._hint.clear()
            self._whole.clear()
            has_more = True
        return has_more

    def _wait_until_written(self) -> None:
        """Wait until a file is closed, or no event has arrived for a while."""
        deadline = time.monotonic() + _GATHER_AT_MOST_S
        while (
            not self._whole.wait(_QUIET_S)
            and self._hint.is_set()
            and time.monotonic() < deadline
            and not self._stop.is_set()
        ):
            self._hint.clear()
        self._whole.clear()

    def _rescan_changed_folders(self) -> None:
        """Subscribe again when a watched folder was added, removed or replaced.

        Subscriptions belong to a folder, not to its path.
        """
        if self._poll or self._observer is None:
            return
        folders = [self._root, *self._watched_folders()]
        if [(folder, _identity(folder)) for folder in folders] != self._observed and self._root.is_dir():
            self._unobserve()
            self._observe()

    def _scan_files(self) -> None:
        self._wait_for_git()
        found = scan(self._root, self._state_files())
        if (found.facts, found.git) != (self._seen.facts, self._seen.git):
            paths = found.changed_since(self._seen)
            self._seen = found
            self._is_pending = self._changed(paths) is True
        if not found.is_settled:
            # A file changed so recently that another write might keep the same timestamp: scan again.
            threading.Timer(2 * _QUIET_S, self._hint.set).start()

    def _wait_for_git(self) -> None:
        """Wait while git changes files: a half-updated work tree is not a valid state."""
        deadline = time.monotonic() + _WAIT_FOR_GIT_S
        folders = {path.parent for path in self._state_files() if path.name in ("HEAD", "index")}
        while (
            time.monotonic() < deadline
            and not self._stop.is_set()
            and any((folder / name).exists() for folder in folders for name in _AT_WORK)
        ):
            time.sleep(0.02)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
