"""Caddy: a site block of a Caddyfile."""

from collections.abc import Mapping
from pathlib import Path

from registry.load.settings import Settings
from registry.model import addresses
from registry.model.http_headers import (
    API_HEADERS,
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

_CADDY = """# Serves the registry built at {folder}, written by `registry webserver caddy`.
# Caddy 2.11 or newer: older ones lose the query of redirects, and answer writes as if they had worked.
http://{server_name}:{port} {{
	{bind}encode zstd gzip
{without_slash}{mcp}
	@api path {base}{api} {base}{api}/* {base}{api_file}
	@preflight {{
		method OPTIONS
		path {base}{api} {base}{api}/* {base}{api_file}
	}}
	handle @preflight {{
		{preflight_headers}
		header Access-Control-Allow-Methods "{methods}"
		header Access-Control-Allow-Headers {{header.Access-Control-Request-Headers}}
		header Access-Control-Max-Age 600
		header Allow "{methods}"
		respond 204
	}}

	@write not method GET HEAD
	handle @write {{
		header Allow "GET, HEAD"
		{api_headers}
		{revalidated}
		header Content-Type application/json
		respond `{read_only}` 405
	}}

	handle @api {{
		{strip}root * {folder}
		{api_headers}
		{revalidated}
		@lines path *.ndjson
		# `>`: after the file server has set its own type.
		header @lines >Content-Type {lines}
		file_server {{
			index index.json
		}}
	}}

	handle {base}* {{
		{strip}root * {folder}
		{security_headers}
		@assets path /{assets}/*
		@others not path /{assets}/*
		# The names of assets change with their content.
		header @assets Cache-Control "{immutable}"
		header @others Cache-Control "{cache}"
{exports}		file_server
	}}

	handle_errors {{
{mcp_errors}		@failed_api path {base}{api} {base}{api}/* {base}{api_file}
		handle @failed_api {{
			{error_headers}
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


_MCP = """
	# The MCP Registry API. Its addresses have no slash at the end, and are not those of files. The slash
	# in the name of a server can be encoded.
	@mcp_preflight {{
		method OPTIONS
		path {base}{mcp}/*
	}}
	handle @mcp_preflight {{
		{preflight_headers}
		header Access-Control-Max-Age 600
		header Allow "{methods}"
		respond 204
	}}
	@mcp_read {{
		method GET HEAD
		path {base}{mcp}/*
	}}
	handle @mcp_read {{
		root * {folder}
		{headers}
		@mcp_page {{
			path {base}{servers} {base}{servers}/
			expression `{{http.request.uri.query.cursor}}.matches("^[0-9]+$")`
		}}
		rewrite @mcp_page {base}{servers}/_after/{{query.cursor}}/{index}
		rewrite * {{path}}/{index}
		{strip}file_server
	}}
"""
_MCP_ERRORS = """\
		@failed_mcp path {base}{mcp}/*
		handle @failed_mcp {{
			{headers}
			header Content-Type application/json
			respond `{missing}`
		}}
"""
# `>` as above.
_EXPORTS = """\
		@exports path */{exports}/*
		header @exports >Content-Type "{type}"
"""


def server_config(folder: Path, settings: Settings, listen: str, server_name: str) -> str:
    """Return a site block; see `webserver_config`."""
    base = settings.base_path
    host, port = split_listen(listen)
    mcp_headers = {**MCP_HEADERS, **SECURITY_HEADERS, "Cache-Control": REVALIDATED}
    strip = f"uri strip_prefix {base.rstrip('/')}\n\t\t" if base != "/" else ""
    mcp = _MCP.format(
        folder=_quoted(str(folder)),
        base=base,
        mcp=addresses.MCP,
        servers=addresses.MCP_SERVERS,
        index=addresses.API_INDEX,
        strip=strip,
        methods=READ_METHODS,
        preflight_headers=_headers(MCP_HEADERS),
        headers=_headers(mcp_headers),
    )
    mcp_errors = _MCP_ERRORS.format(
        base=base,
        mcp=addresses.MCP,
        headers=_headers(mcp_headers, depth=3),
        missing=SERVER_NOT_FOUND_TEXT,
    )
    return _CADDY.format(
        folder=_quoted(str(folder)),
        server_name="" if server_name == "_" else server_name,
        port=port,
        bind=f"bind {host}\n\t" if host else "",
        without_slash=_redirect(base) if base != "/" else "",
        strip=strip,
        mcp=mcp if "mcp" in settings.protocols else "",
        mcp_errors=mcp_errors if "mcp" in settings.protocols else "",
        base=base,
        api=addresses.API,
        api_file=addresses.api_files(addresses.API)[1],
        assets=addresses.ASSETS,
        methods=READ_METHODS,
        preflight_headers=_headers(API_HEADERS),
        api_headers=_headers({**API_HEADERS, **SECURITY_HEADERS}),
        error_headers=_headers({**API_HEADERS, **SECURITY_HEADERS, "Cache-Control": REVALIDATED}, depth=3),
        security_headers=_headers(SECURITY_HEADERS),
        revalidated=_headers({"Cache-Control": REVALIDATED}),
        cache=REVALIDATED,
        exports=_EXPORTS.format(exports=addresses.EXPORTS, type=EXPORT_TYPE) if settings.exports else "",
        immutable=IMMUTABLE,
        lines=MEDIA_TYPES[".ndjson"],
        missing=NOT_FOUND_TEXT,
        missing_page=addresses.NOT_FOUND_PAGE,
        read_only=READ_ONLY_TEXT,
    )


def _headers(headers: Mapping[str, str], depth: int = 2) -> str:
    separator = "\n" + "\t" * depth
    return separator.join(f'header {name} "{value}"' for name, value in headers.items())


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
