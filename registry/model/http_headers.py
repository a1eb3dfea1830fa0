"""HTTP headers of the files of a site, as every web server, host and bucket must send them; pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from registry.model.addresses import ASSETS, is_api, is_export, is_mcp

if TYPE_CHECKING:
    from collections.abc import Mapping

# Clients of the 2013 service compare the header with exactly "application/json", without a charset.
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".json": "application/json",
        ".ndjson": "application/x-ndjson",
        ".html": "text/html",
        ".css": "text/css",
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".atom": "application/atom+xml",
        ".sqlite": "application/vnd.sqlite3",
        ".parquet": "application/vnd.apache.parquet",
        ".yaml": "application/yaml",
        # The program has no such files. Templates of a registry can have them among their assets.
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".webp": "image/webp",
        ".ico": "image/vnd.microsoft.icon",
        ".woff2": "font/woff2",
        ".txt": "text/plain",
    }
)
"""Media types by the ending of a file's name. No charset: servers add it, or not."""
DEFAULT_TYPE = "application/octet-stream"
EXPORT_TYPE = "text/plain; charset=utf-8"
"""Media type of exports. Their names end as programs expect it, with endings that web servers do not know."""
COMPRESSED_TYPES = tuple(
    MEDIA_TYPES[ending] for ending in (".json", ".ndjson", ".css", ".js", ".svg", ".atom")
)
"""Types that servers compress, besides HTML."""
SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
)
"""Sent with every file."""
API_HEADERS: Mapping[str, str] = MappingProxyType({"Access-Control-Allow-Origin": "*"})
"""Sent with the files of the API as well: pages of other origins may read them."""
MCP_METHODS = "GET, OPTIONS"
MCP_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        **API_HEADERS,
        "Access-Control-Allow-Methods": MCP_METHODS,
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
    }
)
"""Sent with each answer of the MCP Registry API: GitHub Copilot expects them with GET and OPTIONS."""
REVALIDATED = "no-cache"
"""`Cache-Control` of files that change: a copy is used only after the server confirmed it."""
IMMUTABLE = "public, max-age=31536000, immutable"
"""`Cache-Control` of assets, whose names change with their content (RFC 8246)."""


def media_type(path: str) -> str:
    """Return the media type of a file of a site, with the charset of texts."""
    if is_export(path):
        return EXPORT_TYPE
    _, dot, ending = path.rpartition("/")[2].rpartition(".")
    found = MEDIA_TYPES.get(dot + ending, DEFAULT_TYPE)
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def cache_control(path: str) -> str:
    """Return the value of `Cache-Control` for a file of a site."""
    return IMMUTABLE if path.startswith(f"{ASSETS}/") else REVALIDATED


def headers_of(path: str) -> dict[str, str]:
    """Return the headers of a file of a site. `path` is relative to the site's folder."""
    own = API_HEADERS if is_api(path) else MCP_HEADERS if is_mcp(path) else {}
    return {
        "Content-Type": media_type(path),
        "Cache-Control": cache_control(path),
        **SECURITY_HEADERS,
        **own,
    }
