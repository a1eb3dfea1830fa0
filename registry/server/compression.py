"""Content encodings: zstd, br and gzip, in this order of preference when the client weighs them alike."""

import gzip
from collections.abc import Callable
from functools import lru_cache

import brotli
import zstandard


def _zstd(body: bytes) -> bytes:
    return bytes(zstandard.ZstdCompressor(level=6).compress(body))


def _br(body: bytes) -> bytes:
    return bytes(brotli.compress(body, quality=5))


def _gzip(body: bytes) -> bytes:
    # No modification time: the same body always gives the same bytes.
    return gzip.compress(body, compresslevel=6, mtime=0)


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "br": _br, "gzip": _gzip}


_LONGEST_HEADER = 500


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
