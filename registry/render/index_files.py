"""Links to files in place of folders: pages work when they are opened from disk. Pure: no I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.model.addresses import INDEX_PAGE
from registry.render.target import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The path of a link of a page, and that of a redirect.
_LINK = re.compile(rb'(?: href="|; url=)([^"#? ]*)')


def with_index_files(files: Iterable[File]) -> Iterator[File]:
    """Yield the files with links to the `index.html` of a folder in place of links to the folder."""
    for file in files:
        body = file.body
        if file.path.endswith(".html") and isinstance(body, bytes):
            body = _LINK.sub(_to_file, body)
        yield File(file.path, body, file.twins)


def _to_file(link: re.Match[bytes]) -> bytes:
    """Return a link with the file if its path is a folder of the site; all of these paths are relative."""
    is_folder = link[1].startswith((b"./", b"../")) and link[1].endswith(b"/")
    return link[0] + INDEX_PAGE.encode() if is_folder else link[0]
