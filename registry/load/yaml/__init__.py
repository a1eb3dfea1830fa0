"""Bytes of YAML to plain data with the place of everything in it; strict, pure, and safe on any input.

`read` gives places, `load` and `read_data` do without: they take files in the usual form line by line.
"""

from registry.load.yaml.document import Node, ParsedDocument, Place
from registry.load.yaml.lazy import Loading, SpilledDocuments, StoredDocument, load, read_data
from registry.load.yaml.scalars import is_ambiguous
from registry.load.yaml.strict import MAX_BYTES, MAX_DEPTH, Reading, read, too_large

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Loading",
    "Node",
    "ParsedDocument",
    "Place",
    "Reading",
    "SpilledDocuments",
    "StoredDocument",
    "is_ambiguous",
    "load",
    "read",
    "read_data",
    "too_large",
]
