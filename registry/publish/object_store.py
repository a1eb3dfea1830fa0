"""Publish to a bucket: objects are replaced one by one, in an order in which none refers to a missing one.

A bucket cannot replace all objects at once. While a publication runs, and after it was interrupted,
`_registry/before/<sequence>/` has the content of each file of the published state that was replaced. A
client that verifies reads it there, so for it the new root is the switch; a rollback reads it, too. The
files that follow the new root are there before it is written.

Nothing is listed to find what changed: that is in the root and the leaves. Only after an interruption, the
objects are listed and compared with what the log says was uploaded.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import groupby, islice
from typing import TYPE_CHECKING

from registry.errors import RefusedError, UsageError
from registry.model.addresses import API, API_SNAPSHOT, ASSETS, parse_page_file
from registry.model.http_headers import cache_control, media_type
from registry.publish.bucket import for_each
from registry.publish.destination import PublishedSite, SiteVersion
from registry.publish.hash_tree import (
    ADDED_FOLDER,
    REPLACED_FOLDER,
    ROOT_FILE,
    SIGNATURE_FILE,
    FileDigest,
    InvalidTreeError,
    Root,
    all_leaf_files,
    hex_digest,
    parse_leaf,
    parse_root,
    replaced_file,
)
from registry.publish.publication_log import DEAD_AFTER_S, Lease, LogState, PublicationLog
from registry.publish.site_files import SiteFile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

    from obstore import Attributes

    from registry.progress import Progress
    from registry.publish.bucket import Bucket
    from registry.publish.destination import SiteChanges

_SEQUENCE = re.compile(rf"{REPLACED_FOLDER}/(\d+)/")
_UNKNOWN = FileDigest("", 0)
_MOST_NAMED = 3
_LAST = 5


def upload_rank(path: str) -> int:
    """Return the place of a file in the order of uploads: files come after those that they refer to.

    0 assets, 1 definitions with their histories and revisions, 2 by name, 3 lists, 4 files about everything,
    5 the snapshot, which says that the others are there.
    """
    if path == API_SNAPSHOT:
        return _LAST
    if path.startswith(f"{ASSETS}/"):
        return 0
    if path.startswith(f"{API}/"):
        return _api_rank(path.split("/")[2:])
    page = parse_page_file(path)
    if page is None:
        return 4
    return 1 if page.name else 3


def _api_rank(below_kind: list[str]) -> int:
    answer = below_kind[0] if below_kind else ""
    if answer.partition(".")[0].isdecimal():
        return 1
    if answer == "by-name":
        return 2
    return 3 if answer and not answer.startswith("all.") else 4


@dataclass(frozen=True, slots=True)
class _State:
    """What the bucket has. After an interruption, `moved` and `listed` are read, too.

    `tree` are the digests of the root's files. `moved` are the paths whose content at the time of the root is
    below `_registry/before`. `listed` are the ETags of all objects of the site by path.
    """

    log: LogState
    root: Root | None = None
    tree: Mapping[str, FileDigest] = field(default_factory=dict)
    signature: bytes | None = None
    moved: frozenset[str] = frozenset()
    listed: Mapping[str, str | None] | None = None

    @property
    def is_incomplete(self) -> bool:
        """True if a publication began to replace the state of the root, and did not come to its end."""
        newest = self.log.newest
        return (
            self.root is not None
            and newest is not None
            and not newest.is_done
            and newest.sequence != self.root.sequence
        )


class ObjectStoreDestination:
    """`s3://bucket/prefix`."""

    def __init__(
        self,
        bucket: Bucket,
        warn: Callable[[str], None],
        *,
        take_over: bool = False,
        dead_after_s: float = DEAD_AFTER_S,
    ) -> None:
        """Take the objects below the prefix. `warn` receives a limit of the store, in one line.

        `take_over`: a publication that is not finished was killed. `dead_after_s` is the time without a sign
        of life after which that is certain.
        """
        self.name = bucket.name
        self._bucket = bucket
        self._warn = warn
        self._take_over = take_over
        self._log = PublicationLog(bucket, dead_after_s)

    def published(self, files: Mapping[str, SiteFile]) -> PublishedSite | None:
        """Return what the bucket has; see `Destination`."""
        del files  # digests were published
        state = self._state
        if state.listed is None:
            return PublishedSite(state.root, state.tree, state.signature) if state.root is not None else None
        root = state.root or Root(None, None, 0, 0, None, 0, 0, ())
        return PublishedSite(root, self._found(state, state.listed), state.signature)

    @cached_property
    def _state(self) -> _State:
        return asyncio.run(self._read_state())

    async def _read_state(self) -> _State:
        log = self._log.read()
        data = self._bucket.read(ROOT_FILE)
        if data is None and log.newest is None:
            self._refuse_foreign(one.path for one in self._bucket.list() if one.path not in log.paths)
            return _State(log)
        moved: frozenset[str] = frozenset()
        root, tree = None, {}
        if data is not None:
            root = self._parsed(data)
            if log.is_interrupted:
                folder = replaced_file(root.sequence)
                moved = frozenset(one.path.removeprefix(folder) for one in self._bucket.list(folder))
            tree = await self._tree(root, [replaced_file(root.sequence)] if moved else [])
        listed = None
        if log.is_interrupted:
            listed = {one.path: one.etag for one in self._bucket.list() if not _is_added(one.path)}
            known = tree.keys() | self._log.intended(log) | self._log.left(log)
            self._refuse_foreign(path for path in listed if path not in known)
        signature = self._bucket.read(SIGNATURE_FILE)
        return _State(log, root, tree, signature, moved, listed)

    def _parsed(self, data: bytes) -> Root:
        try:
            return parse_root(data)
        except InvalidTreeError as error:
            raise self._damaged(str(error)) from error

    async def _tree(self, root: Root, folders: Collection[str]) -> dict[str, FileDigest]:
        """Return the digests of a root's files. Replaced leaves are in `folders`, from the oldest on."""
        found: dict[str, dict[str, FileDigest]] = {}

        async def read(leaf: tuple[str, str]) -> None:
            path, expected = leaf
            for folder in (*folders, ""):
                data = await self._bucket.read_later(folder + path)
                if data is not None and hex_digest(data) == expected:
                    found[path] = parse_leaf(data)
                    return
            raise self._damaged(f"{path} does not fit the root")

        await for_each(zip(all_leaf_files(), root.leaves, strict=True), read)
        return {path: digest for leaf in found.values() for path, digest in leaf.items()}

    def _damaged(self, what: str) -> RefusedError:
        return RefusedError(f"{self.name}: {what}", "publish to another prefix")

    def _refuse_foreign(self, paths: Iterable[str]) -> None:
        names = list(islice(paths, _MOST_NAMED + 1))
        if names:
            more = ", …" if len(names) > _MOST_NAMED else ""
            raise RefusedError(
                f"{self.name} contains objects that `registry publish` did not write: "
                f"{', '.join(names[:_MOST_NAMED])}{more}",
                "remove them, or publish to another prefix",
            )

    def _found(self, state: _State, listed: Mapping[str, str | None]) -> dict[str, FileDigest]:
        """Return the digests of the objects after an interruption, as far as they are known."""
        uploaded = self._log.uploaded(state.log)
        found = {}
        for path, etag in listed.items():
            untouched = state.tree.get(path) if path not in state.moved else None
            found[path] = untouched or uploaded.get((path, etag or ""), _UNKNOWN)
        return found

    def earlier(self) -> SiteVersion:
        """Return the publication before the present one, or the one that was about to be replaced.

        See `Destination`.
        """
        state = self._state
        if state.root is None:
            raise UsageError(f"{self.name} has no earlier publication")
        if state.is_incomplete:
            return self._version(state.root, state.tree, [replaced_file(state.root.sequence)])
        folders = [one for one in self._sequences_before() if one < state.root.sequence]
        data = self._bucket.read(replaced_file(folders[-1], ROOT_FILE)) if folders else None
        if data is None:
            raise UsageError(f"{self.name} has no earlier publication")
        root = self._parsed(data)
        places = [replaced_file(root.sequence), replaced_file(state.root.sequence)]
        return self._version(root, asyncio.run(self._tree(root, places)), places)

    def _sequences_before(self) -> list[int]:
        matches = (_SEQUENCE.match(one.path) for one in self._bucket.list(REPLACED_FOLDER))
        return sorted({int(found[1]) for found in matches if found is not None})

    def _version(self, root: Root, tree: Mapping[str, FileDigest], places: Collection[str]) -> SiteVersion:
        files = {path: SiteFile(digest, "") for path, digest in tree.items()}
        return SiteVersion(files, partial(self._content, tree, places), root, {})

    def _content(self, tree: Mapping[str, FileDigest], places: Collection[str], path: str) -> bytes:
        """Return a file of an earlier state: where it was moved to, or at its own address."""
        for folder in (*places, ""):
            data = self._bucket.read(folder + path)
            if data is not None and hex_digest(data) == tree[path].sha256:
                return data
        raise RefusedError(f"{self.name} no longer has {path}", "publish a site that was built")

    def publish(self, publication: SiteVersion, changes: SiteChanges, progress: Progress) -> None:
        """Upload what changed, then remove what the publication before no longer had; see `Destination`."""
        state = self._state
        lease = self._log.claim(state.log, publication.root.sequence, take_over=self._take_over)
        with lease.stopped_by_errors():
            if not lease.record.has_lock:
                self._warn(f"{self.name}: this store cannot refuse a concurrent publication")
            outdated = self._note_paths(lease, state, publication, changes)
            asyncio.run(_Upload(self._bucket, lease, state, publication, progress).run(changes))
            progress("removing old files")
            self._remove(lease, state, outdated)

    def _note_paths(
        self, lease: Lease, state: _State, publication: SiteVersion, changes: SiteChanges
    ) -> set[str]:
        """Note what will be uploaded and what will be left. Return what the publication before left."""
        lease.write_paths("paths", set(changes.written) - state.tree.keys())
        shown = state.tree.keys() | publication.files.keys()
        outdated = self._log.left(state.log) - shown
        known = state.listed if state.listed is not None else state.tree
        lease.write_paths("left", known.keys() - publication.files.keys() - outdated)
        return outdated

    def _remove(self, lease: Lease, state: _State, outdated: set[str]) -> None:
        kept = state.root.sequence if state.root is not None else 0
        moved = [
            one.path
            for one in self._bucket.list(REPLACED_FOLDER)
            if (found := _SEQUENCE.match(one.path)) and int(found[1]) < kept
        ]
        lease.confirm()
        self._bucket.delete([*sorted(outdated), *moved])
        lease.finish()


def _is_added(path: str) -> bool:
    return path.startswith(f"{ADDED_FOLDER}/")


class _Upload:
    """The uploads of one publication."""

    def __init__(
        self, bucket: Bucket, lease: Lease, state: _State, publication: SiteVersion, progress: Progress
    ) -> None:
        self._bucket = bucket
        self._lease = lease
        self._state = state
        self._publication = publication
        self._progress = progress
        self._done = 0

    async def run(self, changes: SiteChanges) -> None:
        """Upload files of the site in their order, then the leaves, the root and the snapshot."""
        total = len(changes.written)

        async def upload(path: str) -> None:
            data = await asyncio.to_thread(self._publication.content, path)
            etag = await self._replace(path, data)
            self._lease.note(path, self._publication.files[path].digest, etag)
            self._done += 1
            if self._done % 100 == 0:
                self._progress("uploading", self._done, total)

        ranked = sorted((upload_rank(path), path) for path in changes.written)
        for rank, some in groupby(ranked, key=lambda one: one[0]):
            if rank < _LAST:
                await for_each((path for _, path in some), upload)
        await self._finish(upload if API_SNAPSHOT in changes.written else None)

    async def _finish(self, upload: Callable[[str], Awaitable[None]] | None) -> None:
        added = dict(self._publication.added)
        root, signature = added.pop(ROOT_FILE), added.pop(SIGNATURE_FILE, None)
        await for_each(self._changed_leaves(added), lambda leaf: self._replace(*leaf))
        # A reader of the new root finds what follows it there.
        following = {API_SNAPSHOT: self._publication.content(API_SNAPSHOT)}
        if signature is not None:
            following[SIGNATURE_FILE] = signature
        for path, data in following.items():
            await self._bucket.write_later(
                replaced_file(self._publication.root.sequence, path), data, _attributes(path)
            )
        if signature is None and self._state.signature is not None:
            # A signature of the state before would not fit.
            await self._move(SIGNATURE_FILE)
            self._bucket.delete([SIGNATURE_FILE])
        await self._replace(ROOT_FILE, root)
        if signature is not None:
            await self._replace(SIGNATURE_FILE, signature)
        if upload is not None:
            await upload(API_SNAPSHOT)

    def _changed_leaves(self, leaves: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
        before = self._state.root
        if before is None or self._state.listed is not None:
            return list(leaves.items())
        pairs = zip(leaves.items(), before.leaves, self._publication.root.leaves, strict=True)
        return [leaf for leaf, old, new in pairs if old != new]

    async def _replace(self, path: str, data: bytes) -> str | None:
        """Upload a file after its content was moved, so that the published state stays readable."""
        self._lease.keep()
        if path in self._state.tree or (_is_added(path) and self._state.root is not None):
            await self._move(path)
        return await self._bucket.write_later(path, data, _attributes(path))

    async def _move(self, path: str) -> None:
        root = self._state.root
        if root is not None and path not in self._state.moved:
            await self._bucket.copy_later(path, replaced_file(root.sequence, path))


def _attributes(path: str) -> Attributes:
    return {"Content-Type": media_type(path), "Cache-Control": cache_control(path)}
