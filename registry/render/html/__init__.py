"""Renders the HTML catalog from `site_templates/`.

The catalog has an index, lists, and for each definition a page, its history and its revisions.
"""

from __future__ import annotations

from registry.render.html.catalog import render, render_one, target_at

__all__ = ["render", "render_one", "target_at"]
