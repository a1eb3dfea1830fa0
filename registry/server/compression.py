"""Content encodings: zstd, br and gzip, in this order of preference when the client weighs them alike."""

import gzip
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

import brotli
import zstandard


def _zstd(body: bytes) -> bytes:
    # A compressor for each call: one object must not be used by several threads.
    return bytes(zstandard.ZstdCompressor(level=6).compress(body))


def _br(body: bytes) -> bytes:
    # Higher levels take ten times as long for a few percent, and live answers are compressed when they are
    # requested.
    return bytes(brotli.compress(body, quality=5))


def _gzip(body: bytes) -> bytes:
    # No modification time: the same body always gives the same bytes.
    return gzip.compress(body, compresslevel=6, mtime=0)


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "br": _br, "gzip": _gzip}


# Browsers send about 30 characters. Parsing is linear, but its results are cached by the whole header.
_LONGEST_HEADER = 500


class CompressedBodies:
    """Compressed bodies by entity tag: they survive a new state of the registry, as unchanged answers do.

    The least recently requested ones are dropped when there are too many bytes.
    """

    def __init__(self, most_bytes: int) -> None:
        """Start without any."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._found: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def get(self, etag: str, body: bytes, encoding: str) -> bytes:
        """Return a body in an encoding. `etag` is of this body alone."""
        key = (etag, encoding)
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
            return found
        found = self._found[key] = ENCODINGS[encoding](body)
        self._bytes += len(found)
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._found.popitem(last=False)[1])
        return found


def chosen_encoding(accepted: str) -> str:
    """Return the encoding for an Accept-Encoding header (RFC 9110, section 12.5.3).

    Returns "" for no encoding, and for a header longer than `_LONGEST_HEADER`.
    """
    return _chosen(accepted) if len(accepted) <= _LONGEST_HEADER else ""


@lru_cache(maxsize=256)
def _chosen(accepted: str) -> str:
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        weight = 1.0
        for parameter in parameters.split(";"):
            key, _, value = parameter.strip().partition("=")
            if key == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        weights[name.strip()] = weight
    best = max(ENCODINGS, key=lambda name: weights.get(name, weights.get("*", 0.0)))
    return best if weights.get(best, weights.get("*", 0.0)) > 0 else ""
