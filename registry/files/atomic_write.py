"""Writes files of the work tree so that no reader ever sees half of one."""

import os
import secrets
from pathlib import Path

from registry.errors import RefusedError, UsageError
from registry.files.safe_paths import create_new, make_folders, refuse_links


def replace_file(path: Path, data: bytes) -> None:
    """Write a file aside and rename it into place. The mode of a file that is there stays; a new one gets what the umask leaves.

    For paths that the user named; files below a registry's root are written by `replace_in`. Raises UsageError.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else None
        try:
            create_new(aside, data, 0o666 if mode is None else 0o600)
            if mode is not None:
                aside.chmod(mode)
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from error


def replace_in(root: Path, name: str, data: bytes) -> None:
    """The same for the file `name` below a registry's root. Raises RefusedError where it, or a folder on the way, is a link."""
    refuse_links(root, name)
    replace_file(root / name, data)


def create_files(root: Path, files: dict[str, bytes]) -> None:
    """Write new files below `root`, all of them or none.

    Raises UsageError when one cannot be written or is there already, RefusedError when a folder on the way is a link.
    """
    made: list[Path] = []
    try:
        root.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = make_folders(root, str(Path(name).parent)) / Path(name).name
            create_new(path, data)
            made.append(path)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(
                f"{error.filename or root} cannot be written: {error.strerror}", "nothing was written"
            ) from error
        if isinstance(error, RefusedError):
            raise RefusedError(error.message, f"{error.hint}; nothing was written") from error
        raise
