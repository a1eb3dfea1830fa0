"""Documents read without the places of what is in them, which is faster, and takes half of the memory."""

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson

from registry.cache.spill_file import SpillFile, SpillRange
from registry.load.yaml.document import ParsedDocument, Place
from registry.load.yaml.fast import UnusualFormError, read_lines
from registry.load.yaml.strict import read
from registry.model.problem import Problem, Span

# A page, an answer and a line of a list ask for the same document, one after the other.
_MOST_HELD = 256


class Loading(NamedTuple):
    """What loading gave: a document, or None where it could not be read at all; and all that was found."""

    document: "ParsedDocument | StoredDocument | None"
    problems: tuple[Problem, ...]


def load(data: bytes, path: str) -> Loading:
    """Read one file's bytes strictly, as `read` does. Never raises for what is in the file."""
    try:
        return Loading(StoredDocument(path, None, (read_lines(data), data)), ())
    except UnusualFormError:
        return Loading(*read(data, path))


def read_data(data: bytes) -> Any:
    """The data of one file: `read(…).document.data`, or None where there is no document."""
    try:
        return read_lines(data)
    except UnusualFormError:
        document = read(data, "").document
        return document.data if document is not None else None


class Store(Protocol):
    """Where documents lie that were read before. Hashed by what it is, not by what is in it."""

    def __hash__(self) -> int: ...

    def get(self, key: Any) -> tuple[bytes, bytes]:
        """A document's data as JSON, and the bytes of its file. Raises RegistryError where it is there no more."""


class SpilledDocuments:
    """Documents in a temporary file: parsed, checked, and not needed again before their pages are made."""

    def __init__(self) -> None:
        """Empty."""
        self._file = SpillFile()

    def put(self, json: bytes, raw: bytes) -> tuple[SpillRange, SpillRange]:
        """Add a document: its data as JSON, and the bytes of its file."""
        return self._file.put(json), self._file.put(raw)

    def get(self, key: tuple[SpillRange, SpillRange]) -> tuple[bytes, bytes]:
        """What was put."""
        json, raw = key
        return self._file.get(json), self._file.get(raw)


class StoredDocument:
    """A document without the places of what is in it, which may lie elsewhere: it is read again when somebody asks.

    Nearly nobody does: places are for what is wrong, and most builds show a few definitions anew.
    """

    __slots__ = ("_key", "_store", "path")

    def __init__(self, path: str, store: Store | None, key: Any) -> None:
        """`key` is what `store` knows the document by; without a store, the data itself and the bytes of the file."""
        self.path = path
        self._store = store
        self._key = key

    @property
    def data(self) -> Any:
        """Plain data."""
        return (_fetched(self._store, self._key) if self._store is not None else self._key)[0]

    @property
    def raw(self) -> bytes:
        """The bytes of the file."""
        found: bytes = (_fetched(self._store, self._key) if self._store is not None else self._key)[1]
        return found

    def at_hand(self) -> "StoredDocument":
        """The same, with its data: for whoever asks for it again and again."""
        return (
            StoredDocument(self.path, None, _fetched(self._store, self._key))
            if self._store is not None
            else self
        )

    @property
    def place(self) -> Place:
        """Where the document's first thing stands."""
        return _with_places(self.raw, self.path).place

    def span(self, pointer: tuple[str | int, ...] = (), *, key: bool = False) -> Span:
        """The place of the value at `pointer`, as `Document.span` gives it."""
        return _with_places(self.raw, self.path).span(pointer, key=key)


@lru_cache(maxsize=_MOST_HELD)
def _fetched(store: Store, key: Any) -> tuple[Any, bytes]:
    json, raw = store.get(key)
    return orjson.loads(json), raw


@lru_cache(maxsize=16)
def _with_places(raw: bytes, path: str) -> ParsedDocument:
    document = read(raw, path).document
    assert document is not None  # it was read before
    return document
