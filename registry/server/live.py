"""A registry that is kept ready to answer from while its files change: the newest good state, and what is wrong now."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from registry.check import check
from registry.errors import RegistryError, UsageError, system_message
from registry.load import yaml
from registry.load.loader import Loaded
from registry.load.source import WorkTree, blob_id, open_source
from registry.model.addresses import INDEX_PAGE, definition_page, page_file
from registry.model.definition import Definition, kind_and_name, summary_of
from registry.model.problem import Problem, has_errors
from registry.model.revision import Revision
from registry.pipeline import snapshot_of
from registry.progress import Progress, silent
from registry.render import render, render_one
from registry.render.target import Target, files_by_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from registry.cache.build_cache import BuildCache
    from registry.history.archive import Revisions
    from registry.load.file_stats import TreeScan
    from registry.snapshot import Snapshot

_MOST_BYTES = 128 * 1024 * 1024


class PageIndex:
    """The files of one state of a site by path, each made when first asked for; what was made is shared between states."""

    def __init__(self, units: Mapping[str, Target], made: PageCache) -> None:
        """`units` by the places that they cover."""
        self.units = units
        self._made = made

    def get(self, path: str) -> bytes | None:
        """The bytes of the file at a path, or None."""
        place = path
        while place:
            for name in (place, place.removesuffix(".json")):
                unit = self.units.get(name)
                if unit is not None:
                    found = self._made.files(unit).get(path)
                    if found is not None:
                        return found
            place = place.rpartition("/")[0]
        return None

    def upon(self, units: Sequence[Target]) -> PageIndex:
        """The same with other units in the places of some."""
        return PageIndex({**self.units, **_by_place(units)}, self._made)


def _by_place(units: Iterable[Target]) -> dict[str, Target]:
    return {place: unit for unit in units for place in unit.places}


class PageCache:
    """Files that were made, of each unit the newest; those not asked for longest go when there are too many."""

    def __init__(self) -> None:
        """Empty."""
        self._files: OrderedDict[str, tuple[str, dict[str, bytes]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def files(self, unit: Target) -> dict[str, bytes]:
        """The files of a unit by path."""
        with self._lock:
            key, found = self._files.get(unit.name, ("", {}))
            if key == unit.key:
                self._files.move_to_end(unit.name)
                return found
        found = dict(files_by_path(unit.make()))
        with self._lock:
            self._drop(unit.name)
            self._files[unit.name] = (unit.key, found)
            self._bytes += sum(map(len, found.values()))
            while self._bytes > _MOST_BYTES and len(self._files) > 1:
                self._drop(next(iter(self._files)))
        return found

    def keep_only(self, keys: Mapping[str, str]) -> None:
        """Forget what is of no unit that there is now, as their keys (by name) tell."""
        with self._lock:
            for name in [name for name, (key, _) in self._files.items() if keys.get(name) != key]:
                self._drop(name)

    def _drop(self, name: str) -> None:
        _, old = self._files.pop(name, ("", {}))
        self._bytes -= sum(map(len, old.values()))


@dataclass(frozen=True, slots=True)
class LiveState:
    """What is answered from. `problems` are those of the files as they are now, which need not be those of `snapshot`."""

    version: int
    snapshot: Snapshot | None
    pages: PageIndex
    problems: tuple[Problem, ...] = ()
    error: RegistryError | None = None

    @property
    def is_good(self) -> bool:
        """True when what is answered is what the files say."""
        return self.error is None and not has_errors(self.problems)


class LiveUpdate(NamedTuple):
    """What a look at the files gave: the new state, and the seconds that it took."""

    state: LiveState
    seconds: float


class _GaveWayError(Exception):
    """Something newer is to be shown first."""


class LiveRegistry:
    """Keeps a state; `refresh` makes a new one. One thread refreshes, any may read `state`."""

    def __init__(self, root: Path, cache: BuildCache, tell: Callable[[LiveUpdate], None]) -> None:
        """`tell` is given every new state, in the thread that made it."""
        self.root = root
        self.cache = cache
        self._tell = tell
        self._made = PageCache()
        self._lock = threading.Lock()
        self._last_refresh_s = 0.0
        self.state = LiveState(0, None, PageIndex({}, self._made))

    def refresh(
        self,
        progress: Progress = silent,
        seen: TreeScan | None = None,
        gives_way: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Read all files anew, as far as they have changed. What stops it is told; answers go on from the last good state.

        `seen` is a look at the files that was just taken: another one takes a tenth of a second. False where it was ended
        because `gives_way`, asked between its steps, said so: it is to be done later.
        """

        def go_on(what: str = "", done: int = 0, total: int = 0) -> None:
            if gives_way():
                raise _GaveWayError
            if what:
                progress(what, done, total)

        with self._lock:
            started = time.monotonic()
            try:
                source = open_source(self.root)
                if seen is not None and isinstance(source, WorkTree):
                    source.use(seen)
                snapshot, problems = snapshot_of(source, go_on, self.cache)
                go_on()
                if snapshot is None:
                    state = replace(self.state, problems=problems, error=None)
                else:
                    units = render(snapshot)
                    go_on()
                    pages = PageIndex(_by_place(units), self._made)
                    _try_out(snapshot, pages)
                    self._made.keep_only(units.keys)
                    state = LiveState(0, snapshot, pages, problems)
            except _GaveWayError:
                return False
            except RegistryError as error:
                state = replace(self.state, error=error)
            except OSError as error:
                # Files that vanish while they are read, too many open ones …: a condition of the machine, which may pass.
                state = replace(self.state, error=UsageError(system_message(error)))
            self._last_refresh_s = time.monotonic() - started
            self._take(state, started)
            return True

    def pause_s(self) -> float:
        """For how long nothing should have changed before everything is read anew: longer where that takes longer."""
        return min(2.0, max(0.1, 2 * self._last_refresh_s))

    def edit(self, path: str) -> bool:
        """Take one edited file at once, where nothing but its own pages and answers can depend on it; False where more may.

        What `refresh` gives afterwards is the same for them; lists follow then.
        """
        with self._lock:
            started = time.monotonic()
            state = self.state
            edited = (
                _edited(self.root, path, state.snapshot)
                if state.snapshot is not None and state.is_good
                else None
            )
            if edited is None:
                return False
            snapshot, definition = edited
            try:
                pages = state.pages.upon(render_one(snapshot, definition))
                pages.get(page_file(definition_page(definition.kind, definition.name)))
            except RegistryError:
                return False  # told by `refresh`
            self._take(LiveState(0, snapshot, pages, state.problems), started)
            return True

    def _take(self, state: LiveState, started: float) -> None:
        self.state = replace(state, version=self.state.version + 1)
        self._tell(LiveUpdate(self.state, time.monotonic() - started))


def _try_out(snapshot: Snapshot, pages: PageIndex) -> None:
    """Make one page of each sort. Raises RegistryError for a template that is broken."""
    pages.get(INDEX_PAGE)
    for definitions in snapshot.by_kind.values():
        for definition in definitions[:1]:
            pages.get(page_file(definition_page(definition.kind, definition.name)))


def _edited(root: Path, path: str, snapshot: Snapshot) -> tuple[Snapshot, Definition] | None:
    """The snapshot with one definition as its file is now; None where that is not all that may differ."""
    before = snapshot.by_name.get(kind_and_name(path) or ("", ""))
    _, data = next(WorkTree(root).read_many([path]))
    if before is None or not isinstance(data, bytes) or before.kind in snapshot.kinds.referenced:
        return None
    document, problems = yaml.load(data, path)
    if (
        document is None
        or not isinstance(document.data, dict)
        or problems
        or document.data.get("id") != before.data.get("id")
    ):
        return None
    kind = snapshot.kinds.by_name[before.kind]
    summary = summary_of(document.data, kind.references, kind.traits.fields)
    definition = Definition(
        before.kind, before.name, before.id, document, summary, blob_id(data, snapshot.commit)
    )
    if (
        definition.blob == before.blob
        or before.summary.is_excepting
        or summary.is_excepting
        or "examples" in definition.data
    ):
        return None
    pairs = zip(kind.references, summary.references, strict=True)
    targets = {(to.kind, name) for to, name in pairs if name is not None and name != before.name}
    used = tuple(snapshot.by_name[one] for one in targets if one in snapshot.by_name)
    around = (definition, *used)
    names = frozenset(one.path for one in snapshot.definitions if one is not before and one not in used)
    found = check(Loaded(around, (), frozenset(), names), snapshot.kinds, snapshot.settings)
    if any(problem.span.path == path for problem in found):
        return None
    if before.summary.references != summary.references:
        return None
    revisions = _with_edit(definition, snapshot.revisions_of(before))
    snapshot.contents.add(definition)
    after = replace(
        snapshot,
        definitions=tuple(definition if one is before else one for one in snapshot.definitions),
        revisions={**snapshot.revisions, (definition.kind, definition.name): revisions},
        is_dirty=True,
    )
    # As the definition refers to what it did, only its title can differ for others; and that comes with the next look at all.
    after.__dict__["referring"] = snapshot.referring
    return after, definition


def _with_edit(definition: Definition, known: Revisions) -> Revisions:
    """The revisions with what is not committed as the last one."""
    committed = known.committed()
    last = committed[-1] if committed else None
    if last is not None and last.blob == definition.blob and committed.path == definition.path:
        return committed
    edit = Revision(
        len(committed) + 1,
        None,
        "",
        "",
        "uncommitted",
        definition.name,
        definition.blob,
        last.blob if last else None,
    )
    return committed.with_one_more(edit)
