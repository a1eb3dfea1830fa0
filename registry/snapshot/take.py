"""Take the snapshot of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.load.lookups import lookups_of
from registry.progress import Progress, silent
from registry.snapshot.ledger import find_tombstones, read_own_ledger
from registry.snapshot.revisions import current_revisions
from registry.snapshot.snapshot import Snapshot, concerns_site
from registry.snapshot.templates import default_templates, own_templates
from registry.snapshot.tombstones import tombstones_of

if TYPE_CHECKING:
    from registry.cache.build_cache import BuildCache
    from registry.history.blobs import BlobReader
    from registry.history.reader import PendingHistory
    from registry.load.kinds import Kinds
    from registry.load.loader import Loaded
    from registry.load.settings import Settings
    from registry.load.source import Source
    from registry.model.problem import Problem


def take_snapshot(  # noqa: PLR0913 - what the steps before gave
    source: Source,
    settings: Settings,
    kinds: Kinds,
    loaded: Loaded,
    pending: PendingHistory | None,
    contents: BlobReader,
    cache: BuildCache,
    progress: Progress = silent,
) -> tuple[Snapshot, tuple[Problem, ...]]:
    """Bring together what was loaded with the ledger and the history of `source`, and say what is wrong
    with the ledger.

    `pending` is the history of the same source, `contents` reads those of its revisions.
    """
    own = read_own_ledger(source, settings)
    repository, commit = source.repository, source.commit
    history, changed = None, None
    if pending is not None:
        history = pending.history(progress)
        changed = pending.changed_paths()
    uncommitted = frozenset(changed) if changed is not None else None
    contents.take(loaded.definitions)
    may_differ = uncommitted if source.is_work_tree else frozenset[str]()
    revisions = {
        (one.kind, one.name): current_revisions(one, history, may_differ) for one in loaded.definitions
    }
    definitions = loaded.definitions
    if own.is_fork:
        definitions = [one._replace(id=None) for one in definitions]
    templates = own_templates(source)
    snapshot = Snapshot(
        settings=settings,
        kinds=kinds,
        lookups=lookups_of(kinds, definitions),
        ledger=own.ledger,
        is_fork=own.is_fork,
        commit=commit,
        commit_time=repository.commit_time(commit) if repository is not None and commit is not None else None,
        uncommitted=uncommitted,
        is_dirty=source.is_work_tree and (uncommitted is None or concerns_site(uncommitted)),
        history=history,
        history_complete=pending is not None and pending.is_complete,
        revisions=revisions,
        tombstones=tombstones_of(find_tombstones(source, loaded, own.ledger, kinds, history)),
        contents=contents,
        templates=default_templates() | templates,
        has_own_templates=bool(templates),
        mailmap_digest=pending.mailmap.digest if pending is not None else "",
        cache=cache,
    )
    return snapshot, own.problems
