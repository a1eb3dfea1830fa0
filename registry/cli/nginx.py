"""`registry nginx`: an nginx configuration that serves the site."""

from pathlib import Path

import click

from registry.cli.options import base_url_option, registry_option
from registry.cli.terminal import find_root, write_text
from registry.errors import ProblemsError
from registry.model.problem import has_errors


@click.command("nginx")
@registry_option
@click.option(
    "--site",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the built site on the server. Default: the output folder of `registry build`.",
)
@click.option(
    "--listen", default="127.0.0.1:8080", metavar="ADDRESS", help="Address and port, in the syntax of nginx."
)
@click.option("--server-name", default="_", metavar="NAME", help="Host name of the server.")
@base_url_option
def command(
    registry: Path | None, site: Path | None, listen: str, server_name: str, base_url: str | None
) -> None:
    """Print an nginx server block for the site.

    It has exact media types, redirects for missing slashes, and errors as JSON below api/.

    \b
    Examples:
      registry nginx > /etc/nginx/conf.d/registry.conf
      registry nginx --site /srv/registry/site --listen 80 --server-name registry.example.org
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
    # Absolute, but the last link stays a link: nginx must resolve it at each request.
    write_text(
        nginx_config(
            folder.parent.resolve() / folder.name, with_base_url(settings, base_url), listen, server_name
        )
    )
