"""Writes files of the work tree so that no reader ever sees half of one."""

import os
import tempfile
from pathlib import Path

from registry.errors import UsageError


def replace_file(path: Path, data: bytes) -> None:
    """Write a file aside and rename it into place. The mode of a file that is there stays."""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(aside).chmod(mode)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def create_files(root: Path, files: dict[str, bytes]) -> None:
    """Write new files below `root`, all of them or none. Raises UsageError when one cannot be written or is there already."""
    made: list[Path] = []
    try:
        for name, data in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                made.append(path)
                file.write(data)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"{error.filename or root} cannot be written: {error.strerror}", "nothing was written") from error
        raise
