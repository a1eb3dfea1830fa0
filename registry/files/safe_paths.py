"""Paths that are written without following links.

A repository can hold a symbolic link in place of any file or folder. Whoever clones it and runs a command must not write where
that link points to. The folder that the user names may itself be a link; nothing below it may.
"""

import os
import stat
from pathlib import Path

from registry.errors import RefusedError

_HINT = "replace it by a folder or file of its own: nothing is written where a link points to"


def link_on_the_way(root: Path, name: str) -> str | None:
    """The first of the folders from `root` to the file or folder `name` (a relative path), or `name` itself, that is a link."""
    path = ""
    for step in Path(name).parts:
        path = f"{path}/{step}" if path else step
        if (root / path).is_symlink():
            return path
    return None


def refuse_links(root: Path, name: str) -> None:
    """Raises RefusedError where `name`, or a folder between `root` and it, is a link."""
    link = link_on_the_way(root, name)
    if link is not None:
        raise RefusedError(f"{root / link} is a link", _HINT)


def make_folders(root: Path, name: str) -> Path:
    """The folder `name` below `root`, made where it is missing. Raises RefusedError for a link, OSError as `mkdir` does."""
    refuse_links(root, name)
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def create_new(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file that must not be there yet, also not as a link that points to nothing. Raises FileExistsError, OSError.

    `mode` is reduced by the umask. Where writing fails the file is removed again.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def is_own_file(path: Path) -> bool:
    """True for a plain file of this user with no other name: what this program wrote, as far as the file system can say."""
    try:
        status = path.lstat()
    except OSError:
        return False
    is_ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and is_ours


def current_umask() -> int:
    """The permissions that new files do not get."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
