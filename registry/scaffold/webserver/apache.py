"""Apache: a virtual host."""

import re
from pathlib import Path

from registry.load.settings import Settings
from registry.model import addresses
from registry.scaffold.webserver.answers import NOT_FOUND_TEXT, READ_METHODS, READ_ONLY_TEXT, split_listen

_APACHE = """# Serves the registry built at {plain_folder}, written by `registry webserver apache`.
# Apache 2.4. Modules: alias, authz_core, deflate, dir, filter, headers, mime, rewrite, version
# (Debian: a2enmod headers rewrite; the others are on).
Listen {listen}
<VirtualHost {address}>
    {server_name}
    DocumentRoot "{folder}"
{alias}
    # Redirects stay on the scheme, host and port that the client sees.
    <IfVersion >= 2.4.58>
        RedirectRelative On
    </IfVersion>
    # A method without a rule below is not a redirect or a file.
    TraceEnable Off
    <Directory "{folder}">
        # The site is a link, which each build replaces.
        Options FollowSymLinks
        AllowOverride None
        Require all granted
        DirectoryIndex index.html index.json
        # Without it, clients get "application/json; charset=…" from some configurations.
        AddDefaultCharset Off
        AddType application/json .json
        AddType application/x-ndjson .ndjson
        AddType text/javascript .js
        AddType image/svg+xml .svg
        AddType application/atom+xml .atom
        AddOutputFilterByType DEFLATE application/json application/x-ndjson text/html text/css \
text/javascript image/svg+xml
    </Directory>

    RewriteEngine On
    RewriteCond %{{REQUEST_METHOD}} =OPTIONS
    RewriteCond %{{REQUEST_URI}} ^{base_pattern}{api}(/|$)
    RewriteRule ^ - [R=204,L]
    RewriteCond %{{REQUEST_METHOD}} !^(GET|HEAD)$
    RewriteRule ^ - [R=405,L]

    Header always set X-Content-Type-Options nosniff
    Header always set Referrer-Policy no-referrer
    Header always set X-Frame-Options DENY
    Header always set Cache-Control no-cache
    ErrorDocument 403 {base}{missing_page}
    ErrorDocument 404 {base}{missing_page}
    ErrorDocument 405 "{read_only}
    Header always set Content-Type application/json "expr=%{{REQUEST_STATUS}} == 405"
    Header always set Allow "GET, HEAD" "expr=%{{REQUEST_STATUS}} == 405"

    <Location "{base}{api}">
        ErrorDocument 403 "{missing}
        ErrorDocument 404 "{missing}
        Header always set Content-Type application/json "expr=%{{REQUEST_STATUS}} in {{'403', '404'}}"
        Header always set Access-Control-Allow-Origin *
        Header always set Access-Control-Allow-Methods "{methods}" "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
        Header always set Access-Control-Allow-Headers "expr=%{{req:Access-Control-Request-Headers}}" \
"expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
        Header always set Access-Control-Max-Age 600 "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
        Header always set Allow "{methods}" "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
    </Location>
    <Location "{base}{assets}/">
        # Their names change with their content.
        Header always set Cache-Control "public, max-age=31536000, immutable"
    </Location>
</VirtualHost>
"""


def server_config(folder: Path, settings: Settings, listen: str, server_name: str) -> str:
    """Return a virtual host; see `webserver_config`."""
    base = settings.base_path
    host, port = split_listen(listen)
    base_pattern = re.escape(base)  # a path may contain `.` and `+`
    path_pattern = base_pattern.rstrip("/")
    redirect = f'    RedirectMatch 301 "^{path_pattern}$" "{base}"\n'
    alias = f'{redirect}    Alias "{base}" "{_escaped(str(folder))}/"\n'
    return _APACHE.format(
        plain_folder=folder,
        folder=_escaped(str(folder)),
        listen=f"{host}:{port}" if host else port,
        address=f"{host or '*'}:{port}",
        server_name="" if server_name == "_" else f"ServerName {server_name}",
        alias=alias if base != "/" else "",
        base=base,
        base_pattern=base_pattern,
        api=addresses.API,
        assets=addresses.ASSETS,
        methods=READ_METHODS,
        missing=NOT_FOUND_TEXT.replace('"', '\\"') + '"',
        missing_page=addresses.NOT_FOUND_PAGE,
        read_only=READ_ONLY_TEXT.replace('"', '\\"') + '"',
    )


def _escaped(text: str) -> str:
    """Return a text for a value in quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
