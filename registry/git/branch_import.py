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
# Contents up to here stay in the repository after an interruption.
_CHECKPOINT_BYTES = 64 * 1024 * 1024

Content = bytes | str | None
"""New content of a file, the id of a blob that the repository has, or None to delete the file."""


def import_commit(
    repository: Repository,
    branch: str,
    base: str | None,
    changes: Iterable[tuple[str, Content]],
    message: str,
    who: Signature,
) -> str:
    """Return a new commit on top of `base` (None: without a parent), which no branch names yet.

    `changes` has contents by path; it is consumed while git writes, so it can be larger than the memory.
    After an interruption, most contents that were written are blobs of the repository. `branch` is a full
    name, used for a temporary ref. Raises GitError, and ValueError for a path that no commit can have.
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
    changes: Iterable[tuple[str, Content]],
    message: str,
    who: Signature,
) -> None:
    lines = _send_blobs(pipe, changes)
    text = message.encode()
    committer = signature_line(who)
    pipe.write(f"commit {ref}\nmark :1\ncommitter {committer}\ndata {len(text)}\n".encode() + text + b"\n")
    if base is not None:
        pipe.write(f"from {base}\n".encode())
    pipe.writelines(lines)
    pipe.write(b"\nget-mark :1\ndone\n")
    pipe.flush()


def _send_blobs(pipe: IO[bytes], changes: Iterable[tuple[str, Content]]) -> list[bytes]:
    """Send contents, and return the lines of the commit that name them."""
    lines = []
    unsaved = 0
    for mark, (path, content) in enumerate(changes, 2):
        place = quoted_path(path)
        if content is None:
            lines.append(b"D %b\n" % place)
        elif isinstance(content, str):
            lines.append(b"M 100644 %b %b\n" % (content.encode(), place))
        else:
            pipe.write(b"blob\nmark :%d\ndata %d\n" % (mark, len(content)))
            pipe.write(content)
            pipe.write(b"\n")
            lines.append(b"M 100644 :%d %b\n" % (mark, place))
            unsaved += len(content)
            if unsaved > _CHECKPOINT_BYTES:
                pipe.write(b"checkpoint\n\n")
                unsaved = 0
    return lines
