"""`registry webserver`: the configuration of a web server that serves the site."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from registry.cli.options import base_url_option, registry_option
from registry.cli.terminal import find_root, write_text
from registry.errors import ProblemsError
from registry.model.problem import has_errors
from registry.scaffold.webserver import WEBSERVERS

Command = TypeVar("Command", bound=Callable[..., Any])


def webserver_options(command: Command) -> Command:
    """Add the options of `registry webserver` and `registry nginx`."""
    options = (
        registry_option,
        click.option(
            "--site",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder of the built site on the server. Default: the output folder of `registry build`.",
        ),
        click.option(
            "--listen", default="127.0.0.1:8080", metavar="ADDRESS", help="Address and port, or a port."
        ),
        click.option(
            "--server-name", default="_", metavar="NAME", help="Host name of the server. Default: every name."
        ),
        base_url_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("webserver")
@click.argument("server", type=click.Choice(WEBSERVERS), metavar="|".join(WEBSERVERS))
@webserver_options
def command(
    server: str, registry: Path | None, site: Path | None, listen: str, server_name: str, base_url: str | None
) -> None:
    """Print the configuration of a web server for the site.

    It has exact media types, redirects for missing slashes that keep the query, compression, CORS with preflight, and
    errors as JSON below api/. Methods that write answer 405. The same requests are tested with each server: nginx 1.22
    or newer, Caddy 2.11 or newer, Apache 2.4.

    \b
    Examples:
      registry webserver nginx > /etc/nginx/conf.d/registry.conf
      registry webserver caddy --site /srv/registry/site --listen 80 --server-name registry.example.org > Caddyfile
      registry webserver apache --site /srv/registry/site > /etc/apache2/sites-available/registry.conf
    """
    print_config(server, registry, site, listen, server_name, base_url)


def print_config(
    server: str, registry: Path | None, site: Path | None, listen: str, server_name: str, base_url: str | None
) -> None:
    """Print the configuration of a server. Raises ProblemsError for errors in registry.yaml."""
    from registry.load.settings import overridden
    from registry.load.source import WorkTree
    from registry.scaffold.webserver import webserver_config

    root = find_root(registry)
    source = WorkTree(root)
    settings, problems = source.settings, source.settings_problems
    if has_errors(problems):
        raise ProblemsError(problems, source.read, "no configuration was written: the settings have errors")
    folder = site if site is not None else root / settings.output
    # Absolute, but the last link stays a link: a web server must resolve it at each request.
    absolute = folder.parent.resolve() / folder.name
    write_text(
        webserver_config(server, absolute, overridden(settings, {"base_url": base_url}), listen, server_name)
    )
