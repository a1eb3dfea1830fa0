"""The search: an index in small files, and the ranking that the pages and the live server share.

`site_templates/assets/search.js` does the same as `terms` and `ranking` in a browser.
"""

from __future__ import annotations

from registry.render.search.index import SearchIndex, render, search_index, search_settings, target_at

__all__ = ["SearchIndex", "render", "search_index", "search_settings", "target_at"]
