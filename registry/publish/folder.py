"""Publish to a folder: a generation of its own beside it, and a link that is replaced at once."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from registry.errors import RefusedError, UsageError
from registry.publish.destination import PublishedSite, SiteChanges, SiteVersion
from registry.publish.hash_tree import (
    ROOT_FILE,
    SIGNATURE_FILE,
    FileDigest,
    InvalidTreeError,
    read_tree,
)
from registry.publish.site_files import digests_of
from registry.render.target import File, Target, TargetGroup, Targets, rendered_target
from registry.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from registry.progress import Progress
    from registry.publish.site_files import SiteFile


class FolderDestination:
    """`folder:PATH`. PATH is a link that a web server serves; the last three publications are kept."""

    def __init__(self, path: Path) -> None:
        """Take the path of the link."""
        self.name = f"the folder {path}"
        self._site = Site(path)
        self._is_damaged = False

    def published(self, files: Mapping[str, SiteFile]) -> PublishedSite | None:
        """Return what the link shows; see `Destination`."""
        del files  # the digests that were published, and the sizes of the files, are enough
        current = self._site.current
        if current is None:
            self._site.prepare()
            return None
        if not (current / ROOT_FILE).is_file():
            raise RefusedError(
                f"{self._site.out} is the output of `registry build`, not a published site",
                "choose another folder to publish to",
            )
        found = _published_in(current)
        damaged = [path for path, one in found.files.items() if _size_of(f"{current}/{path}") != one.size]
        self._is_damaged = bool(damaged)
        return replace(found, files={**found.files, **dict.fromkeys(damaged, FileDigest("", 0))})

    def publish(self, publication: SiteVersion, changes: SiteChanges, progress: Progress) -> None:
        """Write a new generation and replace the link; see `Destination`."""
        del changes  # found by the generations
        report = partial(progress, "writing files")
        # Unchanged files are links to those of earlier generations, which must not spread damage.
        targets = Targets(_targets(publication))
        self._site.write(targets, report, from_nothing=self._is_damaged, resume=True)

    def earlier(self) -> SiteVersion:
        """Return the publication before the one that the link shows; see `Destination`."""
        folder = self._site.previous()
        if folder is None or not (folder / ROOT_FILE).is_file():
            raise UsageError(f"{self.name} has no earlier publication")
        found = _published_in(folder)
        return SiteVersion(digests_of(folder, found.files), partial(_read, folder), found.root, {})


def _published_in(folder: Path) -> PublishedSite:
    read = partial(_read_if_present, folder)
    try:
        root, files = read_tree(read)
        return PublishedSite(root, files, read(SIGNATURE_FILE))
    except (OSError, InvalidTreeError) as error:
        raise RefusedError(
            f"{folder} is not a complete publication: {error}", "publish to another folder"
        ) from error


def _size_of(path: str) -> int:
    """Return the size of a file in bytes, -1 if it is missing."""
    try:
        return os.lstat(path).st_size  # a Path costs more than the call
    except OSError:
        return -1


def _read_if_present(folder: Path, path: str) -> bytes | None:
    try:
        return (folder / path).read_bytes()
    except FileNotFoundError:
        return None


def _targets(publication: SiteVersion) -> Iterator[TargetGroup | Target]:
    """Yield a target for each file, so that unchanged ones are linked from an earlier generation."""
    paths = list(publication.files)

    def target(number: int) -> Target:
        path = paths[number]
        digest = publication.files[path].sha256
        return Target(path, digest, (path,), partial(_file, publication, path))

    fingerprints = [one.sha256 for one in publication.files.values()]
    yield TargetGroup(
        paths, fingerprints, target, lambda: {path: number for number, path in enumerate(paths)}
    )
    for path, data in publication.added.items():
        yield rendered_target(path, File(path, data))


def _file(publication: SiteVersion, path: str) -> Iterator[File]:
    yield File(path, publication.content(path))


def _read(folder: Path, path: str) -> bytes:
    return (folder / path).read_bytes()
