"""`registry nginx`: a configuration that serves the site as its readers expect."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import BaseUrlOption, RegistryOption, find_root, write_text
from registry.errors import ProblemsError
from registry.model.problem import has_errors


def command(
    registry: RegistryOption = None,
    site: Annotated[
        Path | None,
        typer.Option("--site", help="The built site on the host. Left out: where `registry build` puts it."),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", help="Address and port, as nginx takes them.")
    ] = "127.0.0.1:8080",
    server_name: Annotated[
        str, typer.Option("--server-name", help="Host name that the server answers to.")
    ] = "_",
    base_url: BaseUrlOption = None,
) -> None:
    """Print a server block for nginx: exact media types, redirects for a missing slash, errors as JSON below `api/`.

    Examples: `registry nginx > /etc/nginx/conf.d/registry.conf` ·
    `registry nginx --site /srv/registry/site --listen 80 --server-name registry.example.org`
    """
    from registry.load.settings import with_base_url
    from registry.load.source import WorkTree
    from registry.scaffold.webserver import nginx_config

    root = find_root(registry)
    source = WorkTree(root)
    settings, problems = source.settings, source.settings_problems
    if has_errors(problems):
        raise ProblemsError(problems, source.read, "no configuration was written: the settings have errors")
    folder = site if site is not None else root / settings.output
    # Absolute, but the link at the end stays a link: nginx must follow it anew at each request.
    write_text(
        nginx_config(
            folder.parent.resolve() / folder.name, with_base_url(settings, base_url), listen, server_name
        )
    )
