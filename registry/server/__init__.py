"""The live server: the site over HTTP as its files are now, parts of lists, live reload. Later: writes, login."""

from registry.server.app import Server

__all__ = ["Server"]
