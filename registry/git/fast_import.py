"""Commits through one running `git fast-import`: a batch is one pack with its index, synced to the disk.

Git writes and verifies all objects. One process serves many batches: it keeps the trees of the last commit in
memory, so that a commit costs time only for the folders that it changes (git-fast-import(1)).
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry.git.environment import SYNCED
from registry.git.error import GitWriteError, WriteFailure
from registry.git.process import Git
from registry.git.running import RunningGit

# By default, objects of a small batch become loose: a file for each of them.
_SETTINGS = (*SYNCED, ("fastimport.unpackLimit", "0"), ("pack.threads", "1"))
_OBJECT_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_ZONE = re.compile(r"[+-]\d{4}\Z")
# Git removes these from names and addresses, too: they would end the field (git-commit-tree(1)).
_ENDS_A_FIELD = re.compile(r"[<>\n\r\0]")
_FILE_MODE = "100644"
_LONGEST_CLOSE_S = 30.0


class Signature(NamedTuple):
    """Who and when: name, e-mail address, seconds since 1970, and the offset from UTC as `+hhmm`."""

    name: str
    email: str
    seconds: int
    zone: str = "+0000"


class CommitSpec(NamedTuple):
    """One commit to be written: message, author, committer, and the changed files.

    `changes` has the new contents by path from the top of the repository; None deletes the file. A changed
    file becomes a regular file without the executable bit.
    """

    message: str | bytes
    author: Signature
    committer: Signature
    changes: Mapping[str, bytes | None]


class FastImport:
    """One running `git fast-import`. All its packs have a `.keep` file until it ends."""

    def __init__(self, git: Git, ref: str, pass_fds: Sequence[int] = ()) -> None:
        """Start the process, which writes batches onto `ref`. It inherits `pass_fds`.

        Raises OSError when it cannot start.
        """
        self._ref = ref
        self._marks = 0
        words = ("fast-import", "--quiet", "--done", "--force", "--date-format=raw")
        self._running = RunningGit(
            git.start(*words, settings=_SETTINGS, pass_fds=pass_fds), "git fast-import"
        )
        self.batches = 0

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._running.pid

    @property
    def has_ended(self) -> bool:
        """True when the process has ended, for whatever reason."""
        return self._running.has_ended

    def send(self, base: str, commits: Sequence[CommitSpec], limit_s: float) -> range:
        """Send commits, the first on top of `base`, each other on top of the previous; returns their marks.

        Raises ValueError, before anything is sent, for a path or signature that git would not accept,
        GitWriteError when git has ended or does not read within `limit_s`.
        """
        parts, marks = _blobs(commits, self._marks + 1)
        first = self._marks + 1 + len(marks)
        for mark, spec in enumerate(commits, first):
            parent = base if mark == first else f":{mark - 1}"
            blobs = {
                path: marks[mark - first, path] for path, data in spec.changes.items() if data is not None
            }
            parts += _commit(self._ref, mark, parent, spec, blobs)
        self._marks = first + len(commits) - 1
        self._running.exchange(b"".join(parts), 0, limit_s)
        return range(first, first + len(commits))

    def checkpoint(self, marks: range, limit_s: float) -> list[str]:
        """Finish the pack of the batch and set the ref; returns the ids of the commits `marks`.

        Raises GitWriteError when git has ended or takes longer than `limit_s`.
        """
        questions = "".join(f"get-mark :{mark}\n" for mark in marks)
        answers = self._running.exchange(
            f"checkpoint\n\n{questions}progress done\n".encode(), len(marks) + 1, limit_s
        )
        ids = answers[:-1]
        if answers[-1] != b"progress done" or not all(map(_OBJECT_ID.match, ids)):
            self.kill()
            raise GitWriteError("git fast-import: unexpected answer", WriteFailure.OTHER)
        self.batches += 1
        return [name.decode() for name in ids]

    def errors(self) -> str:
        """Return git's error output so far."""
        return self._running.errors()

    def close(self) -> None:
        """End the process in order: it removes the `.keep` files of its packs."""
        self._running.finish(b"done\n", _LONGEST_CLOSE_S)

    def kill(self) -> None:
        """End the process at once. Its `.keep` and temporary files remain."""
        self._running.kill()


def _blobs(commits: Sequence[CommitSpec], first: int) -> tuple[list[bytes], Mapping[tuple[int, str], int]]:
    """Return the contents of commits, and their marks by number of the commit and path.

    Git stores a content as a delta of the one that was sent before it. So those of one path follow each
    other: most commits add a line to the same file.
    """
    by_path: dict[str, list[tuple[int, bytes]]] = {}
    for number, spec in enumerate(commits):
        for path, data in spec.changes.items():
            if data is not None:
                by_path.setdefault(path, []).append((number, data))
    parts: list[bytes] = []
    marks: dict[tuple[int, str], int] = {}
    for path, contents in by_path.items():
        for number, data in contents:
            mark = marks[number, path] = first + len(marks)
            parts += [f"blob\nmark :{mark}\ndata {len(data)}\n".encode(), data, b"\n"]
    return parts, marks


def _commit(ref: str, mark: int, parent: str, spec: CommitSpec, blobs: Mapping[str, int]) -> list[bytes]:
    """Return one commit; `blobs` are the marks of its contents by path."""
    message = spec.message.encode() if isinstance(spec.message, str) else spec.message
    if b"\0" in message:
        raise ValueError("a commit message cannot contain NUL")
    parts = [
        f"commit {ref}\nmark :{mark}\nauthor {signature_line(spec.author)}\n"
        f"committer {signature_line(spec.committer)}\ndata {len(message)}\n".encode(),
        message,
        f"\nfrom {parent}\n".encode(),
    ]
    # Deletions first: a folder can take the place of a file of the same name.
    parts += [b"D " + quoted_path(path) + b"\n" for path, data in spec.changes.items() if data is None]
    parts += [f"M {_FILE_MODE} :{blob} ".encode() + quoted_path(path) + b"\n" for path, blob in blobs.items()]
    return [*parts, b"\n"]


def signature_line(signature: Signature) -> str:
    """Return name, address and time as the value of `author` and `committer`.

    Raises ValueError for a time that git cannot store.
    """
    if signature.seconds < 0 or not _ZONE.match(signature.zone):
        raise ValueError(f"git cannot store the time {signature.seconds} {signature.zone}")
    name = _ENDS_A_FIELD.sub("", signature.name).strip() or "unknown"
    return f"{name} <{_ENDS_A_FIELD.sub('', signature.email).strip()}> {signature.seconds} {signature.zone}"


def quoted_path(path: str) -> bytes:
    """Return a path in quotes. Raises ValueError for one that no commit can have."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise ValueError(f"{path!r} cannot be a path in a commit")
    quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"' + quoted.encode("utf-8", "surrogateescape") + b'"'
