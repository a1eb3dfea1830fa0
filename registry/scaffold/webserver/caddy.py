"""Caddy: a site block of a Caddyfile."""

from pathlib import Path

from registry.load.settings import Settings
from registry.model import addresses
from registry.scaffold.webserver.answers import NOT_FOUND_TEXT, READ_METHODS, READ_ONLY_TEXT, split_listen

_CADDY = """# Serves the registry built at {folder}, written by `registry webserver caddy`.
# Caddy 2.11 or newer: older ones lose the query of redirects, and answer writes as if they had worked.
http://{server_name}:{port} {{
	{bind}encode zstd gzip
{without_slash}
	@api path {base}{api} {base}{api}/*
	@preflight {{
		method OPTIONS
		path {base}{api} {base}{api}/*
	}}
	handle @preflight {{
		header Access-Control-Allow-Origin *
		header Access-Control-Allow-Methods "{methods}"
		header Access-Control-Allow-Headers {{header.Access-Control-Request-Headers}}
		header Access-Control-Max-Age 600
		header Allow "{methods}"
		respond 204
	}}

	@write not method GET HEAD
	handle @write {{
		header Allow "GET, HEAD"
		header Access-Control-Allow-Origin *
		header Content-Type application/json
		respond `{read_only}` 405
	}}

	handle @api {{
		{strip}root * {folder}
		header Access-Control-Allow-Origin *
		header X-Content-Type-Options nosniff
		header Cache-Control no-cache
		@lines path *.ndjson
		# `>`: after the file server has set its own type.
		header @lines >Content-Type application/x-ndjson
		file_server {{
			index index.json
		}}
	}}

	handle {base}* {{
		{strip}root * {folder}
		header X-Content-Type-Options nosniff
		header Referrer-Policy no-referrer
		header X-Frame-Options DENY
		@assets path /{assets}/*
		@others not path /{assets}/*
		# The names of assets change with their content.
		header @assets Cache-Control "public, max-age=31536000, immutable"
		header @others Cache-Control no-cache
		file_server
	}}

	handle_errors {{
		@failed_api path {base}{api} {base}{api}/*
		handle @failed_api {{
			header Access-Control-Allow-Origin *
			header Content-Type application/json
			respond `{missing}`
		}}
		handle {{
			root * {folder}
			rewrite * /{missing_page}
			file_server
		}}
	}}
}}
"""


def server_config(folder: Path, settings: Settings, listen: str, server_name: str) -> str:
    """Return a site block; see `webserver_config`."""
    base = settings.base_path
    host, port = split_listen(listen)
    return _CADDY.format(
        folder=_quoted(str(folder)),
        server_name="" if server_name == "_" else server_name,
        port=port,
        bind=f"bind {host}\n\t" if host else "",
        without_slash=_redirect(base) if base != "/" else "",
        strip=f"uri strip_prefix {base.rstrip('/')}\n\t\t" if base != "/" else "",
        base=base,
        api=addresses.API,
        assets=addresses.ASSETS,
        methods=READ_METHODS,
        missing=NOT_FOUND_TEXT,
        missing_page=addresses.NOT_FOUND_PAGE,
        read_only=READ_ONLY_TEXT,
    )


def _redirect(base: str) -> str:
    path = base.rstrip("/")
    return (
        f'\n\t@query {{\n\t\tpath {path}\n\t\texpression `{{http.request.uri.query}} != ""`\n\t}}\n'
        f"\tredir @query {base}?{{query}} 301\n\tredir {path} {base} 301\n"
    )


def _quoted(text: str) -> str:
    """Return a token of a Caddyfile. Braces would be placeholders."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("{", "\\{").replace("}", "\\}")
    return f'"{escaped}"'
