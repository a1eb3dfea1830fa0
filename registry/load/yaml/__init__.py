"""Read YAML bytes to plain data with the location of every value; strict, pure, and safe on any input.

`read` returns locations. `load` and `read_data` do not: they read files in the usual form line by line.
"""

from registry.load.yaml.document import Node, ParsedDocument, Place
from registry.load.yaml.lazy import SpilledDocuments, StoredDocument, load, read_data
from registry.load.yaml.strict import MAX_BYTES, MAX_DEPTH, read, too_large

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Node",
    "ParsedDocument",
    "Place",
    "SpilledDocuments",
    "StoredDocument",
    "load",
    "read",
    "read_data",
    "too_large",
]
