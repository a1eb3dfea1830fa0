"""One committed state of one definition."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


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


def blobs_of(revisions: Iterable[Revision]) -> Iterator[str]:
    """Yield the blob ids needed to show these revisions and their changes."""
    return (
        blob for one in revisions for blob in (one.old_blob, one.blob, *one.other_blobs) if blob is not None
    )
