"""Files to a generation on disk: only what changed is written, and a reader never sees half of a site."""

from registry.site.generations import Site, WriteResult

__all__ = ["Site", "WriteResult"]
