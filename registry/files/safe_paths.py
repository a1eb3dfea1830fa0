"""Write paths without following links.

A repository can contain a symbolic link in place of any file or folder. A command run in a clone must not
write to the target of such a link. The folder named by the user may itself be a link; nothing below it may.
"""

import os
import stat
from pathlib import Path

from registry.errors import RefusedError

_HINT = "replace it with a regular file or folder: links are not followed when writing"


def link_on_the_way(root: Path, name: str) -> str | None:
    """Return the first link between `root` and `name` (a relative path), including `name`, or None."""
    path = ""
    for step in Path(name).parts:
        path = f"{path}/{step}" if path else step
        if (root / path).is_symlink():
            return path
    return None


def refuse_links(root: Path, name: str) -> None:
    """Raise RefusedError when `name`, or a folder between `root` and it, is a link."""
    link = link_on_the_way(root, name)
    if link is not None:
        raise RefusedError(f"{root / link} is a link", _HINT)


def make_folders(root: Path, name: str) -> Path:
    """Create the folder `name` below `root` if it is missing.

    Raises RefusedError for a link, OSError like `mkdir`.
    """
    refuse_links(root, name)
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def create_new(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Create a file with `mode`, reduced by the umask. Removes a partially written file.

    Raises FileExistsError if it exists, also as a dangling link, and OSError when writing fails.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def is_own_file_or_missing(path: Path) -> bool:
    """Return True for a missing file, and for a regular file of this user with one name.

    As far as known, this program wrote such a file. The path is examined once: two examinations could see a
    missing file and, a moment later, the one that another process creates.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    is_ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and is_ours


def current_umask() -> int:
    """Return the permission bits that are removed from new files."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
