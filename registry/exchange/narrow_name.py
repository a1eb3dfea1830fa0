"""Names of definitions in formats that allow fewer characters; pure."""

import hashlib
import re

_DIGEST_LENGTH = 8


def narrow_name(name: str, *, allowed: str, longest: int) -> str:
    """Return the name of a definition with `/` as `-`, for a format that allows fewer characters.

    `allowed` is the content of a character class with at least `a-z0-9-`. If it lacks other characters of
    the name, or the name is longer than `longest` or ends in a sign, a digest of the name at the end keeps
    the result unique. `a/b` and `a-b` are the same: the caller must reject the second of them.
    """
    narrow = name.replace("/", "-")
    if len(narrow) <= longest and re.fullmatch(rf"[{allowed}]+(?<![-._])", narrow):
        return narrow
    readable = re.sub(rf"[^{allowed}]+", "-", narrow if "A-Z" in allowed else narrow.lower())
    start = readable.strip("-._")[: longest - _DIGEST_LENGTH - 1].rstrip("-._")
    return f"{start or 'process'}-{_digest(name)}"


def is_narrow_name(narrow: str, name: str) -> bool:
    """True if `narrow_name` can return this for the name of a definition."""
    return narrow == name.replace("/", "-") or narrow.endswith(f"-{_digest(name)}")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
