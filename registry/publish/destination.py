"""Interface of the places that a site can be published to, and what they have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from registry.errors import RefusedError
from registry.publish.hash_tree import (
    ROOT_FILE,
    SIGNATURE_FILE,
    FileDigest,
    Root,
    hex_digest,
    leaf_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from registry.progress import Progress
    from registry.publish.site_files import SiteFile

_MOST_LOST = 0.2
"""The share of files that a publication may remove without `--allow-shrink`."""


@dataclass(frozen=True, slots=True)
class PublishedSite:
    """What a destination has: its root, the digests of its files by path, and the signature of the root."""

    root: Root
    files: Mapping[str, FileDigest]
    signature: bytes | None


@dataclass(frozen=True, slots=True)
class SiteVersion:
    """A complete state to publish: the files of the site, and the files that publishing adds.

    `read` returns the content of a file of the site. `added` are the leaves, the root and its signature, by
    path. `folder` has the files of the site, None if they are at the destination only.
    """

    files: Mapping[str, SiteFile]
    read: Callable[[str], bytes]
    root: Root
    added: Mapping[str, bytes]
    folder: Path | None = None

    def content(self, path: str) -> bytes:
        """Return the content of a file of the site. Raises RefusedError if it differs from its digest."""
        data = self.read(path)
        if hex_digest(data) != self.files[path].sha256:
            raise RefusedError(
                f"{path} was changed after the site was built", "run `registry build --from-nothing`"
            )
        return data


@dataclass(frozen=True, slots=True)
class SiteChanges:
    """The difference between a publication and what a destination has; paths in order, `size` in bytes."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    size: int


class Destination(Protocol):
    """A place that serves the site."""

    name: str
    """As in messages, for example `the branch gh-pages`."""

    def published(self, files: Mapping[str, SiteFile]) -> PublishedSite | None:
        """Return what is published, or None for nothing yet. `files` are those that will be published.

        Raises RefusedError for a place with files of others, RegistryError when it cannot be read.
        """

    def publish(self, publication: SiteVersion, changes: SiteChanges, progress: Progress) -> None:
        """Make the place show the publication: readers see the state before or this one.

        Raises RegistryError; the state before stays then, or both are mixed in an order in which no file
        refers to one that is missing.
        """

    def earlier(self) -> SiteVersion:
        """Return the state before the published one, for a rollback, with the root of that time.

        Raises UsageError when there is none.
        """


def compare_sites(files: Mapping[str, SiteFile], published: PublishedSite | None) -> SiteChanges:
    """Return what has to be written and removed."""
    known = published.files if published is not None else {}
    written = tuple(sorted(path for path, one in files.items() if known.get(path) != one.digest))
    removed = tuple(sorted(known.keys() - files.keys()))
    return SiteChanges(written, removed, sum(files[path].size for path in written))


def refuse_loss(root: Root, published: PublishedSite | None, *, allow_shrink: bool) -> None:
    """Raise RefusedError for a state that loses ids, belongs to another registry, or has far fewer files."""
    if published is None:
        return
    before = published.root
    if before.registry_id and before.registry_id != root.registry_id:
        raise RefusedError(
            f"another registry is published there ({before.registry_id})", "choose another destination"
        )
    if root.ledger_lines < before.ledger_lines:
        raise RefusedError(
            f"the site has {root.ledger_lines:,} ledger lines, the published one {before.ledger_lines:,}: "
            "ids would be lost",
            "build the newest commit; `registry index --recover` restores a ledger",
        )
    lost = before.files - root.files
    if lost > _MOST_LOST * before.files and not allow_shrink:
        raise RefusedError(
            f"the site has {root.files:,} files, the published one {before.files:,}",
            "if that is right, add --allow-shrink",
        )


def publication_of(source: SiteVersion, sequence: int, sign: Callable[[bytes], bytes] | None) -> SiteVersion:
    """Return the publication of a site, with leaves and a signed root. The source's root has no digests."""
    files = source.files
    leaves = leaf_files({path: one.digest for path, one in files.items()})
    root = replace(
        source.root,
        sequence=sequence,
        files=len(files),
        size=sum(one.size for one in files.values()),
        leaves=tuple(map(hex_digest, leaves.values())),
    )
    data = root.to_bytes()
    added = {**leaves, ROOT_FILE: data}
    if sign is not None:
        added[SIGNATURE_FILE] = sign(data)
    return replace(source, root=root, added=added)
