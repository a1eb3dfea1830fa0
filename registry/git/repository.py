"""One git repository: its refs, objects, index and work tree."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

from registry.errors import UnknownRevisionError, UsageError
from registry.git.blobs import Oversize, PendingBlobs
from registry.git.environment import git_python
from registry.git.error import GitError
from registry.git.index_file import IndexEntry, parse_entry
from registry.git.location import Location, locate
from registry.git.log import LogCommit, PendingLog, PendingLogs, iso_date, parse_log
from registry.git.mailmap import LARGEST_MAILMAP_BYTES, MAILMAP_PATH, Mailmap
from registry.git.order import CommitOrder, commit_order
from registry.git.path_log import PATH_LOG, PathLog, parse_path_log
from registry.git.process import Git
from registry.git.refs import HEADS, HIGH_WATER, SHORT_FOR, ambiguous_name, base_of
from registry.git.status import PendingStatus
from registry.runtime import cores

# Maximum number of paths in one command line.
_MOST_PATHS = 500
# With more processes, log readers wait for the history builder.
_MOST_LOGS = 4
# Git flushes its output after each commit by default: the reader would wake up for some hundred bytes.
_UNFLUSHED = {"GIT_FLUSH": "0"}
_LOG_FORMAT = "--format=%x00%H%x00%an%x00%ae%x00%ad%x00%B%x00"
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")

_TRAILER_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")


class TreeRow(NamedTuple):
    """One file of a commit: mode, blob id, path."""

    mode: str
    blob: str
    path: str


def open_repository(path: Path, *, in_hook: bool = False) -> "Repository | None":
    """Open the repository that contains `path`; None if there is none (or git is not installed).

    A bare repository is opened only if `path` is its folder. `in_hook`: the repository in which git runs the
    hook, including the objects of the push. Raises RefusedError for a git directory among the files of a work
    tree.
    """
    location = locate(path, in_hook=in_hook)
    return Repository(Git(location, in_hook=in_hook)) if location is not None else None


def init_repository(path: Path, *, bare: bool = False) -> "Repository":
    """Create a repository with the branch `main`."""
    git_python().Repo.init(path, expand_vars=False, initial_branch="main", bare=bare)
    found = open_repository(path)
    assert found is not None
    return found


class Conflict(NamedTuple):
    """Two commits that need a manual merge: the conflicting paths."""

    paths: tuple[str, ...]


class Repository:
    """One git repository, for one operation at a time; never shared between threads."""

    def __init__(self, git: Git) -> None:
        """Use `git` to run commands."""
        self._git = git
        self.registry_folder = ""
        """In a bare repository: where the registry lies in its commits, "" or "some/folder/"."""

    @property
    def top(self) -> Path | None:
        """The top folder of the work tree; None for a bare repository."""
        return self._git.location.top

    @property
    def location(self) -> Location:
        """The directories of the repository."""
        return self._git.location

    @property
    def is_bare(self) -> bool:
        """True when there is no work tree."""
        return self.top is None

    def prefix_of(self, root: Path) -> str:
        """Return the path of `root` within the repository: "" or "some/folder/"."""
        if self.top is None:
            return self.registry_folder
        try:
            relative = root.resolve().relative_to(self.top.resolve()).as_posix()
        except ValueError as error:
            raise GitError(
                f"{root} is not in the work tree of its repository, {self.top}",
                "git config --unset core.worktree",
            ) from error
        return "" if relative == "." else f"{relative}/"

    # Reading

    def head(self) -> str | None:
        """Return the commit of HEAD, or None if nothing is committed yet."""
        return self._verified("HEAD")[0]

    def resolve(self, revision: str) -> str:
        """Return the commit id of a revision (branch, tag, id, HEAD~2 …).

        Raises UsageError as `find` does, and UnknownRevisionError if there is no such revision.
        """
        name = self.find(revision)
        if name is None:
            hint = (
                "fetch it first: this is a shallow clone"
                if self.is_shallow()
                else "`git log --oneline` lists commits"
            )
            raise UnknownRevisionError(revision, hint)
        return name

    def find(self, revision: str) -> str | None:
        """Return the commit id of a revision, or None. Raises UsageError for a name of several refs."""
        if revision.startswith("refs/") and not self.is_ref(base_of(revision)):
            return None  # git would also try refs/tags/refs/…
        name, stderr = self._verified(revision)
        ambiguous = ambiguous_name(stderr)
        if ambiguous is not None and ambiguous != "HEAD" and not ambiguous.startswith("refs/"):
            raise self._ambiguity(ambiguous)
        return name

    def _verified(self, revision: str) -> tuple[str | None, str]:
        """Return the commit id that git finds, and its warnings."""
        words = ("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        status, output, stderr = self._git.query(*words, ok=(0, 1, 128))
        name = output.strip()
        return (name if status == 0 and _OBJECT_ID.match(name) else None), stderr

    def _ambiguity(self, name: str) -> UsageError:
        _, listing, _ = self._git.query(
            "for-each-ref", "--format=%(refname)", *(f"{start}{name}" for start in SHORT_FOR)
        )
        known = {f"{start}{name}" for start in SHORT_FOR}
        refs = [ref for ref in listing.splitlines() if ref in known]
        if len(refs) < 2:
            named = refs[0] if refs else "refs/heads/NAME"
            return UsageError(
                f"{name!r} could be a ref or an abbreviated object id", f"use the full object id, or {named}"
            )
        branch = next((ref for ref in refs if ref.startswith(HEADS)), refs[0])
        return UsageError(
            f"{name!r} is ambiguous: {', '.join(refs)}", f"name one in full, for example {branch}"
        )

    def is_ref(self, ref: str) -> bool:
        """True when there is a ref with exactly this full name (`refs/…`)."""
        return self._git.query("show-ref", "--verify", "--quiet", "--", ref, ok=(0, 1, 128))[0] == 0

    def commit_of(self, ref: str) -> str | None:
        """Return the commit id of the ref with exactly this full name, or None."""
        return self._verified(ref)[0] if self.is_ref(ref) else None

    def is_commit(self, name: str) -> bool:
        """True for the id of a commit, not for that of a tree."""
        return self._git.run_on_objects("cat-file", "-t", name).strip() == b"commit"

    def is_shallow(self) -> bool:
        """True for a shallow clone: older commits are not available here."""
        return (self._git.location.common_dir / "shallow").exists()

    def state_files(self) -> list[Path]:
        """Return the files that change with HEAD, its branch, the index or the clone depth.

        Some may be missing.
        """
        own, common = self._git.location.git_dir, self._git.location.common_dir
        found = [own / "HEAD", own / "logs/HEAD", own / "index", common / "packed-refs", common / "shallow"]
        ref = self.head_ref()
        return [*found, common / ref] if ref is not None else found

    def cut(self) -> str:
        """Return a digest of the boundary of a shallow clone; "" for a complete one."""
        try:
            data = (self._git.location.common_dir / "shallow").read_bytes()
        except FileNotFoundError:
            return ""
        return hashlib.blake2b(data, digest_size=8).hexdigest()

    def commit_time(self, commit: str) -> str:
        """Return the commit time of `commit`, ISO 8601 in UTC."""
        seconds = int(
            self._git.run_on_objects("log", "-1", "--format=%ct", "--end-of-options", commit).strip() or b"0"
        )
        return iso_date(seconds, "+0000")

    def list_tree(self, commit: str, prefix: str = "") -> Iterator[TreeRow]:
        """Yield every file of `commit` below `prefix` ("" or "folder/"), in git's order."""
        arguments = ["ls-tree", "-r", "-z", "--full-tree", commit, *(["--", prefix] if prefix else [])]
        for line in self._git.run_on_objects(*arguments).split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, _, blob = facts.decode().split(" ")
            yield TreeRow(mode, blob, os.fsdecode(path))

    def blobs_of_tree(self, commit: str) -> dict[str, str]:
        """Return the object ids of all files of `commit` by path: `list_tree` for very many files."""
        output = self._git.run_on_objects(
            "ls-tree", "-r", "-z", "--full-tree", "--format=%(objectname) %(path)", commit
        )
        rows = (row.partition(" ") for row in os.fsdecode(output).split("\0")[:-1])
        return {path: blob for blob, _, path in rows}

    def blobs_at(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """Return the blob ids of the `paths` (from the top) that are regular files in `commit`."""
        found = {}
        for start in range(0, len(paths), _MOST_PATHS):
            piece = paths[start : start + _MOST_PATHS]
            for line in self._git.run_on_objects("ls-tree", "-z", "--full-tree", commit, "--", *piece).split(
                b"\0"
            )[:-1]:
                facts, _, path = line.partition(b"\t")
                mode, _, blob = facts.decode().split(" ")
                if mode.startswith("100"):
                    found[os.fsdecode(path)] = blob
        return found

    def blobs_of(self, commit: str, path: str, *, at_most: int) -> list[str]:
        """Return the blobs that a file had in the history of `commit`, newest first; each change once."""
        words = ("log", "--format=", "--raw", "-z", "--no-abbrev", "--no-renames", f"--max-count={at_most}")
        output = self._git.run_on_objects(*words, "--end-of-options", commit, "--", path)
        rows = [row.split(b" ") for row in output.split(b"\0") if row.lstrip(b"\n").startswith(b":")]
        return [row[3].decode() for row in rows if row[1].startswith(b"100")]

    def objects_at(self, commits: Sequence[str], path: str) -> list[str]:
        """Return the object id at `path` in each commit, or another text if there is none."""
        return self.objects_at_places([(commit, path) for commit in commits])

    def objects_at_places(self, places: Sequence[tuple[str, str]]) -> list[str]:
        """Return the object of each commit and path (without line ends), as `objects_at`.

        Commits may be missing.
        """
        with tempfile.TemporaryFile() as stdin:
            stdin.write("".join(f"{commit}:{path}\n" for commit, path in places).encode())
            stdin.seek(0)
            return (
                self._git.run_on_objects("cat-file", "--batch-check=%(objectname)", stdin=stdin)
                .decode("utf-8", "replace")
                .splitlines()
            )

    def existing_objects(self, names: Iterable[str]) -> set[str]:
        """Return those of the object ids that the repository has."""
        with tempfile.TemporaryFile() as stdin:
            stdin.write("".join(f"{name}\n" for name in names).encode())
            stdin.seek(0)
            output = self._git.run_on_objects("cat-file", "--batch-check=%(objectname)", stdin=stdin)
        # The line of a missing one has a second word.
        return {line.decode() for line in output.splitlines() if b" " not in line}

    def read_blobs(self, blobs: Iterable[str], *, at_most: int) -> Iterator[tuple[str, bytes | Oversize]]:
        """Yield blob ids with contents, in the order given.

        For more than `at_most` bytes only the size is read. Raises GitError for a blob that git does not
        have.
        """
        wanted = list(blobs)
        if wanted:
            with self.begin_blobs(at_most=at_most) as pending:
                pending.ask(wanted)
                yield from pending.answers()

    def begin_blobs(self, *, at_most: int) -> PendingBlobs:
        """Start reading contents of at most `at_most` bytes each; blobs are requested later."""
        process = self._git.stream_on_objects("cat-file", "--buffer", "--batch-command", stdin=PIPE)
        return PendingBlobs(process, at_most, self._git.missing_hint)

    def largest_file(self, commit: str, folders: Sequence[str]) -> int:
        """Return the size in bytes of the largest file below `folders` ("some/folder/"); 0 if there is none.

        `folders` must not be empty: git would list the whole commit.
        """
        arguments = [
            "ls-tree",
            "-r",
            "-z",
            "--full-tree",
            "--format=%(objectsize)",
            commit,
            "--",
            *folders,
        ]
        sizes = [
            int(size) for size in self._git.run_on_objects(*arguments).split(b"\0")[:-1] if size.isdigit()
        ]
        return max(sizes, default=0)

    def mailmap(self, commit: str) -> Mailmap:
        """Return the author names of `.mailmap` in a commit; work tree and settings are ignored."""
        row = next(
            (
                row
                for row in self.list_tree(commit, MAILMAP_PATH)
                if row.path == MAILMAP_PATH and row.mode.startswith("100")
            ),
            None,
        )
        data = next(self.read_blobs([row.blob], at_most=LARGEST_MAILMAP_BYTES))[1] if row is not None else b""
        return Mailmap(data if isinstance(data, bytes) else b"")

    def empty_tree(self) -> str:
        """The id of the empty tree, which git knows in every repository."""
        return hashlib.new(self._git.location.object_format, b"tree 0\0", usedforsecurity=False).hexdigest()

    def newest_tag(self, commit: str, *, before: bool = False) -> str | None:
        """Return the nearest tag from `commit` back along first parents.

        With `before`, not a tag of `commit`.
        """
        start = f"{commit}^" if before and self.find(f"{commit}^") else commit
        words = ("describe", "--tags", "--abbrev=0", "--first-parent", start)
        return self._git.query(*words, ok=(0, 128))[1].strip() or None

    def commit_before(self, commit: str, seconds: int) -> str | None:
        """Return the newest commit along first parents before a time (seconds since 1970), or None."""
        listing = (
            self._git.run_on_objects("log", "--first-parent", "--format=%H %ct", "--end-of-options", commit)
            .decode()
            .split()
        )
        return next(
            (name for name, when in zip(listing[::2], listing[1::2], strict=True) if int(when) < seconds),
            None,
        )

    def find_trailer(self, commit: str, key: str, value: str, since: str | None = None) -> str | None:
        """Return the newest commit whose message has the trailer `key: value`, or None.

        Searches the commits reachable from `commit` and not from `since`.
        """
        if not _TRAILER_KEY.match(key):
            raise ValueError(f"{key!r} cannot be the key of a trailer")
        words = (
            "log",
            "-z",
            f"--format=%H%x1f%(trailers:key={key},valueonly,unfold,separator=%x1f)",
            commit,
            *([f"^{since}"] if since is not None else []),
        )
        for line in self._git.run_on_objects(*words).decode("utf-8", "replace").split("\0"):
            name, *values = line.strip("\n").split("\x1f")
            if value in values:
                return name
        return None

    def messages_with(
        self, line: str, commit: str, after: str | None = None, *, at_most: int
    ) -> list[tuple[int, str]]:
        """Return time (Unix time) and message of commits with a line that starts with `line`, oldest first.

        Of those in `commit` and not in `after`, the newest `at_most`.
        """
        words = ["log", "-z", f"--max-count={at_most}", f"--grep=^{line}", "--format=%ct%x1f%B"]
        words += [
            "--ignore-missing",
            "--end-of-options",
            commit,
            *([f"^{after}"] if after is not None else []),
        ]
        rows = self._git.run_on_objects(*words).decode("utf-8", "replace").split("\0")
        pairs = [row.partition("\x1f") for row in rows if row]
        return [(int(when), message) for when, _, message in reversed(pairs)]

    def order(self, commit: str, since: str | None = None) -> CommitOrder:
        """Return every commit reachable from `commit` and not from `since`, in reading order."""
        return commit_order(self._parents(commit, since), commit)

    def order_after(self, commit: str, since: str) -> CommitOrder | None:
        """Return the commits after `since`, if the order of `commit` starts with all commits of `since`.

        Returns None unless `since` is on the line of first parents of `commit`.
        """
        try:
            parents = self._parents(commit, since)
        except GitError:
            return None  # the commit no longer exists
        name = commit
        while above := parents.get(name):
            name = above.partition(" ")[0]
        # With wrong commit dates git may also list commits of `since`, down to the first commit.
        return commit_order(parents, commit) if name == since and all(parents.values()) else None

    def _parents(self, commit: str, since: str | None) -> dict[str, str]:
        """Return the parents, separated by blanks, of every commit in `commit` and not in `since`."""
        asked = ["rev-list", "--parents", "--end-of-options", commit, *([f"^{since}"] if since else [])]
        listing = self._git.run_on_objects(*asked, env=_UNFLUSHED).decode().splitlines()
        return {name: above for name, _, above in (line.partition(" ") for line in listing)}

    def path_between(self, old: str, new: str) -> list[str] | None:
        """Return the commits after `old` up to `new`, each the parent of the next.

        The result is None if `new` does not contain `old`. Follows first parents as long as these contain
        `old`, which may be on another parent after a merge.
        """
        if old == new:
            return []
        listing = (
            self._git.run_on_objects(
                "rev-list", "--parents", "--ancestry-path", "--end-of-options", new, f"^{old}"
            )
            .decode()
            .splitlines()
        )
        parents = {name: above.split() for name, _, above in (line.partition(" ") for line in listing)}
        found = []
        name = new
        while name != old:
            after = next((one for one in parents.get(name, ()) if one == old or one in parents), None)
            if after is None:
                return None
            found.append(name)
            name = after
        return found[::-1]

    def begin_log(self, order: CommitOrder, *paths: str) -> PendingLogs:
        """Start reading the commits that changed `paths` (files or folders), in the order given.

        Without `paths`, all commits with changes are read. Git finds renames among `paths` only.
        """
        return PendingLogs(partial(self._begin_piece, paths), order, min(cores(), _MOST_LOGS))

    def read_commit(self, name: str) -> LogCommit:
        """Return author, date and message of a commit; without its changes."""
        shown = self._git.run_on_objects(
            "log", "-1", "-z", "--no-patch", "--no-color", "--date=raw", _LOG_FORMAT, "--end-of-options", name
        )
        found = list(parse_log([shown]))
        if not found:
            raise GitError(f"git does not have the commit {name}")
        return found[0]

    def _begin_piece(self, paths: Sequence[str], lines: Sequence[str]) -> PendingLog:
        with tempfile.TemporaryFile() as wanted:
            wanted.write("".join(f"{line}\n" for line in lines).encode())
            wanted.seek(0)
            # The format of `git log --raw`, except for commits without changes there. Combined diffs list
            # only the files of a merge that differ from all parents: a merged change is reported once, in its
            # own commit, and changes by the merge itself are reported, too. A cache of this size is as fast
            # as one of 96 MB, and there are several.
            return PendingLog(
                self._git.stream_on_objects(
                    "-c",
                    "core.deltaBaseCacheLimit=16m",
                    "diff-tree",
                    "--stdin",
                    "-r",
                    "--root",
                    "-z",
                    "--raw",
                    "--no-abbrev",
                    "-M",
                    "--no-ext-diff",
                    "--no-textconv",
                    "-c",
                    "--combined-all-paths",
                    "--date=raw",
                    "--no-color",
                    _LOG_FORMAT,
                    *(["--", *paths] if paths else []),
                    stdin=wanted,
                    env=_UNFLUSHED,
                ),
                "diff-tree",
                self._git.missing_hint,
            )

    def path_log(self, commit: str, folder: str, paths: Sequence[str]) -> PathLog:
        """Return every commit reachable from `commit`, and those that changed `paths` or their folders.

        `folder` ("some/folder/") contains all `paths`, and only folders below it are reported. Takes about as
        long as `git log` of the paths: one traversal gives both. Raises GitError if git fails.
        """
        words = (*PATH_LOG, f"--relative={folder}", commit, "--", *paths)
        log = PendingLog(self._git.stream_on_objects(*words, env=_UNFLUSHED), "log", self._git.missing_hint)
        try:
            return parse_path_log(log.output(), commit, folder)
        finally:
            log.close()

    def index_entries(self, paths: Sequence[str]) -> list[IndexEntry]:
        """Return the index entries below `paths`."""
        rows = self._git.query("ls-files", "-z", "-s", "-v", "--", *paths)[1].split("\0")
        return [parse_entry(row) for row in rows if row]

    def tracks(self, folder: str) -> bool:
        """True when the index contains a file below `folder` (a path from the top), or that path itself."""
        return bool(self._git.query("ls-files", "-z", "--cached", "--", folder)[1])

    def changed_paths(self, folder: str) -> dict[str, str]:
        """Return paths below `folder` that differ from HEAD or are untracked, with git's status letters."""
        return self.begin_changed_paths(folder).paths()

    def begin_changed_paths(self, *paths: str) -> PendingStatus:
        """Start checking `paths` (files or folders) for changes: git checks every file there."""
        return PendingStatus(
            self._git.stream(
                "status",
                "--porcelain=v1",
                "-z",
                "--untracked-files=all",
                "--no-renames",
                "--ignore-submodules=dirty",  # git would run `git status` in them, with their own settings
                "--",
                *paths,
            )
        )

    def files_with(
        self, patterns: Sequence[str], folders: Sequence[str], tree: str | None = None
    ) -> set[str]:
        """Return the files below `folders` that match one of `patterns` (extended regular expressions).

        Searches `tree` (a commit or tree id), or the work tree including untracked files.
        """
        words = [word for pattern in patterns for word in ("-e", pattern)]
        # `--text`: with `-I` an attribute `-diff` would exclude a file.
        asked = ("grep", "-l", "-z", "-E", "--no-textconv", "--text", "--no-recurse-submodules", *words)
        if tree is not None:
            output = self._git.run_on_objects(*asked, tree, "--", *folders, ok=(0, 1))
        else:
            output = self._git.run(*asked, "--untracked", "--", *folders, ok=(0, 1))
        return {os.fsdecode(path).removeprefix(f"{tree}:") for path in output.split(b"\0") if path}

    # Branches and merges

    def head_ref(self) -> str | None:
        """Return the full name of the ref of HEAD, or None if it is detached."""
        return self._git.query("symbolic-ref", "--quiet", "HEAD", ok=(0, 1, 128))[1].strip() or None

    def symbolic_refs(self) -> dict[str, str]:
        """Return the symbolic refs with the full names of their targets."""
        listing = self._git.query("for-each-ref", "--format=%(refname) %(symref)")[1].splitlines()
        return {ref: target for ref, _, target in (line.partition(" ") for line in listing) if target}

    def branches(self) -> list[str]:
        """Return the full names of all branches."""
        return self._git.query("for-each-ref", "--format=%(refname)", HEADS)[1].splitlines()

    def remote_address(self, name: str) -> str:
        """Return the address of a remote as it is configured in this repository, or ""."""
        found = self.run_for_remote("config", "--local", "--get", f"remote.{name}.url", ok=range(256))
        return found[1].strip() if found[0] == 0 else ""

    def hooks_path(self) -> str | None:
        """Return the folder in `core.hooksPath`, which replaces the default hooks folder, or None."""
        for scope in ("--local", "--global", "--system"):
            status, output, _ = self.run_for_remote("config", scope, "--get", "core.hooksPath", ok=range(256))
            if status == 0 and output.strip():
                return output.strip()
        return None

    def branch(self) -> str | None:
        """Return the branch of HEAD without `refs/heads/`, or None if it is detached."""
        ref = self.head_ref()
        return ref.removeprefix(HEADS) if ref is not None and ref.startswith(HEADS) else None

    def upstream(self, branch: str, remote: str) -> str | None:
        """Return the branch of `remote` that `branch` tracks, without `refs/heads/`, or None."""
        words = (
            "for-each-ref",
            "--format=%(upstream:remotename)%00%(upstream:remoteref)",
            f"{HEADS}{branch}",
        )
        for line in self._git.query(*words)[1].splitlines():
            name, _, ref = line.partition("\0")
            if name == remote and ref.startswith(HEADS):
                return ref.removeprefix(HEADS)
        return None

    def is_ancestor(self, older: str, newer: str) -> bool:
        """True when `newer` contains the whole history of `older`."""
        try:
            self._git.run_on_objects("merge-base", "--is-ancestor", older, newer)
        except GitError:
            return False
        return True

    def common_ancestor(self, one: str, other: str) -> str | None:
        """Return the best available common ancestor of two commits, or None."""
        return self._git.run_on_objects("merge-base", one, other, ok=(0, 1)).decode().strip() or None

    def merge(self, ours: str, theirs: str) -> str | Conflict:
        """Merge two commits without a checkout; returns the tree or the conflict."""
        self._git.write_objects_elsewhere()
        output = self._git.run_on_objects(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, ok=(0, 1)
        )
        tree, *paths = output.rstrip(b"\0").split(b"\0")
        return Conflict(tuple(os.fsdecode(path) for path in paths)) if paths else tree.decode()

    def changes(self, old: str, new: str, folder: str) -> dict[str, tuple[str | None, str | None]]:
        """Return paths below `folder` that differ between two commits or trees, with blobs before and after.

        None as a blob means that there is no file.
        """
        output = self._git.run_on_objects(
            "diff-tree",
            "-r",
            "-z",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            old,
            new,
            "--",
            folder,
        )
        parts = output.split(b"\0")[:-1]
        found = {}
        for facts, path in zip(parts[::2], parts[1::2], strict=True):
            old_mode, new_mode, old_blob, new_blob, _ = facts.decode().lstrip(":").split(" ")
            found[os.fsdecode(path)] = (
                old_blob if old_mode.startswith("100") else None,
                new_blob if new_mode.startswith("100") else None,
            )
        return found

    def note_high_water(self, commit: str) -> None:
        """Store the remote's high-water commit locally."""
        self._git.run("update-ref", HIGH_WATER, commit)

    def run_for_remote(self, *arguments: str, ok: Sequence[int] = (0,)) -> tuple[int, str, str]:
        """Run git with the user's settings: credentials, proxies, addresses.

        Returns status, output and errors.
        """
        return self._git.run_for_remote(*arguments, ok=ok)

    def run_for_remote_within(
        self, limit_s: float, *arguments: str, settings: Sequence[tuple[str, str]] = ()
    ) -> tuple[int | None, str, str]:
        """As `run_for_remote`, with a time limit: the status is None when it is over."""
        return self._git.run_for_remote_within(limit_s, *arguments, settings=settings)


def as_pattern(text: str) -> str:
    """Return an extended regular expression for `files_with` that matches this text.

    Git searches line by line, and a newline in a pattern starts another one. For a text with control
    characters (possible in file names) the longest part without any is used, which matches at least the files
    with the text.
    """
    part = max(re.split(r"[\x00-\x1f\x7f]", text), key=len)
    return re.sub(r"[][\\.^$*+?(){}|]", lambda match: f"\\{match.group()}", part)
