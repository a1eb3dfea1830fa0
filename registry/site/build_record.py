"""Record of the last build into a folder, in the cache: a build whose inputs are the same ends at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import orjson

from registry.cache.cache_file import program_digest
from registry.files.safe_paths import current_umask
from registry.load.source import WorkTree

if TYPE_CHECKING:
    from registry.cache.cache_file import CacheFile
    from registry.load.file_stats import PendingScan
    from registry.load.source import Source
    from registry.site.generations import Site
    from registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """What a site shows: numbers of definitions, revisions, files and warnings, and the commit, if any."""

    definitions: int
    revisions: int
    files: int
    warnings: int
    commit: str | None
    history_complete: bool

    @classmethod
    def of(cls, snapshot: Snapshot, files: int, warnings: int) -> Self:
        """Return the summary of the site that was built from `snapshot`."""
        return cls(
            len(snapshot.definitions),
            snapshot.revision_count,
            files,
            warnings,
            snapshot.commit,
            snapshot.history_complete,
        )


def digest_of_inputs(source: Source, pending: PendingScan | None, options: str) -> str | None:
    """Return a text that differs whenever a build of `source` could give other files.

    `pending` is a scan of the work tree, which the source reuses; `options` are those of the command that
    change the output. Returns None if a change of a file might go unnoticed, because its time stamp is too
    recent.
    """
    repository = source.repository
    found = None
    if pending is not None:
        found = pending.scan(repository.state_files() if repository is not None else ())
        if isinstance(source, WorkTree):
            source.use(found)
        if not found.is_settled:
            return None
    # The depth of a shallow clone changes the history without changing any commit.
    cut = repository.cut() if repository is not None else ""
    files = found.digest if found is not None else ""
    # Without a new umask the files would keep their old permissions.
    return f"{program_digest()} {source.commit} {cut} {files} {options} {current_umask():o}"


def unchanged_site(cache: CacheFile, site: Site, digest: str) -> SiteSummary | None:
    """Return the summary of the current site if the last build had inputs with this digest, else None."""
    stored = cache.get("builds", _key(site))
    record = orjson.loads(stored) if stored is not None else {}
    # The digest names the version of the program, so the other keys are those that this version writes.
    if record.get("digest") != digest or site.current is None or site.current.name != record["folder"]:
        return None
    return SiteSummary(**record["summary"])


def record_build(cache: CacheFile, site: Site, digest: str, summary: SiteSummary) -> None:
    """Record that the current site was built from inputs with this digest."""
    folder = site.current
    if folder is None:
        return  # another program removed the link in the meantime
    record = {"digest": digest, "folder": folder.name, "summary": asdict(summary)}
    cache.keep({"builds": [(_key(site), orjson.dumps(record))]})


def _key(site: Site) -> str:
    return str(site.out.absolute())
