"""Write files atomically, so that no reader sees a partial file."""

import os
import secrets
import stat
from pathlib import Path

from registry.errors import RefusedError, UsageError
from registry.files.safe_paths import create_new, make_folders, refuse_links


def replace_file(path: Path, data: bytes, *, is_private: bool = False) -> None:
    """Write a temporary file and rename it to `path`.

    An existing file keeps its mode; a new one follows the umask. `is_private`: only the user may read and
    write the file (mode 0600), and its content is on the disk when this function returns. For paths given by
    the user; use `replace_in` for files below a registry's root. Raises UsageError when the file cannot be
    written, and for a device or a named pipe, which a rename would remove.
    """
    if _is_special(path):
        raise UsageError(f"{path} is not a regular file", "name a file")
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() and not is_private else None
        try:
            create_new(aside, data, 0o666 if mode is None and not is_private else 0o600)
            if mode is not None:
                aside.chmod(mode)
            if is_private:
                _sync(aside)
            aside.replace(path)
            if is_private:
                _sync(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from error


def write_output(path: Path, data: bytes) -> None:
    """Write a result to the path that the user named for it.

    A file is replaced as by `replace_file`. A device or a named pipe, such as /dev/null, gets the data.
    Raises as `require_output_place`, and UsageError when the path cannot be written.
    """
    require_output_place(path)
    if not _is_special(path):
        replace_file(path, data)
        return
    try:
        with path.open("wb") as special:
            special.write(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def require_output_place(path: Path) -> None:
    """Raise an error if no result can be written there; for commands that take long to get one.

    It is RefusedError for a link to a file, since the user did not name that file, and UsageError for a path
    whose folder is missing.
    """
    if path.is_symlink() and not _is_special(path):
        raise RefusedError(f"{path} is a link", "name the file that it leads to")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")


def _is_special(path: Path) -> bool:
    """True for what exists and is neither a file nor a folder, also at the end of a link."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk. Without the folder, a crash may undo a rename in it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_in(root: Path, name: str, data: bytes) -> None:
    """Replace the file `name` below a registry's root.

    Raises RefusedError when it or a parent folder is a link, UsageError when it cannot be written.
    """
    refuse_links(root, name)
    replace_file(root / name, data)


def put_in(root: Path, name: str, data: bytes | None) -> None:
    """As `replace_in`, creating missing folders; None removes the file, if there is one."""
    if data is not None:
        try:
            make_folders(root, str(Path(name).parent))
        except OSError as error:
            raise UsageError(f"{root / name} cannot be written: {error.strerror}") from error
        replace_in(root, name, data)
        return
    refuse_links(root, name)
    (root / name).unlink(missing_ok=True)


def create_files(root: Path, files: dict[str, bytes]) -> None:
    """Create new files below `root`: all of them or none.

    Raises UsageError when one exists or cannot be written, RefusedError when a parent folder is a link.
    """
    created: list[Path] = []
    try:
        root.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = make_folders(root, str(Path(name).parent)) / Path(name).name
            create_new(path, data)
            created.append(path)
    except BaseException as error:
        for path in created:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(
                f"{error.filename or root} cannot be written: {error.strerror}", "nothing was written"
            ) from error
        if isinstance(error, RefusedError):
            raise RefusedError(error.message, f"{error.hint}; nothing was written") from error
        raise
