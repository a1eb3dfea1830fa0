"""Limits of hosts for static sites, as their documentation stated them in 2026. Edit this table only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """A host with its limits: number of files (with folders, if `counts_folders`), and bytes in all."""

    name: str
    files: int | None = None
    bytes: int | None = None
    counts_folders: bool = False

    def fits(self, files: int, folders: int, size: int) -> bool:
        """True when a site is within the limits."""
        counted = files + folders if self.counts_folders else files
        return (self.files is None or counted <= self.files) and (self.bytes is None or size <= self.bytes)


HOSTS = (
    Host("GitHub Pages", bytes=10**9),
    Host("GitLab Pages", files=200_000, bytes=10**9, counts_folders=True),
    Host("Cloudflare Pages, free", files=20_000),
    Host("Cloudflare Pages, paid", files=100_000),
    Host("Azure Static Web Apps", files=10_000),
    Host("a bucket, or a server of your own"),
)
