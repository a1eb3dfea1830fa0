"""Publish to a branch: a commit on top of it, as GitHub Pages and GitLab Pages show branches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from registry.errors import RefusedError, RegistryError, UsageError
from registry.git import RefUpdate, Signature, branch_ref
from registry.git.branch_import import import_commit, move_branch
from registry.git.remote import Pushed, Remote
from registry.publish.destination import PublishedSite, SiteChanges, SiteVersion
from registry.publish.hash_tree import (
    ADDED_FOLDER,
    ROOT_FILE,
    SIGNATURE_FILE,
    FileDigest,
    InvalidTreeError,
    all_leaf_files,
    parse_leaf,
    parse_root,
)
from registry.publish.site_files import SiteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry.git import Repository
    from registry.progress import Progress

# Files that hosts read from the branch, and that the site does not contain.
_OF_HOSTS = frozenset({"CNAME", ".nojekyll"})
_MOST_BYTES = 100 * 1024 * 1024
_REMOTE_LIMIT_S = 1800.0
_MOST_NAMED = 3


class BranchDestination:
    """`git:BRANCH`, in the registry's own repository or, with a remote, there."""

    def __init__(self, repository: Repository, branch: str, remote: str | None, who: Signature) -> None:
        """Raises UsageError for an invalid branch or an unknown remote."""
        self._repository = repository
        self._ref = branch_ref(branch)
        self._remote = Remote(repository, remote) if remote is not None else None
        self._who = who
        self._tip: str | None = None
        self.name = f"the branch {branch} of {remote}" if remote is not None else f"the branch {branch}"
        if remote is None and repository.head_ref() == self._ref:
            raise UsageError(f"{self.name} is checked out here", "publish to another branch")

    def published(self, files: Mapping[str, SiteFile]) -> PublishedSite | None:
        """Return what the branch has; see `Destination`."""
        if self._remote is not None:
            self._tip = self._remote.fetch_refs([self._ref], _REMOTE_LIMIT_S)[self._ref]
        else:
            self._tip = self._repository.commit_of(self._ref)
        if self._tip is None:
            return None
        return self._published_in(self._tip, files)

    def _published_in(self, commit: str, files: Mapping[str, SiteFile]) -> PublishedSite | None:
        blobs = {row.path: row.blob for row in self._repository.list_tree(commit)}
        own = {path: blob for path, blob in blobs.items() if path not in _OF_HOSTS}
        if not own:
            return None
        if ROOT_FILE not in blobs:
            raise RefusedError(
                f"{self.name} contains files that `registry publish` did not write: {_some(own)}",
                "publish to another branch",
            )
        root_and_leaves = self._contents([blobs.get(path, "") for path in (ROOT_FILE, *all_leaf_files())])
        try:
            root = parse_root(root_and_leaves[0])
            listed: dict[str, FileDigest] = {}
            for data in root_and_leaves[1:]:
                listed |= parse_leaf(data)
        except InvalidTreeError as error:
            raise RefusedError(f"{self.name}: {error}", "publish to another branch") from error
        foreign = [path for path in own if path not in listed and not path.startswith(f"{ADDED_FOLDER}/")]
        if foreign:
            raise RefusedError(
                f"{self.name} contains files that `registry publish` did not write: {_some(foreign)}",
                "remove them from the branch, or publish to another one",
            )
        unknown = FileDigest("", 0)  # edited by hand: written again
        found = {}
        for path in listed.keys() & blobs.keys():
            one = files.get(path)
            found[path] = one.digest if one is not None and one.blob == blobs[path] else unknown
        signed = blobs.get(SIGNATURE_FILE)
        return PublishedSite(root, found, self._contents([signed])[0] if signed else None)

    def _contents(self, blobs: list[str]) -> list[bytes]:
        if not all(blobs):
            raise RefusedError(f"{self.name} lacks files of `{ADDED_FOLDER}`", "publish to another branch")
        found = self._repository.read_blobs(blobs, at_most=_MOST_BYTES)
        return [data if isinstance(data, bytes) else b"" for _, data in found]

    def publish(self, publication: SiteVersion, changes: SiteChanges, progress: Progress) -> None:
        """Add a commit and move the branch from the value that was compared; see `Destination`."""
        commit = import_commit(
            self._repository,
            self._ref,
            self._tip,
            _contents_of(publication, changes, progress),
            _message(publication),
            self._who,
        )
        if self._remote is not None:
            self._push(self._remote, commit, progress)
        elif not move_branch(self._repository, self._ref, commit, self._tip):
            raise RefusedError(f"{self.name} has moved since it was read", "publish again")

    def _push(self, remote: Remote, commit: str, progress: Progress) -> None:
        progress(f"pushing to {remote.name}")
        pushed = remote.push_atomic([RefUpdate(self._ref, commit, self._tip)], _REMOTE_LIMIT_S)
        if pushed.outcome is Pushed.RACED:
            raise RefusedError(f"{self.name} has moved since it was read", "publish again")
        if pushed.outcome is Pushed.REFUSED:
            raise RegistryError(
                f"{remote.name} refused the push: {' '.join(pushed.message.split())}",
                "check that this account can push to the branch",
            )
        if pushed.outcome is Pushed.UNCLEAR:
            raise RegistryError(
                f"{remote.name} gave no clear answer: {' '.join(pushed.message.split())}",
                "publish again: what was accepted is not pushed twice",
            )

    def earlier(self) -> SiteVersion:
        """Return the publication in the commit before the last one; see `Destination`."""
        parent = self._repository.find(f"{self._tip}~1") if self._tip is not None else None
        published = self._published_in(parent, {}) if parent is not None else None
        if parent is None or published is None:
            raise UsageError(f"{self.name} has no earlier publication")
        blobs = {row.path: row.blob for row in self._repository.list_tree(parent)}
        listed = self._listed(blobs)
        files = {path: SiteFile(*listed[path], blobs[path]) for path in published.files}
        return SiteVersion(files, lambda path: self._contents([blobs[path]])[0], published.root, {})

    def _listed(self, blobs: Mapping[str, str]) -> dict[str, FileDigest]:
        listed: dict[str, FileDigest] = {}
        for data in self._contents([blobs[leaf] for leaf in all_leaf_files()]):
            listed |= parse_leaf(data)
        return listed


def _contents_of(
    publication: SiteVersion, changes: SiteChanges, progress: Progress
) -> Iterator[tuple[str, bytes | None]]:
    for path in changes.removed:
        yield path, None
    for number, path in enumerate(changes.written, 1):
        if number % 500 == 0:
            progress("writing files", number, len(changes.written))
        yield path, publication.read(path)
    yield from publication.added.items()


def _message(publication: SiteVersion) -> str:
    root = publication.root
    subject = f"Publish {root.commit[:12]}" if root.commit else "Publish a site without commits"
    return f"{subject}\n\nSequence: {root.sequence}\n"


def _some(paths: Mapping[str, str] | list[str]) -> str:
    names = sorted(paths)
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


def signature_now(name: str, email: str) -> Signature:
    """Return the signature of a commit made now, in UTC."""
    return Signature(name, email, int(time.time()))
