"""The extra `serve` of this package, which the commands of the server need."""

from importlib.util import find_spec

from registry.errors import RegistryError, UsageError

# Modules of the extra that the commands import. uvicorn works without uvloop.
EXTRA_MODULES = (
    "argon2",
    "brotli",
    "httptools",
    "prometheus_client",
    "starlette",
    "uvicorn",
    "zstandard",
)


def require_extra(command: str, install_from: str | None = None) -> None:
    """Raise UsageError with the command that installs the extra if a module of it is missing.

    `install_from` is the setting of the registry; None means that of the registry around the current folder.
    """
    missing = [name for name in EXTRA_MODULES if find_spec(name) is None]
    if missing:
        from registry.scaffold import install_command

        address = _install_from_here() if install_from is None else install_from
        raise UsageError(
            f"`registry {command}` needs the extra `serve` (missing: {', '.join(missing)})",
            install_command(address, "serve"),
        )


def _install_from_here() -> str:
    from registry.cli.terminal import find_root
    from registry.load.source import WorkTree

    try:
        return WorkTree(find_root(None)).settings.install_from
    except (OSError, RegistryError):
        return ""  # the placeholder: this command needs no registry
