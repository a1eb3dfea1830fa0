"""The live server: the static site over HTTP, built anew when the files have changed. Later: filters, writes, login."""

from registry.server.app import make_app

__all__ = ["make_app"]
