"""HTTP server of `registry serve`: current files of the site, list queries and live reload."""

from __future__ import annotations

from registry.server.app import Server
from registry.server.connections import connection_limit
from registry.server.cors import CorsPolicy
from registry.server.hosts import AllowedHosts, is_loopback
from registry.server.listening import listen, url_host

__all__ = ["AllowedHosts", "CorsPolicy", "Server", "connection_limit", "is_loopback", "listen", "url_host"]
