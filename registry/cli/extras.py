"""The extras of this package: optional dependencies, which some commands need."""

from collections.abc import Mapping
from importlib.util import find_spec

from registry.errors import RegistryError, UsageError

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "s3": ("obstore",),
    # uvicorn works without uvloop.
    "serve": ("argon2", "brotli", "httptools", "prometheus_client", "starlette", "uvicorn", "zstandard"),
    "tables": ("pyarrow", "sqlalchemy"),
    "sql": ("psycopg", "pymysql", "sqlalchemy"),
}
"""The modules of each extra that commands import."""


def require_extra(command: str, extra: str, install_from: str | None = None) -> None:
    """Raise UsageError with the command that installs `extra` if a module of it is missing.

    `install_from` is the setting of the registry; None means that of the registry around the current folder.
    """
    missing = [name for name in EXTRAS[extra] if find_spec(name) is None]
    if missing:
        from registry.scaffold import install_command

        address = _install_from_here() if install_from is None else install_from
        raise UsageError(
            f"`registry {command}` needs the extra `{extra}` (missing: {', '.join(missing)})",
            install_command(address, extra),
        )


def _install_from_here() -> str:
    from registry.cli.terminal import find_root
    from registry.load.source import WorkTree

    try:
        return WorkTree(find_root(None)).settings.install_from
    except (OSError, RegistryError):
        return ""  # the placeholder: this command needs no registry
