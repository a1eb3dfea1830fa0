"""The main flow, composed once: source → load → check → snapshot → render → write."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from registry.cache.build_cache import BuildCache, Table
from registry.check import Findings, FindMany, check, judged_by, unknown_rules
from registry.load.kinds import Kinds, load_kinds
from registry.load.loader import Loaded, load_definitions
from registry.load.settings import SETTINGS_PATH, Settings, with_base_url
from registry.model.problem import Problem, has_errors
from registry.progress import Progress, silent
from registry.runtime import collecting_rarely, without_cycle_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from registry.check.rule import MergeTarget
    from registry.load.source import Source
    from registry.model.definition import Definition
    from registry.site import Site
    from registry.snapshot import Preview, Snapshot


FINDINGS: Table[Findings] = Table(
    "findings",
    lambda found: [one.as_row() for one in found],
    lambda rows: tuple([Problem.from_row(row) for row in rows]) if rows else (),
)
"""What was found in each definition by itself, by path and blob id; the version stands for schemas, settings and rules."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A source with everything that was read from it and all that is wrong with it."""

    settings: Settings
    kinds: Kinds
    loaded: Loaded
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build found and did; `snapshot` is None and `files` 0 when errors stopped it.

    `changed` units of the site (a definition's pages, its answers, a page of a list …) were made anew.
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
    """Read and check everything in `source`: settings, schemas, definitions; with `target` as a change that is meant for it.

    With `only`, the definitions at these paths; others are known by name. What is in `cache` is not read and checked again.
    `schemas` are those of `source`, where they were loaded already. `base` are the settings that a change is judged by where
    it must not judge itself.
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


def snapshot_of(
    source: Source,
    progress: Progress = silent,
    cache: BuildCache | None = None,
    *,
    with_contents: bool = True,
) -> tuple[Snapshot | None, tuple[Problem, ...]]:
    """A checked snapshot of `source`, or None when there are errors; and all problems. `cache` is read and filled.

    `with_contents`: those of all revisions are going to be asked for.
    """
    # Late, as in `build`: what `registry check` needs none of would be a tenth of its start.
    from registry.history.blobs import BlobReader
    from registry.history.reader import begin_history
    from registry.snapshot import take_snapshot

    cache = cache if cache is not None else BuildCache()
    with without_cycle_collector():
        schemas = load_kinds(source)
        contents = BlobReader(source.repository, schemas[0].secret_fields)
        pending = begin_history(source, cache, contents, with_contents=with_contents)
        try:
            progress("reading definitions")
            checked = check_source(source, cache=cache, schemas=schemas)
            if has_errors(checked.problems):
                return None, checked.problems
            progress("bringing together what was read")
            snapshot, ledger_problems = take_snapshot(
                source, checked.settings, checked.kinds, checked.loaded, pending, contents, cache, progress
            )
        finally:
            if pending is not None:
                pending.close()
    problems = (*checked.problems, *ledger_problems)
    return (None if has_errors(ledger_problems) else snapshot), problems


def build(  # noqa: PLR0913 - each a way in which builds differ
    source: Source,
    site: Site,
    progress: Progress = silent,
    clock: Callable[[], float] = time.monotonic,
    *,
    preview: Preview | None = None,
    cache: BuildCache | None = None,
    from_nothing: bool = False,
    history: str | None = None,
    base_url: str | None = None,
) -> BuildResult:
    """Check `source` and, when it has no errors, make `site` show exactly it; with `preview` marked as not published yet.

    What has not changed since the last build is kept, but with `from_nothing`; what is in `cache` is not read again.
    `history` and `base_url` are used instead of those of the settings.
    """
    # Late: templates and locks are of no use to `registry check`, and cost it a third of its start-up.
    from registry.render import render

    started = clock()
    site.prepare(source.root)
    from_nothing = from_nothing or _is_tracked(source, site)
    with without_cycle_collector():
        shown = history or source.settings.history
        snapshot, problems = snapshot_of(source, progress, cache, with_contents=shown == "revisions")
        if snapshot is None:
            return BuildResult(problems)  # the last good site stays
        settings = replace(snapshot.settings, history=history) if history else snapshot.settings
        snapshot = replace(snapshot, preview=preview, settings=with_base_url(settings, base_url))
        units = render(snapshot)
        with collecting_rarely():
            written = site.write(
                units, partial(progress, "writing pages and answers"), from_nothing=from_nothing
            )
    return BuildResult(problems, snapshot, written.files, clock() - started, written.changed)


def _is_tracked(source: Source, site: Site) -> bool:
    """True where git tracks the generations of the site: then git may have written them, too."""
    folder = site.generations
    repository = source.repository if folder.is_dir() else None
    if repository is None or repository.top is None:
        return False
    place, top = folder.parent.resolve() / folder.name, repository.top.resolve()
    return place.is_relative_to(top) and repository.tracks(place.relative_to(top).as_posix())
