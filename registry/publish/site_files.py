"""The files of a built site with their digests.

Digests are kept beside the generations by target and fingerprint, so that only files of changed targets are
read. A target's fingerprint stands for its bytes, as for builds.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple

import orjson

from registry.cache.sqlite_file import open_database, remove_database
from registry.errors import UsageError
from registry.publish.hash_tree import FileDigest
from registry.site.writer import files_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from registry.progress import Progress
    from registry.site import Site
    from registry.site.manifest import Manifest, RecordedGeneration

_FILE = ".digests.sqlite"
_FORMAT = 1
_SCHEMA = {
    "digests": "CREATE TABLE digests (target TEXT PRIMARY KEY, fingerprint TEXT, files BLOB) WITHOUT ROWID"
}
_PAGE_SIZE = 16384


class SiteFile(NamedTuple):
    """Digest of a file, and git's id of a blob with its content (SHA-1).

    The id is empty for a file that was not read here.
    """

    digest: FileDigest
    blob: str

    @property
    def sha256(self) -> str:
        """SHA-256 (hexadecimal)."""
        return self.digest.sha256

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.digest.size


class SiteFiles(NamedTuple):
    """A generation of a site: its folder, and its files by path."""

    folder: Path
    files: Mapping[str, SiteFile]


def read_site_files(site: Site, progress: Progress) -> SiteFiles:
    """Return the files of the current generation.

    Raises UsageError when there is no site, or when builds remove the generation meanwhile.
    """
    folder = site.current
    if folder is None:
        raise UsageError(f"{site.out} is not a site that `registry build` made", "run `registry build` first")
    progress("reading the site")
    try:
        with site.manifest() as manifest:
            recorded = next((one for one in manifest.generations() if one.folder == folder.name), None)
            if recorded is None:
                return SiteFiles(folder, digests_of(folder, sorted(files_in(folder))))
            return SiteFiles(folder, _of_targets(site.generations, folder, manifest, recorded, progress))
    except FileNotFoundError as error:
        raise UsageError("the site was built again while it was read", "publish again") from error


def _of_targets(
    generations: Path, folder: Path, manifest: Manifest, recorded: RecordedGeneration, progress: Progress
) -> dict[str, SiteFile]:
    fingerprints = recorded.load().fingerprints
    known = _known(generations)
    files: dict[str, SiteFile] = {}
    fresh: list[tuple[str, str, bytes]] = []
    by_inode: dict[tuple[int, int], SiteFile] = {}
    for number, (target, fingerprint) in enumerate(fingerprints.items(), 1):
        stored = known.get(target)
        if stored is not None and stored[0] == fingerprint:
            rows: Iterable[tuple[str, str, int, str]] = orjson.loads(stored[1])
            for path, sha256, size, blob in rows:
                files[path] = SiteFile(FileDigest(sha256, size), blob)
            continue
        found = digests_of(folder, manifest.paths(recorded.folder_id, [target]), by_inode)
        files |= found
        stored_rows = [[path, *one.digest, one.blob] for path, one in found.items()]
        fresh.append((target, fingerprint, orjson.dumps(stored_rows)))
        if number % 500 == 0:
            progress("reading the site", number, len(fingerprints))
    _keep(generations, fresh, known.keys() - fingerprints.keys())
    return files


def _known(generations: Path) -> dict[str, tuple[str, bytes]]:
    connection = open_database(generations / _FILE, _SCHEMA, _FORMAT, _PAGE_SIZE)
    if connection is None:
        return {}
    try:
        with closing(connection):
            rows = connection.execute("SELECT target, fingerprint, files FROM digests").fetchall()
    except sqlite3.DatabaseError:
        remove_database(generations / _FILE)
        return {}
    return {target: (fingerprint, bytes(files)) for target, fingerprint, files in rows}


def _keep(generations: Path, fresh: Sequence[tuple[str, str, bytes]], gone: Iterable[str]) -> None:
    """Store digests for the next time. A failure costs only time then."""
    connection = open_database(generations / _FILE, _SCHEMA, _FORMAT, _PAGE_SIZE)
    if connection is None:
        return
    with closing(connection), suppress(sqlite3.DatabaseError):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM digests WHERE target = ?", ((one,) for one in gone))
        connection.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", fresh)
        connection.execute("COMMIT")


def digests_of(
    folder: Path, paths: Iterable[str], by_inode: dict[tuple[int, int], SiteFile] | None = None
) -> dict[str, SiteFile]:
    """Return digests by path. Twins are one file with several names, which is read once.

    `by_inode` are the files that were read already. Raises OSError.
    """
    known = by_inode if by_inode is not None else {}
    found = {}
    for path in paths:
        place = folder / path
        status = place.lstat()
        inode = (status.st_dev, status.st_ino)
        if inode not in known:
            known[inode] = _digest(place.read_bytes())
        found[path] = known[inode]
    return found


def _digest(data: bytes) -> SiteFile:
    blob = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    blob.update(data)
    return SiteFile(FileDigest(hashlib.sha256(data).hexdigest(), len(data)), blob.hexdigest())
