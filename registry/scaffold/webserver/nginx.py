"""nginx: a server block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.model import addresses
from registry.model.http_headers import (
    API_HEADERS,
    COMPRESSED_TYPES,
    DEFAULT_TYPE,
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
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from registry.load.settings import Settings

_NGINX = """# Serves the registry built at {folder}, written by `registry webserver nginx`.
# Put it into the http block of nginx.conf, or into a file below conf.d/ or sites-enabled/.
server {{
    listen {listen};
    server_name {server_name};

    # Redirects stay on the host and port that the client sees.
    absolute_redirect off;
    # Clients of the 2013 service compare the header with exactly "application/json".
    charset off;
    gzip on;
    gzip_vary on;
    gzip_types {compressed};
    types {{
        {types}
    }}
{without_slash}
    location {base}{api}/ {{
        alias {folder}/{api}/;
        index index.json;
        default_type application/json;
        {api_headers}
        {revalidated}
        error_page 403 404 = @registry_missing;
        error_page 405 = @registry_read_only;
    }}

    location = {base}{api_file} {{
        alias {folder}/{api_file};
        {api_headers}
        {revalidated}
        error_page 405 = @registry_read_only;
    }}

    location {base} {{
        alias {folder}/;
        index index.html;
        default_type {default_type};
        {security_headers}
        {revalidated}
        error_page 403 404 {base}{missing_page};
    }}

    location {base}{assets}/ {{
        alias {folder}/{assets}/;
        {security_headers}
        # Their names change with their content.
        {immutable}
    }}

{exports}{mcp}    location @registry_missing {{
        internal;
        default_type application/json;
        {api_headers}
        {revalidated}
        return 404 {missing};
    }}

    location @registry_read_only {{
        internal;
        # Browsers ask first whether a page of another origin may send a header such as If-None-Match.
        if ($request_method = OPTIONS) {{
            {preflight_headers}
            add_header Access-Control-Allow-Methods "{methods}" always;
            add_header Access-Control-Allow-Headers $http_access_control_request_headers always;
            add_header Access-Control-Max-Age 600 always;
            add_header Allow "{methods}" always;
            return 204;
        }}
        default_type application/json;
        add_header Allow "GET, HEAD" always;
        {api_headers}
        {revalidated}
        return 405 {read_only};
    }}
}}
"""

# A name of a definition can have any number of parts.
_EXPORTS = """\
    location ~ ^{pattern}(?<registry_export>(?:.+/)?{exports}/.+)$ {{
        alias {folder}/$registry_export;
        types {{ }}
        default_type "{type}";
        {security_headers}
        {revalidated}
        error_page 403 404 {base}{missing_page};
    }}

"""
_MCP = """\
    # The MCP Registry API. Its addresses have no slash at the end, and are not those of files. The slash
    # in the name of a server can be encoded.
    set $registry_mcp_page "";
    if ($arg_cursor ~ "^[0-9]+$") {{
        set $registry_mcp_page /_after/$arg_cursor;
    }}

    location ~ ^{pattern}(?:/.*)?/$ {{
        rewrite ^(.*)/$ $1 last;
    }}

    location ~ ^{pattern}$ {{
        alias {folder}/{servers}$registry_mcp_page/{index};
        # The version in an address looks like the extension of a file.
        types {{ }}
        default_type application/json;
        {headers}
        {revalidated}
        error_page 403 404 = @registry_mcp_missing;
        error_page 405 = @registry_mcp_read_only;
    }}

    location ~ ^{pattern}/(?<registry_mcp>.*[^/])$ {{
        alias {folder}/{servers}/$registry_mcp/{index};
        # The version in an address looks like the extension of a file.
        types {{ }}
        default_type application/json;
        {headers}
        {revalidated}
        error_page 403 404 = @registry_mcp_missing;
        error_page 405 = @registry_mcp_read_only;
    }}

    location @registry_mcp_missing {{
        internal;
        default_type application/json;
        {headers}
        {revalidated}
        return 404 {missing};
    }}

    location @registry_mcp_read_only {{
        internal;
        if ($request_method = OPTIONS) {{
            {preflight_headers}
            add_header Access-Control-Max-Age 600 always;
            add_header Allow "{methods}" always;
            return 204;
        }}
        default_type application/json;
        add_header Allow "GET, HEAD" always;
        {headers}
        {revalidated}
        return 405 {read_only};
    }}

"""
_WITHOUT_SLASH = """
    location = {path} {{
        return 301 {base}$is_args$args;
    }}
"""


def server_config(folder: Path, settings: Settings, listen: str, server_name: str) -> str:
    """Return a server block; see `webserver_config`."""
    base = settings.base_path
    exports = _EXPORTS.format(
        pattern=re.escape(base),
        exports=addresses.EXPORTS,
        folder=_quoted(str(folder)),
        type=EXPORT_TYPE,
        security_headers=_add_headers(SECURITY_HEADERS),
        revalidated=_add_headers({"Cache-Control": REVALIDATED}),
        base=base,
        missing_page=addresses.NOT_FOUND_PAGE,
    )
    mcp = _MCP.format(
        pattern=re.escape(base + addresses.MCP_SERVERS),
        servers=addresses.MCP_SERVERS,
        index=addresses.API_INDEX,
        folder=_quoted(str(folder)),
        headers=_add_headers({**MCP_HEADERS, **SECURITY_HEADERS}),
        preflight_headers=_add_headers(MCP_HEADERS),
        revalidated=_add_headers({"Cache-Control": REVALIDATED}),
        methods=READ_METHODS,
        missing=f"'{SERVER_NOT_FOUND_TEXT}'",
        read_only=f"'{READ_ONLY_TEXT}'",
    )
    return _NGINX.format(
        folder=_quoted(str(folder)),
        listen=listen,
        server_name=server_name,
        without_slash=_WITHOUT_SLASH.format(path=base.rstrip("/"), base=base) if base != "/" else "",
        base=base,
        api=addresses.API,
        api_file=addresses.api_files(addresses.API)[1],
        assets=addresses.ASSETS,
        missing_page=addresses.NOT_FOUND_PAGE,
        exports=exports if settings.exports else "",
        mcp=mcp if "mcp" in settings.protocols else "",
        missing=f"'{NOT_FOUND_TEXT}'",
        read_only=f"'{READ_ONLY_TEXT}'",
        methods=READ_METHODS,
        compressed=" ".join(COMPRESSED_TYPES),
        types="\n        ".join(f"{name} {ending[1:]};" for ending, name in MEDIA_TYPES.items()),
        default_type=DEFAULT_TYPE,
        security_headers=_add_headers(SECURITY_HEADERS),
        api_headers=_add_headers({**API_HEADERS, **SECURITY_HEADERS}),
        preflight_headers=_add_headers(API_HEADERS),
        revalidated=_add_headers({"Cache-Control": REVALIDATED}),
        immutable=_add_headers({"Cache-Control": IMMUTABLE}),
    )


def _add_headers(headers: Mapping[str, str]) -> str:
    lines = [f'add_header {name} "{value}" always;' for name, value in headers.items()]
    return "\n        ".join(lines)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace(" ", "\\ ").replace(";", "\\;").replace("$", "\\$")
