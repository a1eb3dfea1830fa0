"""Writes the site to disk: only changed files are written, and readers never see a partial site."""

from registry.site.generations import Site, WriteResult

__all__ = ["Site", "WriteResult"]
