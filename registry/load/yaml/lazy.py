"""Documents without locations: faster to read, and half the memory."""

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson

from registry.cache.spill_file import SpillFile, SpillRange
from registry.load.yaml.document import ParsedDocument, Place
from registry.load.yaml.fast import UnusualFormError, read_lines
from registry.load.yaml.strict import read
from registry.model.problem import Problem, Span

# A page, an answer and a line of a list use the same document one after the other.
_MOST_HELD = 256


class Loading(NamedTuple):
    """Result of loading: a document, or None if it could not be read, and all problems found."""

    document: "ParsedDocument | StoredDocument | None"
    problems: tuple[Problem, ...]


def load(data: bytes, path: str) -> Loading:
    """Read one file's bytes strictly, with the same result as `read`. Never raises for the file's content."""
    try:
        return Loading(StoredDocument(path, None, (read_lines(data), data)), ())
    except UnusualFormError:
        return Loading(*read(data, path))


def read_data(data: bytes) -> Any:
    """Return the data of one file, as `read(…).document.data`, or None if there is no document."""
    try:
        return read_lines(data)
    except UnusualFormError:
        document = read(data, "").document
        return document.data if document is not None else None


class Store(Protocol):
    """Storage of documents that were read before. Hashed by identity, not by content."""

    def __hash__(self) -> int: ...

    def get(self, key: Any) -> tuple[bytes, bytes]:
        """Return a document's data as JSON and the bytes of its file.

        Raises RegistryError if the document is no longer stored.
        """


class SpilledDocuments:
    """Documents in a temporary file: parsed, checked, and not needed again before rendering."""

    def __init__(self) -> None:
        """Create an empty store."""
        self._file = SpillFile()

    def put(self, json: bytes, raw: bytes) -> tuple[SpillRange, SpillRange]:
        """Add a document: its data as JSON and the bytes of its file."""
        return self._file.put(json), self._file.put(raw)

    def get(self, key: tuple[SpillRange, SpillRange]) -> tuple[bytes, bytes]:
        """Return a document that `put` stored."""
        json, raw = key
        return self._file.get(json), self._file.get(raw)


class StoredDocument:
    """A document without locations that may be stored elsewhere; it is read again on demand.

    Locations are rarely needed: only for findings. Most builds render few definitions.
    """

    __slots__ = ("_key", "_store", "path")

    def __init__(self, path: str, store: Store | None, key: Any) -> None:
        """`key` identifies the document in `store`; without a store it is the data and the file's bytes."""
        self.path = path
        self._store = store
        self._key = key

    @property
    def data(self) -> Any:
        """The plain data."""
        return (_fetched(self._store, self._key) if self._store is not None else self._key)[0]

    @property
    def raw(self) -> bytes:
        """The bytes of the file."""
        found: bytes = (_fetched(self._store, self._key) if self._store is not None else self._key)[1]
        return found

    def at_hand(self) -> "StoredDocument":
        """Return the same document with its data in memory, for repeated access."""
        return (
            StoredDocument(self.path, None, _fetched(self._store, self._key))
            if self._store is not None
            else self
        )

    @property
    def place(self) -> Place:
        """The location of the document's first token."""
        return _with_places(self.raw, self.path).place

    def span(self, pointer: tuple[str | int, ...] = (), *, key: bool = False) -> Span:
        """Return the location of the value at `pointer`, as in `Document.span`."""
        return _with_places(self.raw, self.path).span(pointer, key=key)


@lru_cache(maxsize=_MOST_HELD)
def _fetched(store: Store, key: Any) -> tuple[Any, bytes]:
    json, raw = store.get(key)
    return orjson.loads(json), raw


@lru_cache(maxsize=16)
def _with_places(raw: bytes, path: str) -> ParsedDocument:
    document = read(raw, path).document
    assert document is not None  # the document was read before
    return document
