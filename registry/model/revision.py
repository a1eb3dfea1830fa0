"""One committed state of one definition."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Messages of commits that only write ids into files, as `registry.indexing` makes them.
_ASSIGNS_IDS = re.compile(
    r"(?:Assign (?:an id|ids) to |Restore ids)[^\n]*\n\n(?:[a-z0-9_]+ [0-9]+ [a-z]+: |definitions/)"
)


class Revision(NamedTuple):
    """One state of a definition. `blob` is None if it was deleted, `commit` is None if it is not committed.

    `old_blob` is the previous state in the commit graph, which is not always the revision listed before: two
    branches can change one file. `other_blobs` are the states on the other parents of a merge. `date` is the
    author's, ISO 8601 with the author's offset. `message` is the commit's subject and at most 2 KiB of its
    body.
    """

    number: int
    commit: str | None
    author: str
    date: str
    message: str
    name: str
    blob: str | None
    old_blob: str | None
    other_blobs: tuple[str, ...] = ()

    @property
    def only_assigns_id(self) -> bool:
        """True when the commit only wrote an id into the file, so that nothing that people see changed."""
        is_edit = self.old_blob is not None and self.blob is not None
        return is_edit and _ASSIGNS_IDS.match(self.message) is not None


def blobs_of(revisions: Iterable[Revision]) -> Iterator[str]:
    """Yield the blob ids needed to show these revisions and their changes."""
    return (
        blob for one in revisions for blob in (one.old_blob, one.blob, *one.other_blobs) if blob is not None
    )
