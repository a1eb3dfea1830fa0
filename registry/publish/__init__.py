"""Publish a built site to the place that serves it, with digests of its files and, optionally, a signature.

A destination is one module here that implements `destination.Destination`; `cli/publish.py` chooses it by
the word before the colon.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from registry.errors import RefusedError, UsageError
from registry.model.addresses import API_SNAPSHOT
from registry.publish.destination import SiteChanges, SiteVersion, compare_sites, publication_of, refuse_loss
from registry.publish.hash_tree import ADDED_FOLDER, Root
from registry.publish.hosts import HOSTS, Excess, SiteSize
from registry.publish.signing import signing_key
from registry.publish.site_files import SiteFiles, read_site_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from registry.progress import Progress
    from registry.publish.destination import Destination, PublishedSite
    from registry.site import Site


@dataclass(frozen=True, slots=True)
class PublicationPlan:
    """What a publication would do, and the hosts by whether the site fits them.

    `files` and `folders` are numbers of the whole site, `size` its bytes; `published` counts what publishing
    adds as well. `publication` is None if there is nothing to do. `only_signs` is True if the published files
    stay, and get another signature.
    """

    changes: SiteChanges
    files: int
    folders: int
    size: int
    published: SiteSize
    sequence: int
    publication: SiteVersion | None
    only_signs: bool

    def hosts(self) -> dict[str, list[Excess]]:
        """Return the known hosts with the limits that the published site exceeds."""
        return {host.name: list(host.exceeded(self.published)) for host in HOSTS}


def plan_publication(
    site: Site,
    destination: Destination,
    progress: Progress,
    *,
    allow_shrink: bool = False,
    sign: Callable[[bytes], bytes] | None = None,
) -> PublicationPlan:
    """Compare the site with what is published.

    Raises RefusedError for a state that would lose ids or a large part of the files, UsageError when there is
    no site.
    """
    found = read_site_files(site, progress)
    if any(path.startswith(f"{ADDED_FOLDER}/") for path in found.files):
        raise UsageError(f"{site.out} is a published site", "publish the output of `registry build`")
    facts = _facts_of(found)
    progress("comparing with what is published")
    published = destination.published(found.files)
    refuse_loss(facts, published, allow_shrink=allow_shrink)
    source = SiteVersion(found.files, partial(_read, found.folder), facts, {}, found.folder)
    return _plan(source, published, sign)


def plan_rollback(
    destination: Destination, progress: Progress, *, sign: Callable[[bytes], bytes] | None = None
) -> PublicationPlan:
    """Return the plan that publishes the state before the published one again, with a new sequence number.

    Raises UsageError when there is no earlier state.
    """
    progress("reading what is published")
    earlier = destination.earlier()
    return _plan(earlier, destination.published(earlier.files), sign)


def _plan(
    source: SiteVersion, published: PublishedSite | None, sign: Callable[[bytes], bytes] | None
) -> PublicationPlan:
    files = source.files
    changes = compare_sites(files, published)
    sequence = published.root.sequence + 1 if published is not None else 1
    is_other_site = bool(
        published is None or changes.written or changes.removed or published.root.commit != source.root.commit
    )
    is_other_signature = published is not None and sign is not None and not _is_signed_by(published, sign)
    is_needed = is_other_site or is_other_signature
    publication = publication_of(source, sequence, sign if is_needed else None)
    folders = _folders_of(files)
    return PublicationPlan(
        changes,
        len(files),
        len(folders),
        sum(one.size for one in files.values()),
        _published_size(publication, folders),
        sequence,
        publication if is_needed else None,
        is_other_signature and not is_other_site,
    )


def _published_size(publication: SiteVersion, folders: set[str]) -> SiteSize:
    sizes = [one.size for one in publication.files.values()] + [*map(len, publication.added.values())]
    return SiteSize(len(sizes), len(folders | _folders_of(publication.added)), sum(sizes), max(sizes))


def _is_signed_by(published: PublishedSite, sign: Callable[[bytes], bytes]) -> bool:
    if published.signature is None:
        return False
    return signing_key(published.signature) == signing_key(sign(b""))


def _folders_of(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _facts_of(found: SiteFiles) -> Root:
    """Return the commit and the ledger of a site as a root without digests."""
    try:
        facts: Any = orjson.loads(_read(found.folder, API_SNAPSHOT))
        return Root(
            registry_id=facts["registry_id"],
            commit=facts["commit"],
            sequence=0,
            ledger_lines=facts["ledger_lines"],
            ledger_head=facts["ledger_head"],
            files=len(found.files),
            size=0,
            leaves=(),
        )
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise RefusedError(
            f"{found.folder / API_SNAPSHOT} cannot be read: {error}", "run `registry build` again"
        ) from error


def _read(folder: Path, path: str) -> bytes:
    try:
        return (folder / path).read_bytes()
    except FileNotFoundError as error:
        raise UsageError("the site was built again while it was published", "publish again") from error
