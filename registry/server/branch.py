"""The newest state of a main branch that is written through this server, as readers see it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from registry.render.target import Targets
from registry.server.live import LiveState, PageCache, PageIndex, SnapshotPages

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.writes.state import RegistryState

_MOST_KNOWN = 10_000


class BranchRegistry:
    """Keeps a state. One thread calls `show`, any thread may read `state` and `has_shown`."""

    def __init__(self) -> None:
        """Start without a state."""
        self.notify: Callable[[], None] = lambda: None
        """Called after every new state."""
        self._page_cache = PageCache()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self.state = LiveState(0, None, PageIndex(Targets(()), self._page_cache))

    def show(self, state: RegistryState) -> None:
        """Answer from a new state."""
        snapshot = state.snapshot
        pages = SnapshotPages(snapshot, self._page_cache)
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
