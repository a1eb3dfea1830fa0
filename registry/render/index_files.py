"""Links to files in place of folders: pages work when they are opened from disk. Pure: no I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from registry.model.addresses import INDEX_PAGE
from registry.render.target import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A link of a page to a folder of the site, and the address of a redirect. All of them are relative.
_TO_FOLDER = re.compile(rb'((?: href="|; url=)(?:\./|(?:\.\./)+)(?:[^"#?]*/)?)(?=["#?])')


def with_index_files(files: Iterable[File]) -> Iterator[File]:
    """Yield the files with links to the `index.html` of a folder in place of links to the folder."""
    for file in files:
        body = file.body
        if file.path.endswith(".html") and isinstance(body, bytes):
            body = _TO_FOLDER.sub(rb"\1" + INDEX_PAGE.encode(), body)
        yield File(file.path, body, file.twins)
