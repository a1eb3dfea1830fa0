"""Entity tags and the `If-Match` header (RFC 9110, sections 8.8.3 and 13.1.1); pure.

The tag of a definition is `"<number of its newest revision>-<digest of its answer>"`. A compressed answer has
the same tag with the name of its encoding added.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from registry.writes.rejection import RejectedError

# The optional last part is the encoding: proxies and this server mark compressed answers with it.
_TAG = re.compile(r'"([0-9]{1,15})-([0-9a-f]{24})(?:-[a-z]{2,8})?"\Z')
_LIST = re.compile(r'\s*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"\s*(?:,\s*|\Z))+\Z')
_ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
# Each tag can cost reading an old content, so a long header must not name thousands.
_MOST_TAGS = 64


class EntityTag(NamedTuple):
    """The state of a definition that a client has seen: revision number, and the digest of its answer."""

    revision: int
    digest: str

    def __str__(self) -> str:
        """The tag as in a header."""
        return f'"{self.revision}-{self.digest}"'


ANY = None
"""`If-Match: *` matches every definition that exists."""


def tag_of(revision: int, answer: bytes) -> EntityTag:
    """Return the tag of a definition from the number of its newest revision and its answer."""
    # 96 bits suffice against accidental equality, and keep the header short.
    return EntityTag(revision, hashlib.blake2b(answer, digest_size=12).hexdigest())


def parse_if_match(header: str) -> tuple[EntityTag, ...] | None:
    """Return the tags in an `If-Match` header, or `ANY` for `*`.

    Tags of another form match nothing: weak ones never do, and others are not from this server. Raises
    RejectedError with status 400 for a malformed header.
    """
    if header.strip() == "*":
        return ANY
    if not _LIST.match(header):
        raise RejectedError(400, 'If-Match is neither * nor a list of entity tags such as "3-…"')
    items = _ENTITY_TAG.findall(header)
    if len(items) > _MOST_TAGS:
        raise RejectedError(400, f"If-Match has more than {_MOST_TAGS} entity tags")
    found = [_TAG.match(tag) for weak, tag in items if not weak]
    return tuple(EntityTag(int(one[1]), one[2]) for one in found if one)
