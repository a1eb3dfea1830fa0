"""Bytes of YAML to plain data with the place of everything in it; strict, pure, and safe on any input.

`read` gives places, `load` and `read_data` do without: they take files in the usual form line by line.
"""

from registry.yaml.document import Document, Node, Place
from registry.yaml.reader import MAX_BYTES, MAX_DEPTH, Reading, read, too_large
from registry.yaml.scalars import is_ambiguous
from registry.yaml.stored import Loading, StoredDocument, load, read_data

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Document",
    "Loading",
    "Node",
    "Place",
    "Reading",
    "StoredDocument",
    "is_ambiguous",
    "load",
    "read",
    "read_data",
    "too_large",
]
