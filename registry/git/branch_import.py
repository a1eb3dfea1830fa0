"""Write a commit with many files to a branch through `git fast-import`, without a work tree."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, TYPE_CHECKING

from registry.git.environment import SYNCED
from registry.git.error import GitError, first_line
from registry.git.fast_import import quoted_path, signature_line
from registry.git.process import Git
from registry.git.ref_transaction import Published, RefTransactions
from registry.git.refs import HEADS, RefUpdate
from registry.git.running import kill_group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.git.fast_import import Signature
    from registry.git.repository import Repository

_WORK_REF = "refs/registry/publishing/"
_SETTINGS = (*SYNCED, ("fastimport.unpackLimit", "1"))
_MOVE_LIMIT_S = 30.0


def import_commit(
    repository: Repository,
    branch: str,
    base: str | None,
    changes: Iterable[tuple[str, bytes | None]],
    message: str,
    who: Signature,
) -> str:
    """Return a new commit on top of `base` (None: without a parent), which no branch names yet.

    `changes` has contents by path (None: delete); it is consumed while git writes, so it can be larger than
    the memory. `branch` is a full name, used for a temporary ref. Raises GitError, and ValueError for
    a path that no commit can have.
    """
    ref = f"{_WORK_REF}{branch.removeprefix(HEADS)}"
    words = ("fast-import", "--quiet", "--done", "--force", "--date-format=raw")
    process = Git(repository.location).start(*words, settings=_SETTINGS)
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError):  # git's own words say why it ended
            _send(process.stdin, ref, base, changes, message, who)
        output, errors = process.communicate()
    except BaseException:
        kill_group(process)
        process.communicate()
        raise
    commit = output.decode("ascii", "replace").strip()
    if process.returncode or not commit:
        raise GitError(f"git fast-import failed: {first_line(errors.decode('utf-8', 'replace'))}")
    with suppress(GitError):
        Git(repository.location).run("update-ref", "-d", ref)
    return commit


def move_branch(repository: Repository, branch: str, new: str, old: str | None) -> bool:
    """Set a branch (full name) to a commit if it is at `old` (None: does not exist); False if it is not.

    Git has a process group of its own: killing this program's does not leave a lock. Raises GitError.
    """
    transactions = RefTransactions(Git(repository.location), "registry", command="registry publish")
    try:
        moved = transactions.move([RefUpdate(branch, new, old)], _MOVE_LIMIT_S)
    finally:
        transactions.close()
    if moved.outcome is Published.LOCKED:
        raise GitError(
            f"{branch} is locked: {moved.lock} exists", "remove the file if no other git process is running"
        )
    if moved.outcome is Published.FAILED:
        raise GitError(f"{branch} could not be moved: {moved.message}")
    return moved.outcome is Published.MOVED


def _send(
    pipe: IO[bytes],
    ref: str,
    base: str | None,
    changes: Iterable[tuple[str, bytes | None]],
    message: str,
    who: Signature,
) -> None:
    text = message.encode()
    committer = signature_line(who)
    pipe.write(f"commit {ref}\nmark :1\ncommitter {committer}\ndata {len(text)}\n".encode() + text + b"\n")
    if base is not None:
        pipe.write(f"from {base}\n".encode())
    for path, data in changes:
        place = quoted_path(path)
        if data is None:
            pipe.write(b"D " + place + b"\n")
        else:
            pipe.write(b"M 100644 inline " + place + b"\ndata %d\n" % len(data))
            pipe.write(data)
            pipe.write(b"\n")
    pipe.write(b"\nget-mark :1\ndone\n")
    pipe.flush()
