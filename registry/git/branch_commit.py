"""Write a commit from the contents of files, and move a branch to it with the index and the work tree."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from registry.git.error import GitError
from registry.git.process import Git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from registry.git.refs import RefUpdate
    from registry.git.repository import Repository

# Exists while a branch has moved and the work tree has not yet; names the previous commit. One per work tree.
_UNFINISHED = "refs/worktree/registry-index"


def make_commit(
    repository: Repository,
    parent: str | None,
    files: Mapping[str, bytes | None],
    message: str,
    author: tuple[str, str],
    when: int | None = None,
) -> str:
    """Create a commit on top of `parent` in which `files` (by path from the top) have these bytes.

    None removes a file. `parent` None: the first commit of a branch.

    Returns the commit's id. Only objects are written. No branch, index or work tree refers to them, so an
    interrupted run needs no cleanup. `author` is name and e-mail address, `when` seconds since 1970
    (None: now).
    """
    git = Git(repository.location)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = {"GIT_INDEX_FILE": str(folder / "index")}
        base = parent or repository.empty_tree()
        git.run("read-tree", "--no-sparse-checkout", base, env=index)
        modes = {row.path: row.mode for row in repository.list_tree(base)}
        written = {path: data for path, data in files.items() if data is not None}
        blobs = dict(zip(written, _write_blobs(git, list(written.values()), folder), strict=True))
        removed = f"0 {'0' * len(base)}\t"
        listing = b"".join(
            (f"{modes.get(path, '100644')} {blobs[path]}\t" if path in blobs else removed).encode()
            + os.fsencode(path)
            + b"\0"
            for path in files
        )
        (folder / "listing").write_bytes(listing)
        with (folder / "listing").open("rb") as stdin:
            git.run("update-index", "-z", "--index-info", env=index, stdin=stdin)
        tree = git.run("write-tree", env=index).decode().strip()
        (folder / "message").write_text(message, encoding="utf-8")
        return (
            git.run(
                "commit-tree",
                tree,
                *(["-p", parent] if parent is not None else []),
                "-F",
                str(folder / "message"),
                env=_as(author, when),
            )
            .decode()
            .strip()
        )


def _write_blobs(git: Git, contents: Sequence[bytes], folder: Path) -> list[str]:
    paths = []
    for number, data in enumerate(contents):
        paths.append(folder / f"blob-{number}")
        paths[-1].write_bytes(data)
    (folder / "blobs").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    with (folder / "blobs").open("rb") as stdin:
        return git.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=stdin).decode().split()


def advance(
    repository: Repository,
    updates: Sequence[RefUpdate],
    author: tuple[str, str],
    moved: Callable[[], None] = lambda: None,
) -> bool:
    """Move all refs in one transaction if they still have their old values, or none.

    The first is the branch, or HEAD if it is detached. If HEAD is on it, index and work tree are updated
    then. Returns False, without changes, when one of the refs has another value. Uncommitted changes are
    kept; if they or a lock conflict with the update, nothing changes. `moved` is called between the two
    steps.

    Raises GitError when a ref or the index is locked, or files cannot be written.
    """
    git = Git(repository.location)
    ref, commit, expected = updates[0]
    checked_out = not repository.is_bare and ref in (repository.head_ref(), "HEAD")
    before = expected or repository.empty_tree()
    if checked_out:
        try:
            _check_out(git, before, commit, "--dry-run")
        except GitError as error:
            raise GitError(
                f"the files here cannot be updated, and nothing was changed: {error.message}",
                "commit or stash what is in the way; remove a .lock file if no other git process is running",
            ) from error
    changes = [(one.ref, one.new, one.old or "0" * len(one.new)) for one in updates]
    if checked_out and expected:
        # In the same transaction: a later process knows that the files may be outdated.
        changes.append((_UNFINISHED, expected, ""))
    try:
        _update_refs(git, changes, author)
    except GitError as error:
        if any(repository.find(one.ref) != one.old for one in updates):
            return False
        raise GitError(
            f"{ref} could not be moved, and nothing was changed: {error.message}",
            "if no other git process is running, remove the .lock file that is named",
        ) from error
    moved()
    if checked_out:
        _follow(git, before, commit)
    return True


def finish_advance(repository: Repository) -> None:
    """Update index and work tree after an `advance` that was interrupted after moving the branch."""
    before, head = repository.find(_UNFINISHED), repository.head()
    if before is not None and head is not None and not repository.is_bare:
        _follow(Git(repository.location), before, head)


def _follow(git: Git, before: str, commit: str) -> None:
    try:
        _check_out(git, before, commit)
    except GitError as error:
        raise GitError(
            f"the branch is at {commit[:12]}, but the files here could not be updated: {error.message}",
            "git checkout HEAD -- definitions registry.yaml, in the folder of the registry",
        ) from error
    # packed-refs is locked: the update is complete, and the next run removes the ref
    with suppress(GitError):
        git.run("update-ref", "-d", _UNFINISHED)


def _check_out(git: Git, before: str, commit: str, *options: str) -> None:
    """Update index and work tree from one commit to another, as a fast-forward does."""
    # Refresh first: read-tree would treat a file with only a new timestamp as changed.
    git.run("update-index", "--refresh", "--ignore-submodules", ok=(0, 1))
    git.run("read-tree", "-m", "-u", *options, before, commit)


def _update_refs(git: Git, changes: Iterable[tuple[str, str, str]], author: tuple[str, str]) -> None:
    """Update refs with their new and old values ("": any), all of them or none."""
    with tempfile.TemporaryFile() as stdin:
        for ref, new, old in changes:
            no_deref = "option no-deref\0" if ref == "HEAD" else ""
            stdin.write(f"{no_deref}update {ref}\0{new}\0{old}\0".encode())
        stdin.seek(0)
        git.run("update-ref", "-z", "-m", "registry index", "--stdin", env=_as(author), stdin=stdin)


def _as(author: tuple[str, str], when: int | None = None) -> dict[str, str]:
    name, email = author
    found = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    return (
        found
        if when is None
        else found | {"GIT_AUTHOR_DATE": f"@{when} +0000", "GIT_COMMITTER_DATE": f"@{when} +0000"}
    )
