"""Limits of hosts for static sites, as their documentation stated them in 2026. Edit this table only.

Sources: docs.github.com/pages (limits; a file of a git repository has at most 100 MiB),
docs.gitlab.com/administration/pages and gitlab.com issue 500273 (entries, with folders), changelog of
developers.cloudflare.com of 2026-01-23, and issues 139 of Azure/static-web-apps and 4792 of dapr/docs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB = 2**20


class SiteSize(NamedTuple):
    """What hosts count: files, folders, bytes, and bytes of the largest file."""

    files: int
    folders: int
    bytes: int
    largest_file: int


class Excess(NamedTuple):
    """A limit that a site exceeds. `what` is a field of `SiteSize`, or `entries`: files and folders."""

    what: str
    value: int
    limit: int


@dataclass(frozen=True, slots=True)
class Host:
    """A host with its limits: files, entries (files and folders), bytes in all, and bytes of a file."""

    name: str
    files: int | None = None
    entries: int | None = None
    bytes: int | None = None
    file_bytes: int | None = None

    def exceeded(self, size: SiteSize) -> Iterator[Excess]:
        """Yield the limits that a site exceeds."""
        # The folder of the site is an entry, too.
        entries = size.files + size.folders + 1
        for what, value, limit in (
            ("files", size.files, self.files),
            ("entries", entries, self.entries),
            ("bytes", size.bytes, self.bytes),
            ("largest_file", size.largest_file, self.file_bytes),
        ):
            if limit is not None and value > limit:
                yield Excess(what, value, limit)


HOSTS = (
    Host("GitHub Pages", bytes=10**9, file_bytes=100 * _MIB),
    Host("GitLab Pages", entries=200_000, bytes=10**9),
    Host("Cloudflare Pages, free", files=20_000, file_bytes=25 * _MIB),
    Host("Cloudflare Pages, paid", files=100_000, file_bytes=25 * _MIB),
    # No limits are documented.
    Host("Netlify"),
    Host("Azure Static Web Apps", files=10_000, bytes=500 * _MIB),
    Host("a bucket, or a server of your own"),
)
