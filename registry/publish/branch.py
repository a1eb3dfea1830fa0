"""Publish to a branch: a commit on top of it, as GitHub Pages and GitLab Pages show branches."""

from __future__ import annotations

import time
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

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
    Root,
    all_leaf_files,
    read_tree,
)
from registry.publish.site_files import SiteFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from registry.git import Repository
    from registry.git.branch_import import Content
    from registry.progress import Progress

# Files that hosts read from the branch, and that the site does not contain.
_OF_HOSTS = frozenset({"CNAME", ".nojekyll"})
_MOST_BYTES = 100 * 1024 * 1024
_REMOTE_LIMIT_S = 1800.0
_MOST_NAMED = 3
# Commits by hand, such as a new CNAME, between two publications.
_MOST_COMMITS_BACK = 20


class _Tree(NamedTuple):
    """A commit of the branch: its root, the digests in its leaves, and its blobs, by path."""

    root: Root
    listed: Mapping[str, FileDigest]
    blobs: Mapping[str, str]


class BranchDestination:
    """`git:BRANCH`, in the registry's own repository or, with a remote, there."""

    def __init__(self, repository: Repository, branch: str, remote: str | None, who: Signature) -> None:
        """Raises UsageError for an invalid branch or an unknown remote."""
        self._repository = repository
        self._ref = branch_ref(branch)
        self._remote = Remote(repository, remote) if remote is not None else None
        self._who = who
        self.name = f"the branch {branch} of {remote}" if remote is not None else f"the branch {branch}"
        if remote is None and repository.head_ref() == self._ref:
            raise UsageError(f"{self.name} is checked out here", "publish to another branch")

    @cached_property
    def _tip(self) -> str | None:
        """The commit of the branch when it was first read: what is published is a commit on top of it."""
        if self._remote is not None:
            return self._remote.fetch_refs([self._ref], _REMOTE_LIMIT_S)[self._ref]
        return self._repository.commit_of(self._ref)

    def published(self, files: Mapping[str, SiteFile]) -> PublishedSite | None:
        """Return what the branch has; see `Destination`."""
        tree = self._tree_of(self._tip) if self._tip is not None else None
        if tree is None:
            return None
        unknown = FileDigest("", 0)  # edited by hand: written again
        found = {}
        for path in tree.listed.keys() & tree.blobs.keys():
            one = files.get(path)
            found[path] = one.digest if one is not None and one.blob == tree.blobs[path] else unknown
        return PublishedSite(tree.root, found, self._content(tree.blobs.get(SIGNATURE_FILE)))

    def _tree_of(self, commit: str) -> _Tree | None:
        """Return what a commit has; None if it only has files of hosts."""
        blobs = self._repository.blobs_of_tree(commit)
        own = [path for path in blobs if path not in _OF_HOSTS]
        if not own:
            return None
        if ROOT_FILE not in blobs:
            raise self._foreign(own)
        wanted = [blob for path in (ROOT_FILE, *all_leaf_files()) if (blob := blobs.get(path))]
        contents = dict(self._repository.read_blobs(wanted, at_most=_MOST_BYTES))

        def read(path: str) -> bytes | None:
            data = contents.get(blobs.get(path, ""))
            return data if isinstance(data, bytes) else None

        try:
            root, listed = read_tree(read)
        except InvalidTreeError as error:
            raise RefusedError(f"{self.name}: {error}", "publish to another branch") from error
        foreign = [path for path in own if path not in listed and not path.startswith(f"{ADDED_FOLDER}/")]
        if foreign:
            raise self._foreign(foreign)
        return _Tree(root, listed, blobs)

    def _foreign(self, paths: Sequence[str]) -> RefusedError:
        names = sorted(paths)
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        return RefusedError(
            f"{self.name} contains files that `registry publish` did not write: "
            f"{', '.join(names[:_MOST_NAMED])}{more}",
            "remove them from the branch, or publish to another one",
        )

    def _content(self, blob: str | None) -> bytes | None:
        if blob is None:
            return None
        (_, data), *_ = self._repository.read_blobs([blob], at_most=_MOST_BYTES)
        return data if isinstance(data, bytes) else None

    def publish(self, publication: SiteVersion, changes: SiteChanges, progress: Progress) -> None:
        """Add a commit and move the branch from the value that was compared; see `Destination`."""
        commit = import_commit(
            self._repository,
            self._ref,
            self._tip,
            self._contents(publication, changes, progress),
            _message(publication),
            self._who,
        )
        if self._remote is not None:
            self._push(self._remote, commit, progress)
        elif not move_branch(self._repository, self._ref, commit, self._tip):
            raise RefusedError(f"{self.name} has moved since it was read", "publish again")

    def _contents(
        self, publication: SiteVersion, changes: SiteChanges, progress: Progress
    ) -> Iterator[tuple[str, Content]]:
        """Yield the changes. What an interrupted publication wrote, or an earlier one, is not sent again."""
        for path in changes.removed:
            yield path, None
        blobs = {path: publication.files[path].blob for path in changes.written}
        existing = self._repository.existing_objects(set(blobs.values()))
        for number, (path, blob) in enumerate(blobs.items(), 1):
            if number % 500 == 0:
                progress("writing files", number, len(changes.written))
            yield path, blob if blob in existing else publication.content(path)
        # A signature of the state before would not fit.
        yield SIGNATURE_FILE, None
        yield from publication.added.items()

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
        """Return the last publication before the present one; see `Destination`.

        A commit that was made by hand on top of a publication is part of it.
        """
        present = self._tree_of(self._tip) if self._tip is not None else None
        for number in range(1, _MOST_COMMITS_BACK + 1):
            commit = self._repository.find(f"{self._tip}~{number}") if present is not None else None
            tree = self._tree_of(commit) if commit is not None else None
            if present is None or tree is None:
                break
            if tree.root.sequence != present.root.sequence:
                files = {path: SiteFile(tree.listed[path], tree.blobs[path]) for path in tree.listed}
                return SiteVersion(files, partial(self._content_at, tree.blobs), tree.root, {})
        raise UsageError(f"{self.name} has no earlier publication")

    def _content_at(self, blobs: Mapping[str, str], path: str) -> bytes:
        return self._content(blobs[path]) or b""


def _message(publication: SiteVersion) -> str:
    root = publication.root
    subject = f"Publish {root.commit[:12]}" if root.commit else "Publish a site without commits"
    return f"{subject}\n\nSequence: {root.sequence}\n"


def signature_now(name: str, email: str) -> Signature:
    """Return the signature of a commit made now, in UTC."""
    return Signature(name, email, int(time.time()))
