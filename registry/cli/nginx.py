"""`registry nginx`: an nginx configuration that serves the site."""

from pathlib import Path

import click

from registry.cli.webserver import print_config, webserver_options


@click.command("nginx")
@webserver_options
def command(
    registry: Path | None, site: Path | None, listen: str, server_name: str, base_url: str | None
) -> None:
    """Print an nginx server block for the site.

    The output is that of `registry webserver nginx`.

    \b
    Examples:
      registry nginx > /etc/nginx/conf.d/registry.conf
      registry nginx --site /srv/registry/site --listen 80 --server-name registry.example.org
    """
    print_config("nginx", registry, site, listen, server_name, base_url)
