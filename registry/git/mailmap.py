"""`.mailmap`: display names of authors with several identities; pure. See gitmailmap(5)."""

import hashlib
import re

MAILMAP_PATH = ".mailmap"
LARGEST_MAILMAP_BYTES = 1024 * 1024
"""A larger file is ignored, because every author's name is searched in it."""
_LOWER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
_LINE = re.compile(r"([^<]*)<([^>]+)>(?:([^<]*)<([^>]*)>)?")


class Mailmap:
    """Names of authors. Addresses and names are compared case-insensitively, as in git."""

    def __init__(self, data: bytes = b"") -> None:
        """`data` is the content of the file; lines that git would ignore are ignored."""
        self.digest = hashlib.blake2b(data, digest_size=16).hexdigest() if data else ""
        self._by_address: dict[str, str] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        # Entries that match a name as well, which may change the address alone.
        self._named: set[tuple[str, str]] = set()
        for line in data.decode("utf-8", "replace").split("\n"):
            self._add(line)

    def _add(self, line: str) -> None:
        found = _LINE.match(line) if not line.startswith("#") else None
        if found is None:
            return
        shown, address, old_name, old_address = found.groups()
        shown, old_name = shown.strip(), (old_name or "").strip()
        if old_address is None:
            old_name, old_address = "", address
        if not old_name:
            if shown:
                self._by_address[_folded(old_address)] = shown
            return
        key = (_folded(old_address), _folded(old_name))
        # A later entry for the same identity replaces an earlier one as a whole.
        self._named.add(key)
        self._by_name.pop(key, None)
        if shown:
            self._by_name[key] = shown

    def name(self, author: str, address: str) -> str:
        """Return the display name of an author."""
        key = (_folded(address), _folded(author))
        if key in self._named:
            return self._by_name.get(key, author)
        return self._by_address.get(key[0], author)

    def __bool__(self) -> bool:
        """True when any name is changed."""
        return bool(self._by_address or self._by_name)


def _folded(text: str) -> str:
    """Return the text with ASCII letters in lower case."""
    return text.translate(_LOWER)
