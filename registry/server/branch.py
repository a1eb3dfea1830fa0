"""The newest state of a main branch that is written through this server, as readers see it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from registry.model.addresses import API_OPENAPI
from registry.render.target import File, Target, Targets, to_json
from registry.server.live import LiveState, PageCache, PageIndex, SnapshotPages
from registry.server.openapi import writable_openapi

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.snapshot import Snapshot
    from registry.writes.state import RegistryState

_MOST_KNOWN = 10_000


class _WritablePages(SnapshotPages):
    """The files of one snapshot; its OpenAPI document has the operations that write."""

    def __init__(self, snapshot: Snapshot, cache: PageCache, *, login_to_read: bool) -> None:
        super().__init__(snapshot, cache)
        self._openapi = Target(
            f"{API_OPENAPI}#writes",  # the cache also has the document without writes
            snapshot.common_fingerprint,
            (API_OPENAPI,),
            lambda: [File(API_OPENAPI, to_json(writable_openapi(snapshot, login_to_read=login_to_read)))],
        )

    def get(self, path: str) -> bytes | None:
        """The bytes of the file at a path, or None."""
        return self._cache.files(self._openapi).get(path) if path == API_OPENAPI else super().get(path)


class BranchRegistry:
    """Keeps a state. One thread calls `show`, any thread may read `state` and `has_shown`."""

    def __init__(self, *, login_to_read: bool = False) -> None:
        """Start without a state. `login_to_read`: reading needs a login, which the API describes."""
        self._login_to_read = login_to_read
        self.notify: Callable[[], None] = lambda: None
        """Called after every new state."""
        self._page_cache = PageCache()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self.state = LiveState(0, None, PageIndex(Targets(()), self._page_cache))

    def show(self, state: RegistryState) -> None:
        """Answer from a new state."""
        snapshot = state.snapshot
        pages = _WritablePages(snapshot, self._page_cache, login_to_read=self._login_to_read)
        with self._lock:
            self._known[state.commit] = None
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        self.state = LiveState(self.state.version + 1, snapshot, pages)
        self.notify()

    def has_shown(self, commit: str) -> bool:
        """True when the state of this commit was shown: the current one contains it."""
        with self._lock:
            return commit in self._known
