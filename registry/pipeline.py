"""The main flow, composed once: source → load → check → snapshot → render → write."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from registry.cache.build_cache import BuildCache, Table
from registry.check import Findings, FindMany, check, check_changed, judged_by, unknown_rules
from registry.load.kinds import Kinds, load_kinds
from registry.load.loader import Loaded, are_definitions, definitions_at, load_changed, load_definitions
from registry.load.settings import SETTINGS_PATH, Settings, overridden
from registry.model.problem import Problem, has_errors
from registry.progress import NOT_CANCELED, CancelToken, Progress, silent
from registry.runtime import collecting_rarely, without_cycle_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Mapping, Sequence, Set

    from registry.check.rule import MergeTarget
    from registry.load.lookups import DefinitionChanges
    from registry.load.source import Source, WorkTree
    from registry.model.definition import Definition
    from registry.site import Site
    from registry.snapshot import Preview, Snapshot

MOST_CHANGES = 500
"""When more files changed, everything is read again: that is as fast then."""
FINDINGS: Table[Findings] = Table(
    "findings",
    lambda found: [one.as_row() for one in found],
    lambda rows: tuple([Problem.from_row(row) for row in rows]) if rows else (),
)
"""What was found in each definition by itself, by path and blob id; the version stands for schemas,
settings and rules."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A source with everything that was read from it, and all problems.

    `across` are the findings of rules about all definitions, by path, as `check_paths` keeps them for its
    next call.
    """

    settings: Settings
    kinds: Kinds
    loaded: Loaded
    problems: tuple[Problem, ...]
    across: Mapping[str, Findings] | None = None


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as it was read: `snapshot` is None when there are errors, and `problems` are all, those of
    the ledger included."""

    checked: Checked
    snapshot: Snapshot | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build found and did; `snapshot` is None and `files` 0 when errors stopped it.

    `changed` is the number of targets that were rendered: a definition's pages, its answers, a list's page …
    """

    problems: tuple[Problem, ...]
    snapshot: Snapshot | None = None
    files: int = 0
    seconds: float = 0.0
    changed: int = 0


def check_source(
    source: Source,
    target: MergeTarget | None = None,
    only: Container[str] | None = None,
    *,
    cache: BuildCache | None = None,
    schemas: tuple[Kinds, tuple[Problem, ...]] | None = None,
    base: Settings | None = None,
) -> Checked:
    """Read and check everything in `source`: settings, schemas, definitions; with `target` as a change
    that is meant for it.

    With `only`, the definitions at these paths; others are known by name. What is in `cache` is not read and
    checked again. `schemas` are those of `source`, where they were loaded already. `base` are the settings
    that a change is judged by where it must not judge itself.
    """
    with without_cycle_collector():
        settings, problems = source.settings, source.settings_problems
        kinds, schema_problems = schemas if schemas is not None else load_kinds(source)
        loaded = load_definitions(source, kinds, only, cache)
        cached = partial(_cached_findings, cache, judged_by(kinds, settings)) if cache is not None else None
        found = (
            *problems,
            *schema_problems,
            *check(loaded, kinds, settings, target, cached, base),
            *_unknown_rules(settings, source),
        )
    return Checked(settings, kinds, loaded, tuple(sorted(found, key=lambda problem: problem.sort_key)))


def _cached_findings(
    cache: BuildCache, version: str, definitions: Sequence[Definition], find_many: FindMany
) -> list[Findings]:
    by_path = {one.document.path: one for one in definitions}

    def compute_many(paths: Sequence[str]) -> dict[str, Findings]:
        return dict(zip(paths, find_many([by_path[path] for path in paths]), strict=True))

    digests = {path: one.blob for path, one in by_path.items()}
    found = cache.get_or_compute(FINDINGS, digests, compute_many, version=version)
    return [found[path] for path in by_path]


def _unknown_rules(settings: Settings, source: Source) -> tuple[Problem, ...]:
    if not (settings.rules or settings.folders):
        return ()
    from registry.changes.table import TABLE

    return unknown_rules(settings, source.read(SETTINGS_PATH), TABLE)


def check_one(checked: Checked, source: WorkTree, path: str) -> tuple[Checked, DefinitionChanges] | None:
    """As `check_paths`, for one path."""
    return check_paths(checked, source, [path])


def check_paths(
    checked: Checked, source: WorkTree, paths: Collection[str]
) -> tuple[Checked, DefinitionChanges] | None:
    """What `check_source` gives after the files at `paths` changed: only these are read; and their
    definitions.

    None where it may give something else for other files, too: then everything is to be checked again.
    """
    changes = load_changed(source, checked.kinds, checked.loaded, paths)
    if changes is None:
        return None
    found = check_changed(
        checked.loaded,
        changes.loaded,
        frozenset(paths),
        checked.problems,
        checked.kinds,
        checked.settings,
        checked.across,
    )
    if found is None:
        return None
    problems, across = found
    return replace(checked, loaded=changes.loaded, problems=problems, across=across), changes.definitions


def snapshot_of(
    source: Source,
    progress: Progress = silent,
    cache: BuildCache | None = None,
    *,
    with_contents: bool = True,
) -> tuple[Snapshot | None, tuple[Problem, ...]]:
    """A checked snapshot of `source`, or None when there are errors; and all problems. `cache` is read and
    filled.

    `with_contents`: those of all revisions are going to be asked for.
    """
    state = read_state(source, progress, cache, with_contents=with_contents)
    return state.snapshot, state.problems


def read_state(
    source: Source,
    progress: Progress = silent,
    cache: BuildCache | None = None,
    cancel: CancelToken = NOT_CANCELED,
    *,
    with_contents: bool = True,
    accepted: Collection[str] = (),
) -> SourceState:
    """Everything in `source`, read and checked; as `snapshot_of`. Raises CanceledError once `cancel` says
    so.

    There is a snapshot despite errors of the rules in `accepted`.
    """
    # Late, as in `build`: what `registry check` needs none of would be a tenth of its start.
    from registry.history.blobs import BlobReader
    from registry.history.reader import begin_history
    from registry.snapshot.take import take_snapshot

    cache = cache if cache is not None else BuildCache()
    with without_cycle_collector():
        schemas = load_kinds(source)
        contents = BlobReader(source.repository, schemas[0].secret_fields)
        pending = begin_history(source, cache, contents, with_contents=with_contents)
        try:
            progress("reading definitions")
            checked = check_source(source, cache=cache, schemas=schemas)
            cancel.check()
            if has_errors(one for one in checked.problems if one.rule not in accepted):
                return SourceState(checked, None, checked.problems)
            progress("combining definitions and history")
            snapshot, ledger_problems = take_snapshot(
                source, checked.settings, checked.kinds, checked.loaded, pending, contents, cache, progress
            )
        finally:
            if pending is not None:
                pending.close()
    problems = (*checked.problems, *ledger_problems)
    cancel.check()
    return SourceState(checked, None if has_errors(ledger_problems) else snapshot, problems)


def update_state(
    newest: SourceState,
    good: Snapshot,
    source: WorkTree,
    paths: Set[str],
    paths_since_good: Set[str],
    *,
    git_changed: bool,
) -> SourceState | None:
    """What `read_state` gives for `source`, from earlier states of it, in time that grows with what
    changed.

    `paths` are those that changed since `newest`, `paths_since_good` those that changed since the snapshot
    `good`, of the last state without errors. `git_changed`: so did git's HEAD or index. None where everything
    has to be read: settings, schemas, templates or samples changed, a branch was reset or switched, or
    very many files changed.
    """
    from registry.snapshot import apply_changes
    from registry.snapshot.since import changes_since

    if len(paths_since_good) > MOST_CHANGES:
        return None
    # `good` has older settings or templates than `newest` where they changed while a file had errors.
    if not are_definitions(source, newest.checked.kinds, paths_since_good):
        return None
    with without_cycle_collector():
        found = check_paths(newest.checked, source, paths)
        if found is None:
            return None
        checked, _ = found
        if has_errors(checked.problems):
            return SourceState(checked, None, checked.problems)
        changed = definitions_at(checked.loaded, checked.kinds, paths_since_good)
        known = None if git_changed or source.commit != good.commit else paths_since_good
        changes = changes_since(good, source, checked.loaded, changed, paths=known)
        if changes is None:
            return None
        return SourceState(checked, apply_changes(good, changes), checked.problems)


def build(  # noqa: PLR0913 - each a way in which builds differ
    source: Source,
    site: Site,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
    *,
    preview: Preview | None = None,
    cache: BuildCache | None = None,
    from_nothing: bool = False,
    given: Mapping[str, str | None] = MappingProxyType({}),
) -> BuildResult:
    """Check `source` and, when it has no errors, make `site` show exactly it; with `preview` marked as not
    published yet.

    What has not changed since the last build is kept, but with `from_nothing`; what is in `cache` is not read
    again. `given` are settings to use instead of those of the registry, by key; None for its own.
    """
    # Late: templates and locks are of no use to `registry check`, and cost it a third of its start-up.
    from registry.render import render

    started = clock()
    site.prepare(source.root)
    from_nothing = from_nothing or _is_tracked(source, site)
    with without_cycle_collector():
        shown = given.get("history") or source.settings.history
        snapshot, problems = snapshot_of(source, progress, cache, with_contents=shown == "revisions")
        if snapshot is None:
            return BuildResult(problems)  # the last good site stays
        snapshot = replace(snapshot, preview=preview, settings=overridden(snapshot.settings, given))
        report = partial(progress, "writing pages and API responses")
        targets = render(snapshot)
        with collecting_rarely():
            written = site.write(targets, report, from_nothing=from_nothing)
    return BuildResult(problems, snapshot, written.files, clock() - started, written.changed)


def _is_tracked(source: Source, site: Site) -> bool:
    """True where git tracks the generations of the site: then git may have written them, too."""
    folder = site.generations
    repository = source.repository if folder.is_dir() else None
    if repository is None or repository.top is None:
        return False
    place, top = folder.parent.resolve() / folder.name, repository.top.resolve()
    return place.is_relative_to(top) and repository.tracks(place.relative_to(top).as_posix())
