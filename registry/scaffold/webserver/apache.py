"""Apache: a virtual host."""

import re
from collections.abc import Mapping
from pathlib import Path

from registry.load.settings import Settings
from registry.model import addresses
from registry.model.http_headers import (
    API_HEADERS,
    COMPRESSED_TYPES,
    EXPORT_TYPE,
    IMMUTABLE,
    MCP_HEADERS,
    MEDIA_TYPES,
    REVALIDATED,
    SECURITY_HEADERS,
)
from registry.scaffold.webserver.answers import (
    NOT_FOUND_TEXT,
    READ_METHODS,
    READ_ONLY_TEXT,
    SERVER_NOT_FOUND_TEXT,
    split_listen,
)

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
        {types}
        AddOutputFilterByType DEFLATE text/html {compressed}
    </Directory>

    RewriteEngine On
    RewriteCond %{{REQUEST_METHOD}} =OPTIONS
    RewriteCond %{{REQUEST_URI}} ^{base_pattern}{api}(/|{ending}$|$)
    RewriteRule ^ - [R=204,L]
{mcp_preflight}    RewriteCond %{{REQUEST_METHOD}} !^(GET|HEAD)$
    RewriteRule ^ - [R=405,L]
{mcp_files}
    {headers}
    ErrorDocument 403 {base}{missing_page}
    ErrorDocument 404 {base}{missing_page}
    ErrorDocument 405 "{read_only}
    Header always set Content-Type application/json "expr=%{{REQUEST_STATUS}} == 405"
    Header always set Allow "GET, HEAD" "expr=%{{REQUEST_STATUS}} == 405"

    <LocationMatch "^{base_pattern}{api}(/|{ending}$|$)">
        ErrorDocument 403 "{missing}
        ErrorDocument 404 "{missing}
        Header always set Content-Type application/json "expr=%{{REQUEST_STATUS}} in {{'403', '404'}}"
        {api_headers}
        Header always set Access-Control-Allow-Methods "{methods}" "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
        Header always set Access-Control-Allow-Headers "expr=%{{req:Access-Control-Request-Headers}}" \
"expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
        Header always set Access-Control-Max-Age 600 "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
        Header always set Allow "{methods}" "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
    </LocationMatch>
    <Location "{base}{assets}/">
        # Their names change with their content.
        Header always set Cache-Control "{immutable}"
    </Location>
{exports}{mcp}</VirtualHost>
"""
_MCP_PREFLIGHT = """    RewriteCond %{{REQUEST_METHOD}} =OPTIONS
    RewriteCond %{{REQUEST_URI}} ^{base_pattern}{mcp}/
    RewriteRule ^ - [R=204,L]
"""
_MCP_FILES = """
    # The MCP Registry API. Its addresses have no slash at the end, and are not those of files. The slash
    # in the name of a server can be encoded.
    AllowEncodedSlashes On
    RewriteCond %{{QUERY_STRING}} (?:^|&)cursor=([0-9]+)(?:&|$)
    RewriteRule ^{base_pattern}{servers}/?$ "{base}{servers_path}/_after/%1/{index}" [PT,L]
    RewriteRule ^{base_pattern}{mcp}/(.*[^/])/?$ "{base}{mcp_path}/$1/{index}" [PT,L]
"""
_MCP = """    <LocationMatch "^{base_pattern}{mcp}/">
        ErrorDocument 403 "{missing}
        ErrorDocument 404 "{missing}
        Header always set Content-Type application/json "expr=%{{REQUEST_STATUS}} in {{'403', '404'}}"
        {headers}
        Header always set Access-Control-Max-Age 600 "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
        Header always set Allow "{methods}" "expr=%{{REQUEST_METHOD}} == 'OPTIONS'"
    </LocationMatch>
"""
_EXPORTS = """    <LocationMatch "^{base_pattern}(.+/)?{exports}/">
        ForceType "{type}"
    </LocationMatch>
"""


def server_config(folder: Path, settings: Settings, listen: str, server_name: str) -> str:
    """Return a virtual host; see `webserver_config`."""
    base = settings.base_path
    host, port = split_listen(listen)
    base_pattern = re.escape(base)  # a path may contain `.` and `+`
    path_pattern = base_pattern.rstrip("/")
    redirect = f'    RedirectMatch 301 "^{path_pattern}$" "{base}"\n'
    alias = f'{redirect}    Alias "{base}" "{_escaped(str(folder))}/"\n'
    is_mcp = "mcp" in settings.protocols
    mcp = {
        "base": base,
        "base_pattern": base_pattern,
        "mcp": re.escape(addresses.MCP),
        "mcp_path": addresses.MCP,
        "servers": re.escape(addresses.MCP_SERVERS),
        "servers_path": addresses.MCP_SERVERS,
        "index": addresses.API_INDEX,
        "methods": READ_METHODS,
        "missing": SERVER_NOT_FOUND_TEXT.replace('"', '\\"') + '"',
        "headers": _headers(MCP_HEADERS, "\n        "),
    }
    return _APACHE.format(
        plain_folder=folder,
        folder=_escaped(str(folder)),
        listen=f"{host}:{port}" if host else port,
        address=f"{host or '*'}:{port}",
        server_name="" if server_name == "_" else f"ServerName {server_name}",
        alias=alias if base != "/" else "",
        mcp_preflight=_MCP_PREFLIGHT.format(**mcp) if is_mcp else "",
        mcp_files=_MCP_FILES.format(**mcp) if is_mcp else "",
        mcp=_MCP.format(**mcp) if is_mcp else "",
        base=base,
        base_pattern=base_pattern,
        api=addresses.API,
        ending=re.escape(addresses.TWIN_ENDING),
        assets=addresses.ASSETS,
        methods=READ_METHODS,
        types="\n        ".join(f"AddType {type_} {ending}" for ending, type_ in MEDIA_TYPES.items()),
        compressed=" ".join(COMPRESSED_TYPES),
        headers=_headers({**SECURITY_HEADERS, "Cache-Control": REVALIDATED}, "\n    "),
        api_headers=_headers(API_HEADERS, "\n        "),
        immutable=IMMUTABLE,
        exports=_EXPORTS.format(base_pattern=base_pattern, exports=addresses.EXPORTS, type=EXPORT_TYPE)
        if settings.exports
        else "",
        missing=NOT_FOUND_TEXT.replace('"', '\\"') + '"',
        missing_page=addresses.NOT_FOUND_PAGE,
        read_only=READ_ONLY_TEXT.replace('"', '\\"') + '"',
    )


def _headers(headers: Mapping[str, str], separator: str) -> str:
    return separator.join(f'Header always set {name} "{value}"' for name, value in headers.items())


def _escaped(text: str) -> str:
    """Return a text for a value in quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
