"""A change on disk to a call: events are only a hint, a scan decides.

The first file that is closed, moved or removed is acted upon at once, what follows within a tenth of a second is gathered. A file
that is being written is not looked at before it is closed, or nothing came for a tenth of a second: half of it is no state to show.
Between events a scan every few seconds finds what no event told (an overflowing queue, a network mount, a process that was stopped).
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
# Without events: how often to look. With them: how often to look all the same.
_POLL_S = 0.5
_SAFETY_S = 5.0
# Elsewhere the system does not tell that a file was closed.
_TELLS_OF_CLOSING = sys.platform == "linux"
# Git is at work while one of these is there, and the files are on their way to somewhere.
_AT_WORK = ("index.lock", "HEAD.lock")


class Watcher:
    """Calls back when watched files or git's state differ from what was seen last. Runs in a thread of its own."""

    def __init__(  # noqa: PLR0913 - callbacks, each of its own sort
        self,
        root: Path,
        state_files: Callable[[], list[Path]],
        changed: Callable[[set[str]], object],
        *,
        settled: Callable[[], bool] = lambda: True,
        pause_s: Callable[[], float] = lambda: _QUIET_S,
        poll: bool = False,
        tell: Callable[[str], None] = lambda _what: None,
        report_bug: Callable[[Exception], object] = lambda _error: None,
    ) -> None:
        """`state_files` gives git's files that matter now; `changed` gets the watched paths that differ (none: git's state does).

        Where `changed` answers True, it left something to do, and `settled` is called once nothing has changed for `pause_s`;
        and once more after that, where it answers False: it gave way to what `is_told`.

        `poll`: no events, for file systems that give none. `tell` is told in words when events cannot be had, `report_bug` of
        errors that nobody foresaw: watching goes on.
        """
        # Absolute: the folder that we were started in may be deleted and made again.
        root = root.absolute()
        self._root, self._state_files, self._changed, self._tell = root, state_files, changed, tell
        self._settled, self._pause_s = settled, pause_s
        self._is_pending = False
        self._report_bug = report_bug
        self._poll = poll
        # Something happened; and a file is as somebody wants it to be, as far as the system tells.
        self._hint = threading.Event()
        self._whole = threading.Event()
        self._stop = threading.Event()
        self._observer: object | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._seen: TreeScan = scan(root, state_files())

    @property
    def seen(self) -> TreeScan:
        """The last look at the files."""
        return self._seen

    @property
    def is_told(self) -> bool:
        """True when something has happened that was not looked at yet."""
        return self._hint.is_set()

    def start(self) -> None:
        """Begin. What changed since this was made is seen, too."""
        if not self._poll:
            self._observe()
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stop.set()
        self._whole.set()
        self._hint.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        self._unobserve()

    def _observe(self) -> None:
        """Ask for events. Where the system has none to give (a limit is reached, say), look from time to time."""
        from watchdog.events import (
            EVENT_TYPE_CLOSED_NO_WRITE,
            EVENT_TYPE_CREATED,
            EVENT_TYPE_MODIFIED,
            EVENT_TYPE_OPENED,
            FileSystemEvent,
            FileSystemEventHandler,
        )
        from watchdog.observers import Observer

        # Of folders in folders that are made at once it hears twice, and would say so in our status view. Nothing is lost by it.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        watcher = self

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                # Reading is no change; our own scans would wake us for ever.
                if event.event_type in (EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE):
                    return
                if not _TELLS_OF_CLOSING or event.event_type not in (EVENT_TYPE_CREATED, EVENT_TYPE_MODIFIED):
                    watcher._whole.set()
                watcher._hint.set()

        observer: BaseObserver | None = None
        folders = [
            self._root / name
            for name in WATCHED
            if (self._root / name).is_dir() and not (self._root / name).is_symlink()
        ]
        try:
            observer = Observer()
            for folder in folders:
                observer.schedule(Handler(), str(folder), recursive=True)
            # Of the top itself only what lies directly in it: registry.yaml, and folders that come and go.
            observer.schedule(Handler(), str(self._root), recursive=False)
            for folder in self._git_folders():
                observer.schedule(Handler(), str(folder), recursive=False)
            observer.start()
        except (OSError, RuntimeError) as error:
            self._poll = True
            self._tell(
                f"no events from the file system ({getattr(error, 'strerror', None) or error}): looking every {_POLL_S:g} s instead"
            )
            if observer is not None:
                with suppress(Exception):
                    observer.stop()
            return
        self._observer = observer
        self._observed = [(folder, _identity(folder)) for folder in (self._root, *folders)]

    def _git_folders(self) -> list[Path]:
        """Where git's files lie; none while the repository cannot be read, which the next look reports."""
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
                # The folder is gone, no file can be opened …: that may pass, and is said once.
                message = error.message if isinstance(error, RegistryError) else system_message(error)
                if message != last:
                    self._tell(message)
                last = message
                self._stop.wait(_POLL_S)
            except Exception as error:  # noqa: BLE001 - the edge of a thread: it must not end in silence
                self._report_bug(error)
                self._stop.wait(_POLL_S)

    def _turn(self) -> None:
        """Wait for something to happen, and act upon it."""
        timeout = _POLL_S if self._poll else _SAFETY_S
        is_told = self._hint.wait(min(timeout, self._pause_s()) if self._is_pending else timeout)
        self._hint.clear()
        if self._stop.is_set():
            return
        if self._is_pending and not is_told:
            self._is_pending = not self._settled()
            return
        if is_told:
            self._wait_until_written()
        self._look_again_where_folders_changed()
        self._look()
        gathered_until = time.monotonic() + _GATHER_AT_MOST_S
        has_more = False
        while self._hint.wait(_QUIET_S) and time.monotonic() < gathered_until and not self._stop.is_set():
            self._hint.clear()
            self._whole.clear()
            has_more = True
        if has_more:
            self._look()

    def _wait_until_written(self) -> None:
        """Until a file was closed, or nothing happened for a while."""
        deadline = time.monotonic() + _GATHER_AT_MOST_S
        while (
            not self._whole.wait(_QUIET_S)
            and self._hint.is_set()
            and time.monotonic() < deadline
            and not self._stop.is_set()
        ):
            self._hint.clear()
        self._whole.clear()

    def _look_again_where_folders_changed(self) -> None:
        """Events are of a folder, not of a path: one that was removed and made again must be asked for anew, and a new one, too."""
        if self._poll or self._observer is None:
            return
        folders = [
            self._root,
            *(
                self._root / name
                for name in WATCHED
                if (self._root / name).is_dir() and not (self._root / name).is_symlink()
            ),
        ]
        if [(folder, _identity(folder)) for folder in folders] != self._observed and self._root.is_dir():
            self._unobserve()
            self._observe()

    def _look(self) -> None:
        self._wait_for_git()
        found = scan(self._root, self._state_files())
        if (found.facts, found.git) != (self._seen.facts, self._seen.git):
            paths = found.changed_since(self._seen)
            self._seen = found
            self._is_pending = self._changed(paths) is True
        if not found.is_settled:
            # Written so shortly before that another write might leave no sign: look once more.
            threading.Timer(2 * _QUIET_S, self._hint.set).start()

    def _wait_for_git(self) -> None:
        """While git is at work, files come one by one, and half of a branch is no state to show."""
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
