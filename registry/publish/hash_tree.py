"""Digests of a published site: 256 leaves, and a root that names them; pure.

A leaf lists the files whose path has a SHA-256 that starts with its number. A client verifies one file with
the root (20 kB) and one leaf. The root also has a sequence number, so that a client notices an older state,
and the head of the ledger, so that it notices a registry that assigned ids differently.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import orjson

from registry.model.addresses import PUBLICATION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ADDED_FOLDER = PUBLICATION
"""Folder of everything that is added by publishing, below the site."""
ROOT_FILE = f"{ADDED_FOLDER}/root.json"
SIGNATURE_FILE = f"{ROOT_FILE}.sig"
REPLACED_FOLDER = f"{ADDED_FOLDER}/before"
"""Folder of files that a bucket has replaced while it publishes the next state."""
_FORMAT = 1
_LEAVES = tuple(f"{number:02x}" for number in range(256))


class FileDigest(NamedTuple):
    """SHA-256 (hexadecimal) and size in bytes of a file."""

    sha256: str
    size: int


class InvalidTreeError(ValueError):
    """A root or leaf does not have the form that this version writes."""


@dataclass(frozen=True, slots=True)
class Root:
    """The state that a site was published in.

    `sequence` is one higher than that of the state before. `leaves` are the SHA-256 of the leaves, in order.
    `files` and `size` (bytes) are those of the site, without the folder `_registry`.
    """

    registry_id: str | None
    commit: str | None
    sequence: int
    ledger_lines: int
    ledger_head: str | None
    files: int
    size: int
    leaves: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return the content of the file `root.json`."""
        return orjson.dumps({"format": _FORMAT, **asdict(self)}, option=orjson.OPT_INDENT_2) + b"\n"


def parse_root(data: bytes) -> Root:
    """Return the root in a file. Raises InvalidTreeError."""
    try:
        found = orjson.loads(data)
        if found.pop("format") != _FORMAT:
            raise InvalidTreeError(f"{ROOT_FILE} has a format that this version does not know")
        root = Root(**{**found, "leaves": tuple(found["leaves"])})
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise InvalidTreeError(f"{ROOT_FILE} cannot be read: {error}") from error
    numbers = (root.sequence, root.ledger_lines, root.files, root.size)
    if len(root.leaves) != len(_LEAVES) or not all(type(one) is int and one >= 0 for one in numbers):
        raise InvalidTreeError(f"{ROOT_FILE} has values of the wrong form")
    return root


def leaf_file(leaf: str) -> str:
    """Return the path of a leaf (two hexadecimal digits)."""
    return f"{ADDED_FOLDER}/tree/{leaf}"


def replaced_file(sequence: int, path: str = "") -> str:
    """Return where a bucket keeps a file of the state with this sequence number. Without a path: all."""
    return f"{REPLACED_FOLDER}/{sequence:06}/{path}"


def leaf_of(path: str) -> str:
    """Return the leaf that lists a path."""
    return hashlib.sha256(path.encode()).hexdigest()[:2]


def leaf_files(files: Mapping[str, FileDigest]) -> dict[str, bytes]:
    """Return the contents of all leaves by path, in order."""
    lines: dict[str, list[str]] = {leaf: [] for leaf in _LEAVES}
    for path in sorted(files):
        digest = files[path]
        lines[leaf_of(path)].append(f"{digest.sha256} {digest.size} {path}\n")
    return {leaf_file(leaf): "".join(some).encode() for leaf, some in lines.items()}


def parse_leaf(data: bytes) -> dict[str, FileDigest]:
    """Return the digests in a leaf by path. Raises InvalidTreeError."""
    found = {}
    for line in data.decode("utf-8", "replace").splitlines():
        sha256, _, rest = line.partition(" ")
        size, _, path = rest.partition(" ")
        if len(sha256) != 64 or not size.isdecimal() or not path:
            raise InvalidTreeError("a leaf has a line of the wrong form")
        found[path] = FileDigest(sha256, int(size))
    return found


def all_leaf_files() -> list[str]:
    """Return the paths of all leaves, in the order of `Root.leaves`."""
    return [leaf_file(leaf) for leaf in _LEAVES]


def read_tree(read: Callable[[str], bytes | None]) -> tuple[Root, dict[str, FileDigest]]:
    """Return the root and the digests in all leaves by path. `read` returns a file, None if it is missing.

    The leaves are not compared with the root. Raises InvalidTreeError for a missing or invalid file.
    """
    root = parse_root(_present(ROOT_FILE, read))
    files: dict[str, FileDigest] = {}
    for leaf in all_leaf_files():
        files |= parse_leaf(_present(leaf, read))
    return root, files


def _present(path: str, read: Callable[[str], bytes | None]) -> bytes:
    data = read(path)
    if data is None:
        raise InvalidTreeError(f"{path} is missing")
    return data


def hex_digest(data: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()
