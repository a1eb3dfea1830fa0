"""Pipes to and from git processes."""

from contextlib import suppress
from typing import Any

_PIPE_BYTES = 1024 * 1024


def widen(pipe: Any) -> None:
    """Enlarge a pipe where the system supports it, so that git does not wait for this process."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl
    except ImportError:
        return
    with suppress(OSError):
        fcntl(pipe.fileno(), F_SETPIPE_SZ, _PIPE_BYTES)
