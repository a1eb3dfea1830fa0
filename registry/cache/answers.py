"""Bodies of answers that were made before: a few single ones in this process, and long runs of them between runs."""

from registry.cache.cache_file import CacheFile
from registry.cache.spill_file import SpillFile, SpillRange

# So many single ones are held: a list asks for what was made for a definition's own address.
_MOST_HELD = 16_384


class AnswerCache:
    """Bodies by the key of their definition; and runs of many, one a line, by a name and a digest of all their keys."""

    def __init__(self, cache: CacheFile | None) -> None:
        """Runs are kept in the cache; without one in a temporary file."""
        self._cache = cache
        self._shelf: SpillFile | None = None
        self._places: dict[str, tuple[bytes, SpillRange]] = {}
        self._held: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """A single body, or None."""
        return self._held.get(key)

    def put(self, key: str, body: bytes) -> None:
        """One that was just made."""
        if len(self._held) >= _MOST_HELD:
            self._held.clear()
        self._held[key] = body

    def run(self, name: str, digest: bytes) -> bytes | None:
        """The run of this name, where it was made of just the bodies that `digest` stands for."""
        if self._cache is not None:
            stored = self._cache.get("answers", name)
            return stored[len(digest) :] if stored is not None and stored.startswith(digest) else None
        known = self._places.get(name)
        return (
            self._shelf.get(known[1])[1]
            if self._shelf is not None and known is not None and known[0] == digest
            else None
        )

    def put_run(self, name: str, digest: bytes, lines: bytes) -> None:
        """One that was just made."""
        if self._cache is not None:
            self._cache.keep({"answers": [(name, digest + lines)]})
            return
        self._shelf = self._shelf or SpillFile()
        self._places[name] = (digest, self._shelf.put(b"", lines))
