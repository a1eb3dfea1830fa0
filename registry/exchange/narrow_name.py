"""Names of definitions in formats that allow fewer characters; pure."""

import hashlib
import re
from string import ascii_letters, ascii_lowercase, digits

_DIGEST_LENGTH = 8
_SIGNS = ("-", ".", "_")
_DASHES = re.compile("-+")


def narrow_name(name: str, *, signs: str, longest: int, is_lower: bool = False) -> str:
    """Return the name of a definition with `/` as `-`, for a format that allows fewer characters.

    The format allows letters and digits of ASCII, with `is_lower` no capitals, and `signs`. If it lacks a
    character of the name, or the name is longer than `longest` or ends in a sign, a digest of the name at
    the end keeps the result unique. `a/b` and `a-b` are the same: the caller must reject the second of them.
    """
    narrow = name.replace("/", "-")
    allowed = {*(ascii_lowercase if is_lower else ascii_letters), *digits, *signs}
    if len(narrow) <= longest and allowed.issuperset(narrow) and not narrow.endswith(_SIGNS):
        return narrow
    letters = narrow.lower() if is_lower else narrow
    readable = _DASHES.sub("-", "".join([one if one in allowed else "-" for one in letters]))
    start = readable.strip("-._")[: longest - _DIGEST_LENGTH - 1].rstrip("-._")
    return f"{start or 'process'}-{_digest(name)}"


def is_narrow_name(narrow: str, name: str) -> bool:
    """True if `narrow_name` can return this for the name of a definition."""
    return narrow == name.replace("/", "-") or narrow.endswith(f"-{_digest(name)}")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
