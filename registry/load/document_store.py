"""Store of parsed documents by path and blob id: their data as JSON and the bytes of their files."""

from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

import orjson

from registry.cache.build_cache import BuildCache, Table
from registry.errors import UsageError
from registry.git import GitError, Repository
from registry.load import yaml

# Number of documents held in memory at once.
_BATCH = 1_000
DOCUMENTS: Table[bytes] = Table("documents", bytes, bytes, in_pieces=False)
"""Key: path and blob id. Value: one line with the document's data as JSON, then the bytes of the file."""


class DocumentStore:
    """Reads stored documents one at a time. Most builds render only a few of them."""

    def __init__(self, cache: BuildCache, repository: Repository | None) -> None:
        """Use `repository` to read files that are no longer in the cache."""
        self._cache = cache
        self._repository = repository

    def keep(self, documents: Iterable[tuple[str, str, bytes, bytes]]) -> None:
        """Store documents, each as path, blob id, JSON of the data and bytes of the file."""
        rest = iter(documents)
        while batch := list(islice(rest, _BATCH)):
            digests = {f"{path}\n{blob}": blob for path, blob, _, _ in batch}
            values = {f"{path}\n{blob}": json + b"\n" + raw for path, blob, json, raw in batch}
            self._cache.put(DOCUMENTS, digests, values)

    def get(self, key: tuple[str, str]) -> tuple[bytes, bytes]:
        """Return the JSON of the data and the bytes of the file.

        Raises UsageError when neither the cache nor git has the document.
        """
        path, blob = key
        value = self._cache.get(DOCUMENTS, f"{path}\n{blob}", blob)
        if value is not None:
            json, _, raw = value.partition(b"\n")
            return json, raw
        # Another process or the user emptied the cache after this build started.
        found = self._committed(blob)
        if found is None:
            raise UsageError(
                f"{path} is missing in the cache, which was emptied during the build", "run the command again"
            )
        return orjson.dumps(yaml.read_data(found)), found

    def _committed(self, blob: str) -> bytes | None:
        if self._repository is None:
            return None
        with suppress(GitError):
            data = next(self._repository.read_blobs([blob], at_most=yaml.MAX_BYTES))[1]
            return data if isinstance(data, bytes) else None
        return None
