"""Sources of files: the work tree, or a commit (read from git objects without a checkout)."""

import hashlib
from pathlib import Path

from registry.errors import UsageError
from registry.git import open_repository, refuse_embedded
from registry.load.commit_files import Commit
from registry.load.source_files import EntryType, FileTooLargeError, Source, SourceEntry
from registry.load.work_tree import WorkTree

__all__ = [
    "Commit",
    "EntryType",
    "FileTooLargeError",
    "Source",
    "SourceEntry",
    "WorkTree",
    "blob_id",
    "open_source",
]


def open_source(root: Path, revision: str = "worktree") -> WorkTree | Commit:
    """Open the work tree at `root`, or the commit that `revision` names in its repository."""
    if not root.is_dir():
        raise UsageError(
            f"{root} is not a folder", "use --registry to name the folder that contains `definitions/`"
        )
    refuse_embedded(root)
    if revision == "worktree":
        work_tree = WorkTree(root)
        _ = work_tree.submodules  # refuses a sparse checkout before anything is read
        if not (root / "definitions").is_dir():
            _explain_missing_definitions(root)
        return work_tree
    repository = open_repository(root)
    if repository is None:
        raise UsageError(
            f"{root} is not in a git repository, so there is no commit {revision!r}", "omit --source"
        )
    return Commit(root, repository, repository.resolve(revision))


def _explain_missing_definitions(root: Path) -> None:
    repository = open_repository(root)
    if repository is not None and repository.is_bare:
        raise UsageError(
            f"{root} is a bare repository: it has no work tree", "name a commit, as in --source HEAD"
        )
    raise UsageError(
        f"{root} has no folder `definitions`",
        "create a registry with `registry init DIR`, or name one with --registry",
    )


def blob_id(data: bytes, like: str | None = None) -> str:
    """Return git's id for a file with these bytes.

    The hash is SHA-256 if `like`, an id of the same repository, is SHA-256.
    """
    algorithm = hashlib.sha256 if like is not None and len(like) == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
