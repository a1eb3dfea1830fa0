"""The HTML catalog: an index, lists, and for each definition a page, its history and its revisions; from `site_templates/`."""

from registry.render.html.catalog import render

__all__ = ["render"]
