"""Location of a repository. Git locates it once, and lookalikes of a git directory are refused.

A change can add `HEAD`, `objects/` and `refs/` as ordinary files. Git and GitPython would treat their folder
as a bare repository, with a configuration and history controlled by the author. Git never checks out a path
with a part `.git`.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from registry.errors import RefusedError, UsageError
from registry.git.environment import (
    OPTIONS,
    TIMEOUT_S,
    environment,
    environment_of_the_search,
    for_hooks,
    git_is_installed,
    git_python,
)
from registry.git.error import GitError, first_line

_HINT = "do not run git here; remove these files, or ask who added them"


class Location(NamedTuple):
    """A repository.

    Its git directory, the directory shared by all its work trees, and the top of the work tree. `top` is None
    for a bare repository. `object_format` is `sha1` or `sha256`.
    """

    git_dir: Path
    common_dir: Path
    top: Path | None
    object_format: str


class _WorkTree(NamedTuple):
    """A folder with an entry `.git`, and the git directory that the entry refers to."""

    top: Path
    git_dir: Path


def locate(path: Path, *, in_hook: bool = False) -> Location | None:
    """Return the repository that contains `path`, or None if there is none (or git is not installed).

    A bare repository is found only if `path` is its folder. `in_hook`: use the repository in GIT_DIR. Raises
    RefusedError for a git directory among the ordinary files of a work tree, UsageError for a path inside a
    git directory or a bare repository, GitError when git refuses.
    """
    start = Path(os.path.realpath(path))
    if not git_is_installed():
        refuse_embedded(path)
        if find_work_tree(start) is not None:
            git_python()  # raises the clear error: there is a repository, but git is missing
        return None
    git = git_python()
    if in_hook and "GIT_DIR" in for_hooks:
        git_dir = os.path.realpath(start / for_hooks["GIT_DIR"])
        return _location(
            _ask(git, start, (f"--git-dir={git_dir}",), environment()), None, start, in_hook=True
        )
    refuse_embedded(path)
    work_tree = find_work_tree(start)
    if work_tree is None or (work_tree.top != start and looks_like_git_dir(start)):
        if not looks_like_git_dir(start):
            _refuse_inside_bare(start)
            return None
        return _location(
            _ask(git, start, ("-c", "safe.bareRepository=all"), environment_of_the_search()), None, start
        )
    found = _ask(git, start, ("-c", "safe.bareRepository=explicit"), environment_of_the_search())
    return _location(found, work_tree, start)


def _refuse_inside_bare(start: Path) -> None:
    """Raise UsageError if `start` is inside a bare repository."""
    bare = next((folder for folder in start.parents if looks_like_git_dir(folder)), None)
    if bare is not None:
        raise UsageError(
            f"{start} is inside the bare repository {bare}", f"name the repository itself: -C {bare}"
        )


def _ask(
    git: Any, start: Path, options: tuple[str, ...], variables: dict[str, str]
) -> tuple[str, Path] | None:
    """Return object format and git directory as git reports them for `start`.

    The result is None if git finds no repository.
    """
    try:
        status, output, stderr = git.Git(str(start)).execute(
            ["git", *OPTIONS, *options, "rev-parse", "--show-object-format", "--absolute-git-dir"],
            env=variables,
            with_exceptions=False,
            with_extended_output=True,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=None if os.name == "nt" else TIMEOUT_S,
        )
    except git.GitCommandNotFound:
        if start.is_dir():
            raise
        return None  # the folder was removed meanwhile
    if status == 0:
        object_format, _, git_dir = bytes(output).partition(b"\n")
        return object_format.decode(), Path(os.fsdecode(git_dir.removesuffix(b"\n")))
    message = str(stderr)
    if "dubious ownership" in message:
        raise GitError(
            f"{start} belongs to another user, so git does not read it",
            f"git config --global --add safe.directory {_quoted_folder(message) or start}",
        )
    if "cannot use bare repository" in message:
        raise RefusedError(f"{start} is in a folder that looks like a bare repository", _HINT)
    if "GIT_CEILING_DIRECTORIES" in variables and "not a git repository" in message:
        return None
    raise GitError(f"git cannot read the repository of {start}: {first_line(message)}")


def _quoted_folder(message: str) -> str:
    """Return the folder in git's message (`detected dubious ownership in repository at '…'`)."""
    return message.partition("repository at '")[2].partition("'")[0]


def _location(
    found: tuple[str, Path] | None, work_tree: _WorkTree | None, start: Path, *, in_hook: bool = False
) -> Location | None:
    # In a folder that was removed meanwhile, git was asked about the current folder.
    if found is None or not start.is_dir():
        return None
    object_format, git_dir = found
    expected = work_tree.git_dir if work_tree is not None else start
    # Git may have found another repository than this program, for example through a setting. Neither is
    # trusted then.
    if not in_hook and not expected.samefile(git_dir):
        raise RefusedError(f"git uses {git_dir} as the repository of {start} instead of {expected}", _HINT)
    return Location(
        git_dir, common_dir_of(git_dir), work_tree.top if work_tree is not None else None, object_format
    )


def common_dir_of(git_dir: Path) -> Path:
    """Return the git directory that all work trees of a repository share.

    Raises GitError when its file `commondir` cannot be read.
    """
    named = _first_line_of(git_dir / "commondir")
    return Path(os.path.normpath(git_dir / named)) if named else git_dir


def looks_like_git_dir(folder: Path) -> bool:
    """True for every folder that git could treat as a git directory; also for some that it would not."""
    return os.path.lexists(folder / "HEAD") and (
        os.path.lexists(folder / "commondir")
        or all(os.path.lexists(folder / name) for name in ("objects", "refs"))
    )


_OF_A_GIT_DIRECTORY = frozenset(("head", "objects", "refs", "commondir"))


def git_directories_in(paths: Iterable[str]) -> list[str]:
    """Return the paths of `HEAD` files whose folder git could treat as a git directory, given these `paths`.

    Decides like `looks_like_git_dir`, for paths with `/` that need not be on disk. Ignores case, since some
    file systems do.
    """
    held: dict[str, dict[str, str]] = {}
    for path in paths:
        for folder, step in _parts_of_git_directories(path):
            start = f"{folder}/" if folder else ""
            held.setdefault(folder.lower(), {}).setdefault(step.lower(), f"{start}{step}")
    return sorted(
        names["head"]
        for names in held.values()
        if "head" in names and ("commondir" in names or {"objects", "refs"} <= names.keys())
    )


def git_directories_touched(touched: Iterable[str], paths: Callable[[], Iterable[str]]) -> list[str]:
    """Return the `git_directories_in` `paths` that contain one of the paths in `touched`.

    `paths` is called only if there can be any.
    """
    folders = {folder.lower() for path in touched for folder, _ in _parts_of_git_directories(path)}
    if not folders:
        return []
    return [path for path in git_directories_in(paths()) if path.rpartition("/")[0].lower() in folders]


def _parts_of_git_directories(path: str) -> Iterator[tuple[str, str]]:
    """Yield the folders that `path` could turn into a git directory, each with the relevant part below it."""
    steps = path.split("/")
    for place, step in enumerate(steps):
        if step.lower() in _OF_A_GIT_DIRECTORY:
            yield "/".join(steps[:place]), step


def find_work_tree(start: Path) -> _WorkTree | None:
    """Return the nearest folder, `start` or a parent, whose entry `.git` refers to a git directory.

    Does not run git. Raises GitError when an entry `.git` cannot be read.
    """
    return next((found for folder in (start, *start.parents) if (found := _work_tree_at(folder))), None)


def _work_tree_at(folder: Path) -> _WorkTree | None:
    entry = folder / ".git"
    if os.path.lexists(entry / "HEAD"):
        return _WorkTree(folder, Path(os.path.realpath(entry)))
    line = _first_line_of(entry)
    named = line.removeprefix("gitdir:").strip()
    # Git ignores any other entry and continues with the parent folder.
    return (
        _WorkTree(folder, Path(os.path.realpath(folder / named)))
        if line.startswith("gitdir:") and named
        else None
    )


def _first_line_of(path: Path) -> str:
    """Return the line in a file of git that names a folder; "" if it is not a regular file."""
    if not os.path.isfile(path):  # noqa: PTH113 - False also for unreadable paths
        return ""
    try:
        with path.open("rb") as file:
            return os.fsdecode(file.read(65_536)).rstrip("\r\n")
    except OSError as error:
        raise GitError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error


def refuse_embedded(path: Path) -> None:
    """Refuse a git directory among the ordinary files of the work tree around `path`.

    Checks every folder from `path` up to the top of the work tree, and the target of an entry `.git`. Reads
    only names, and needs git only if an entry `.git` refers to such files. Raises RefusedError with the name
    of the file, UsageError for a path inside a git directory, and GitError when an entry `.git` cannot be
    read.
    """
    start = Path(os.path.realpath(path))
    suspect = None
    for folder in (start, *start.parents):
        work_tree = _work_tree_at(folder)
        if suspect is None and looks_like_git_dir(folder):
            suspect = folder
        if work_tree is None:
            continue
        if suspect is not None:
            _refuse_suspect(suspect, work_tree)
        _refuse_if_led_astray(work_tree)
        return


def _refuse_suspect(suspect: Path, around: _WorkTree) -> None:
    if suspect in (around.git_dir, common_dir_of(around.git_dir)):
        if ".git" in suspect.parts:
            raise UsageError(f"{suspect} is a git directory", f"name the work tree: {around.top}")
        return  # the `.git` of the parent leads here: a bare repository with work trees next to it
    if ".git" in suspect.relative_to(around.top).parts:
        raise UsageError(f"{suspect} is inside a git directory", f"name the work tree: {around.top}")
    raise RefusedError(
        f"{suspect / 'HEAD'}: the files here look like a git directory inside the work tree {around.top}",
        _HINT,
    )


def _refuse_if_led_astray(work_tree: _WorkTree) -> None:
    """Refuse an entry `.git` that leads to files tracked by the surrounding repository."""
    for git_dir in {work_tree.git_dir, common_dir_of(work_tree.git_dir)}:
        if any(step.lower() == ".git" for step in git_dir.parts):
            continue  # no repository can contain files below a folder of this name
        for outer in _work_trees_around(git_dir):
            if git_dir in (outer.git_dir, common_dir_of(outer.git_dir)):
                continue
            if _tracks(outer, git_dir / "HEAD"):
                raise RefusedError(
                    f"{git_dir / 'HEAD'}: {work_tree.top / '.git'} points to this file, "
                    f"and {outer.top} tracks it",
                    _HINT,
                )


def _work_trees_around(folder: Path) -> Iterator[_WorkTree]:
    for above in folder.parents:
        found = _work_tree_at(above)
        if found is not None:
            yield found


def _tracks(outer: _WorkTree, path: Path) -> bool:
    git = git_python()
    where = (f"--git-dir={outer.git_dir}", f"--work-tree={outer.top}")
    _, output, _ = git.Git(str(outer.top)).execute(
        ["git", *OPTIONS, *where, "ls-files", "-z", "--", str(path.relative_to(outer.top))],
        env=environment(),
        with_exceptions=False,
        with_extended_output=True,
        stdout_as_string=False,
    )
    return bool(output)
