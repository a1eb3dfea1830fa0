"""Take a snapshot that contains one definition only, which takes a fraction of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.history.blobs import BlobReader
from registry.history.path_history import NamesOf, PathReader
from registry.history.reader import cached_history
from registry.ids import Ledger
from registry.load.lookups import lookups_of
from registry.model.redaction import redacted
from registry.progress import Progress, silent
from registry.snapshot.revisions import current_revisions, is_newest
from registry.snapshot.snapshot import Snapshot
from registry.snapshot.tombstones import tombstones_of

if TYPE_CHECKING:
    from registry.cache.build_cache import BuildCache
    from registry.git import Repository
    from registry.history.archive import History
    from registry.load.kinds import Kinds
    from registry.load.source import Source
    from registry.model.definition import Definition


def take_snapshot_of_one(
    source: Source,
    kinds: Kinds,
    definition: Definition,
    former_names: NamesOf,
    cache: BuildCache,
    progress: Progress = silent,
) -> Snapshot | None:
    """Return a snapshot that contains only `definition` and its revisions, as in `take_snapshot`.

    Other definitions, the ledger and templates are missing, and nothing is checked. The history is that in
    `cache`, or else only the commits that changed the definition are read. `former_names` returns the names
    that the definition with an id had, as far as they are known. Returns None where other files may matter:
    the file contains a credential, or its history may continue that of any other file. Raises GitError where
    git fails.
    """
    if redacted(definition.data, kinds.secret_fields) is not definition.data:
        return None
    repository, commit = source.repository, source.commit
    contents = BlobReader(repository, kinds.secret_fields)
    history = cached_history(source, cache, contents, progress)
    if history is None and repository is not None and commit is not None:
        progress("reading commits")
        history = _history_of(definition, source, repository, commit, former_names)
        if history is None:
            return None
    contents.take([definition])
    uncommitted = _uncommitted(definition, source, history)
    revisions = current_revisions(definition, history, uncommitted if source.is_work_tree else frozenset())
    return Snapshot(
        settings=source.settings,
        kinds=kinds,
        lookups=lookups_of(kinds, [definition]),
        ledger=Ledger((), source.settings.registry_id, source.settings.registry_id),
        is_fork=False,
        commit=commit,
        commit_time=None,
        uncommitted=uncommitted,
        is_dirty=source.is_work_tree and uncommitted != frozenset(),
        history=history,
        history_complete=repository is not None and commit is not None and not repository.is_shallow(),
        revisions={(definition.kind, definition.name): revisions},
        tombstones=tombstones_of(()),
        contents=contents,
        templates={},
        has_own_templates=False,
        cache=cache,
    )


def _history_of(
    definition: Definition, source: Source, repository: Repository, commit: str, former_names: NamesOf
) -> History | None:
    """Read the commits that changed one definition; None where all have to be read."""
    reader = PathReader(repository, commit, repository.prefix_of(source.root))
    history = reader.history_of(definition.kind, definition.id, definition.path, former_names)
    if history is not None:
        history.show_authors(repository.mailmap(commit).name)
    return history


def _uncommitted(definition: Definition, source: Source, history: History | None) -> frozenset[str] | None:
    """Return the path of the definition if it differs from the commit; None where there is no commit."""
    repository = source.repository
    if repository is None or source.commit is None:
        return None
    if not source.is_work_tree or history is None:
        return frozenset()
    if is_newest(definition, history.of(definition.kind, definition.id, definition.path)):
        return frozenset()  # the usual case, without git
    prefix = repository.prefix_of(source.root)
    return frozenset(path[len(prefix) :] for path in repository.changed_paths(prefix + definition.path))
