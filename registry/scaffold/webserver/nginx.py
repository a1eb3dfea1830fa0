"""nginx: a server block."""

from pathlib import Path

from registry.load.settings import Settings
from registry.model import addresses
from registry.scaffold.webserver.answers import NOT_FOUND_TEXT, READ_ONLY_TEXT

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
    gzip_types application/json application/x-ndjson text/css text/javascript image/svg+xml;
{without_slash}
    location {base}{api}/ {{
        alias {folder}/{api}/;
        index index.json;
        types {{ application/json json; application/x-ndjson ndjson; }}
        default_type application/json;
        add_header Access-Control-Allow-Origin "*" always;
        add_header X-Content-Type-Options nosniff always;
        add_header Cache-Control "no-cache" always;
        error_page 403 404 = @registry_missing;
        error_page 405 = @registry_read_only;
    }}

    location {base} {{
        alias {folder}/;
        index index.html;
        types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; application/json \
json; application/atom+xml atom; }}
        default_type application/octet-stream;
        add_header X-Content-Type-Options nosniff always;
        add_header Referrer-Policy no-referrer always;
        add_header X-Frame-Options DENY always;
        add_header Cache-Control "no-cache" always;
        error_page 403 404 {base}{missing_page};
    }}

    location {base}{assets}/ {{
        alias {folder}/{assets}/;
        types {{ text/css css; text/javascript js; image/svg+xml svg; }}
        add_header X-Content-Type-Options nosniff always;
        # Their names change with their content.
        add_header Cache-Control "public, max-age=31536000, immutable" always;
    }}

    location @registry_missing {{
        internal;
        default_type application/json;
        add_header Access-Control-Allow-Origin "*" always;
        return 404 {missing};
    }}

    location @registry_read_only {{
        internal;
        # Browsers ask first whether a page of another origin may send a header such as If-None-Match.
        if ($request_method = OPTIONS) {{
            add_header Access-Control-Allow-Origin "*" always;
            add_header Access-Control-Allow-Methods "GET, HEAD, OPTIONS" always;
            add_header Access-Control-Allow-Headers $http_access_control_request_headers always;
            add_header Access-Control-Max-Age 600 always;
            add_header Allow "GET, HEAD, OPTIONS" always;
            return 204;
        }}
        default_type application/json;
        add_header Allow "GET, HEAD" always;
        add_header Access-Control-Allow-Origin "*" always;
        return 405 {read_only};
    }}
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
    return _NGINX.format(
        folder=_quoted(str(folder)),
        listen=listen,
        server_name=server_name,
        without_slash=_WITHOUT_SLASH.format(path=base.rstrip("/"), base=base) if base != "/" else "",
        base=base,
        api=addresses.API,
        assets=addresses.ASSETS,
        missing_page=addresses.NOT_FOUND_PAGE,
        missing=f"'{NOT_FOUND_TEXT}'",
        read_only=f"'{READ_ONLY_TEXT}'",
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace(" ", "\\ ").replace(";", "\\;").replace("$", "\\$")
