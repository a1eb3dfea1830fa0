"""The only module that runs git: one wrapper around GitPython with a cleaned environment."""

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from registry.errors import RegistryError, UsageError

if TYPE_CHECKING:
    import git

_TIMEOUT_S = 60
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")

# A repository may be hostile: nothing that its configuration names is run, and no user's settings change what we
# read. `core.quotePath` and friends do not matter: every listing is asked for with -z.
_OPTIONS = (
    "--no-pager", "--literal-pathspecs", "--no-optional-locks", "--no-replace-objects",
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false",
    "-c", "diff.external=", "-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8",
    "-c", "commit.gpgSign=false", "-c", "core.commitGraph=true", "-c", "protocol.allow=never",
    "-c", "gc.auto=0", "-c", "maintenance.auto=false",
)  # fmt: skip


class TreeRow(NamedTuple):
    """One file of a commit: mode, blob id, path."""

    mode: str
    blob: str
    path: str


class Row(NamedTuple):
    """One changed path of one commit, as `git log --raw` has it.

    `old_path` is the path before (other than `path` for a rename), `old_blob` and `blob` are None for "no file".
    """

    status: str
    old_path: str
    path: str
    old_blob: str | None
    blob: str | None


class LogCommit(NamedTuple):
    """One commit with its changed paths; `date` is the author's, ISO 8601 with the author's offset."""

    commit: str
    parents: tuple[str, ...]
    author: str
    date: str
    message: str
    rows: tuple[Row, ...]


class GitError(RegistryError):
    """Git could not do what was asked."""


def _git_python() -> Any:
    """GitPython, imported when first needed (0.1 s), and never by its own check for git (which raises ImportError)."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        # GIT_DIR and its like, set while a hook runs, would point every command elsewhere.
        del os.environ[name]
    os.environ["GIT_PYTHON_REFRESH"] = "quiet"
    if shutil.which("git") is None:
        raise UsageError("git is not on this machine", "install it, for example with `apt install git`")
    import git

    return git


def _environment() -> dict[str, str]:
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def git_is_installed() -> bool:
    """True when there is a git on the PATH."""
    return shutil.which("git") is not None


def open_repository(path: Path) -> "Repository | None":
    """The repository that `path` lies in, or None when it lies in none (or the machine has no git)."""
    if not git_is_installed():
        if any((folder / ".git").exists() for folder in (path.resolve(), *path.resolve().parents)):
            _git_python()  # raises the clear error: there is a repository, and nothing to read it with
        return None
    git = _git_python()
    try:
        repo = git.Repo(path, search_parent_directories=True, expand_vars=False)
    except (git.exc.InvalidGitRepositoryError, git.exc.NoSuchPathError):
        return None
    return Repository(repo, path)


def init_repository(path: Path) -> "Repository":
    """Make a repository with the branch `main`."""
    git = _git_python()
    return Repository(git.Repo.init(path, initial_branch="main"), path)


class Repository:
    """One git repository, for one operation at a time; never shared between threads."""

    def __init__(self, repo: "git.Repo", path: Path) -> None:
        """Wrap an opened GitPython repository; `path` is the folder it was found from."""
        self._repo = repo
        self._options: tuple[str, ...] = _OPTIONS
        self._path = path
        self._trust_as_the_user_does()

    def _trust_as_the_user_does(self) -> None:
        """Heed `safe.directory` of the user's own configuration, the one setting there that we need."""
        status, _, stderr = self._repo.git.execute(
            ["git", *self._options, "rev-parse", "--git-dir"], env=_environment(), with_exceptions=False, with_extended_output=True
        )
        if status == 0 or "dubious ownership" not in str(stderr):
            return
        trusted = str(self._repo.git.execute(["git", "config", "--get-all", "safe.directory"], with_exceptions=False))
        folders = {line.strip() for line in trusted.splitlines()}
        if "*" not in folders and str(self.top or self._path.resolve()) not in folders:
            raise GitError(f"{self._path} belongs to another user, so git does not read it",
                           f"git config --global --add safe.directory {self.top or self._path.resolve()}")  # fmt: skip
        self._options = (*self._options, "-c", "safe.directory=*")

    @property
    def top(self) -> Path | None:
        """The top folder of the work tree; None for a bare repository."""
        folder = self._repo.working_tree_dir
        return Path(folder) if folder is not None else None

    @property
    def is_bare(self) -> bool:
        """True when there is no work tree."""
        return bool(self._repo.bare)

    def close(self) -> None:
        """End the helper processes."""
        self._repo.close()

    def prefix_of(self, root: Path) -> str:
        """The path of `root` within the repository: "" or "some/folder/"."""
        if self.top is None:
            return ""
        relative = root.resolve().relative_to(self.top.resolve()).as_posix()
        return "" if relative == "." else f"{relative}/"

    def _run(self, *arguments: str, ok: Sequence[int] = (0,), env: dict[str, str] | None = None) -> bytes:
        """Run git to its end and give its output."""
        status, output, stderr = self._repo.git.execute(
            ["git", *self._options, *arguments],
            env=_environment() | (env or {}),
            with_exceptions=False,
            with_extended_output=True,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=None if os.name == "nt" else _TIMEOUT_S,
        )
        if status not in ok:
            said = str(stderr)
            raise GitError(f"git {arguments[0]} failed: {_first_line(said)}")
        return bytes(output)

    def _stream(self, *arguments: str, stdin: IO[bytes] | None = None) -> Any:
        """Start git; its output is read from the `stdout` of what is returned."""
        return self._repo.git.execute(
            ["git", *self._options, *arguments],
            env=_environment(),
            as_process=True,
            istream=stdin,  # type: ignore[arg-type]
        )

    # Reading

    def head(self) -> str | None:
        """The commit that HEAD names, or None when nothing was committed yet."""
        found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}", ok=(0, 1, 128))
        return found.decode().strip() or None

    def resolve(self, revision: str) -> str:
        """The commit id that a revision (branch, tag, id, HEAD~2 …) names."""
        found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", ok=(0, 1, 128))
        name = found.decode().strip()
        if not _OBJECT_ID.match(name):
            hint = "fetch it first: this is a shallow clone" if self.is_shallow() else "`git log --oneline` lists commits"
            raise UsageError(f"there is no commit {revision!r} here", hint)
        return name

    def is_shallow(self) -> bool:
        """True when the clone was cut: older commits exist elsewhere, not here."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def commit_time(self, commit: str) -> str:
        """When `commit` was committed, ISO 8601 in UTC."""
        seconds = int(self._run("log", "-1", "--format=%ct", "--end-of-options", commit).strip() or b"0")
        return _iso_date(seconds, "+0000")

    def list_tree(self, commit: str, prefix: str = "") -> Iterator[TreeRow]:
        """Every file of `commit` below `prefix` ("" or "folder/"), in git's order."""
        arguments = ["ls-tree", "-r", "-z", "--full-tree", commit, *(["--", prefix] if prefix else [])]
        for line in self._run(*arguments).split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, _, blob = facts.decode().split(" ")
            yield TreeRow(mode, blob, os.fsdecode(path))

    def read_blobs(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Blob ids with their contents, in the order given, through one `git cat-file --batch`.

        The ids go in through a file, so that git and we never wait for each other with both pipes full.
        """
        ids = list(blobs)
        if not ids:
            return
        with tempfile.TemporaryFile() as wanted:
            wanted.write("".join(f"{blob}\n" for blob in ids).encode())
            wanted.seek(0)
            process = self._stream("cat-file", "--batch", "--buffer", stdin=wanted)
            try:
                for blob in ids:
                    header = process.stdout.readline().split()
                    if len(header) != 3 or header[1] != b"blob":
                        raise GitError(f"git has no file contents {blob}", "is this a partial clone? fetch everything first")
                    data = process.stdout.read(int(header[2]) + 1)
                    yield blob, data[:-1]
            finally:
                process.stdout.close()
                process.wait()

    def begin_log(self, commit: str, folder: str) -> "PendingLog":
        """Start reading every commit up to `commit` that changed a file below `folder`, newest first, in topological order.

        One pass for all files, in the background. Combined diffs because a merge is told only for the files that differ
        from all its parents, so a merged change is seen once, where it was made, and a merge that changed something
        itself is seen as well. `--full-history` because the default leaves out a side branch whose change also came
        another way. A registry that fills its repository is read without a path: that saves git two fifths of the time
        (10,000 definitions, 50,000 commits: 4.4 s for 7.2 s), and the few other files are left out afterwards.
        """
        paths = ["--full-history", "--end-of-options", commit, "--", folder] if "/" in folder else ["--end-of-options", commit]
        return PendingLog(self._stream(
            "log", "-z", "--raw", "--no-abbrev", "-M", "--no-ext-diff", "--no-textconv", "--topo-order",
            "--diff-merges=combined", "--combined-all-paths", "--date=raw", "--no-color", "--no-notes", "--no-mailmap",
            "--format=%x00%H%x00%P%x00%an%x00%ad%x00%B%x00", *paths,
        ))  # fmt: skip

    def changed_paths(self, folder: str) -> dict[str, str]:
        """Paths below `folder` that differ from HEAD or are not tracked, with git's two status letters."""
        listing = self._run("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", folder)
        return {os.fsdecode(line[3:]): line[:2].decode() for line in listing.split(b"\0") if line}

    # Writing

    def add(self, paths: Sequence[str]) -> None:
        """Put work tree files (paths from the top of the work tree) into the index."""
        with tempfile.TemporaryDirectory() as folder:
            listing = Path(folder, "paths")
            listing.write_bytes(b"".join(os.fsencode(path) + b"\0" for path in paths))
            self._run("-C", str(self.top), "add", f"--pathspec-from-file={listing}", "--pathspec-file-nul")

    def commit_paths(self, paths: Sequence[str], message: str, author: tuple[str, str], when: int | None = None) -> str:
        """Commit exactly these work tree files, whatever else is staged; gives the new commit's id.

        `author` is name and e-mail address, `when` seconds since 1970 (None: now).
        """
        name, email = author
        environment = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email, "GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": email}
        if when is not None:
            environment |= {"GIT_AUTHOR_DATE": f"@{when} +0000", "GIT_COMMITTER_DATE": f"@{when} +0000"}
        with tempfile.TemporaryDirectory() as folder:
            listing, text = Path(folder, "paths"), Path(folder, "message")
            listing.write_bytes(b"".join(os.fsencode(path) + b"\0" for path in paths))
            text.write_text(message, encoding="utf-8")
            self.add(paths)
            self._run("-C", str(self.top), "commit", "--quiet", "--no-verify", "--only", f"--file={text}", "--cleanup=whitespace",
                      f"--pathspec-from-file={listing}", "--pathspec-file-nul", env=environment)  # fmt: skip
        head = self.head()
        if head is None:
            raise GitError("git commit made no commit")
        return head


class PendingLog:
    """A `git log` under way: a thread takes its output, so that git never waits while we do other work."""

    def __init__(self, process: Any) -> None:
        """`process` was just started."""
        self._process = process
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while chunk := self._process.stdout.read(1 << 20):
            self._chunks.append(chunk)

    def commits(self) -> Iterator[LogCommit]:
        """All commits, once git is done."""
        self._thread.join()
        self.close()
        yield from _parse_log(_tokens(self._chunks))

    def close(self) -> None:
        """End git, if it still runs."""
        if self._thread.is_alive():
            self._process.proc.kill()
            self._thread.join()
        self._process.stdout.close()
        status = self._process.proc.wait()
        if status not in (0, -9):
            raise GitError(f"git log failed: {_first_line(self._process.stderr.read().decode('utf-8', 'replace'))}")


def _tokens(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The NUL-ended parts of a stream."""
    rest = b""
    for chunk in chunks:
        parts = (rest + chunk).split(b"\0")
        rest = parts.pop()
        yield from parts
    if rest:
        yield rest


def _parse_log(tokens: Iterator[bytes]) -> Iterator[LogCommit]:
    """Commits from the tokens of `git log -z --raw` in our format; no field can hold a NUL, so places decide."""
    header: tuple[str, tuple[str, ...], str, str, str] | None = None
    rows: list[Row] = []
    for token in tokens:
        stripped = token.lstrip(b"\n")
        if not stripped:
            continue
        if stripped.startswith(b":"):
            row = _parse_row(stripped.decode(), tokens)
            if row is not None:
                rows.append(row)
            continue
        if header is not None:
            yield LogCommit(*header, tuple(rows))
        parents, author, date, message = (next(tokens).decode("utf-8", "replace") for _ in range(4))
        header = (stripped.decode(), tuple(parents.split()), author, _author_date(date), message.strip("\n"))
        rows = []
    if header is not None:
        yield LogCommit(*header, tuple(rows))


def _parse_row(facts: str, tokens: Iterator[bytes]) -> Row | None:
    """One raw line; a merge's has a colon, a mode, an id and (as asked) a path for each parent.

    None for a file that a merge took from one parent under the name it has with another: nothing changed in the merge.
    """
    parents = len(facts) - len(facts.lstrip(":"))
    fields = facts[parents:].split(" ")
    modes, blobs, status = fields[: parents + 1], fields[parents + 1 : -1], fields[-1]
    new_blob = _blob(modes[-1], blobs[-1])
    if parents > 1:
        paths = [os.fsdecode(next(tokens)) for _ in range(parents + 1)]
        if new_blob is not None and blobs[-1] in blobs[:-1]:
            return None
        # Against the first parent that has the file: against one that lacks it, all of it would read as added.
        which = next((n for n in range(parents) if _blob(modes[n], blobs[n])), 0)
        return Row(status[which], paths[which], paths[-1], _blob(modes[which], blobs[which]), new_blob)
    old_path = path = os.fsdecode(next(tokens))
    if status[0] in "RC":
        path = os.fsdecode(next(tokens))
    return Row(status[0], old_path, path, _blob(modes[0], blobs[0]), new_blob)


def _blob(mode: str, blob: str) -> str | None:
    """None for "no file", and for what is no plain file (a link, a submodule)."""
    return blob if mode.startswith("100") and blob.strip("0") else None


def _author_date(raw: str) -> str:
    seconds, _, offset = raw.partition(" ")
    return _iso_date(int(seconds), offset) if re.fullmatch(r"-?[0-9]+", seconds) else ""


def _iso_date(seconds: int, offset: str) -> str:
    """ISO 8601 with an offset; what no calendar holds (git keeps any number) becomes the nearest date that it does."""
    found = re.fullmatch(r"([+-])([0-9]{2})([0-9]{2})", offset)
    minutes = (int(found[2]) * 60 + int(found[3])) * (-1 if found[1] == "-" else 1) if found else 0
    zone = timezone(timedelta(minutes=minutes)) if minutes and abs(minutes) < 24 * 60 else UTC
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(max(seconds, -(10**10)), 2 * 10**11))
    return moment.astimezone(zone).isoformat()


def _first_line(text: str) -> str:
    # GitPython wraps what git said as "stderr: '…'".
    cleaned = re.sub(r"^\s*stderr: '", "", text.strip()).rstrip("'")
    lines = [line for line in cleaned.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"
