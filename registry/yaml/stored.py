"""Documents read without the places of what is in them, which is faster, and takes half of the memory."""

from typing import Any, NamedTuple

import orjson

from registry.errors import Problem, Span
from registry.yaml.document import Document, Place
from registry.yaml.lines import UnusualFormError, read_lines
from registry.yaml.reader import read


class Loading(NamedTuple):
    """What loading gave: a document, or None where it could not be read at all; and all that was found."""

    document: "Document | StoredDocument | None"
    problems: tuple[Problem, ...]


def load(data: bytes, path: str) -> Loading:
    """Read one file's bytes strictly, as `read` does. Never raises for what is in the file."""
    try:
        return Loading(StoredDocument(path, data, data=read_lines(data)), ())
    except UnusualFormError:
        return Loading(*read(data, path))


def read_data(data: bytes) -> Any:
    """The data of one file: `read(…).document.data`, or None where there is no document."""
    try:
        return read_lines(data)
    except UnusualFormError:
        document = read(data, "").document
        return document.data if document is not None else None


class StoredDocument:
    """A document without the places of what is in it: they come by reading the file's bytes again, when somebody asks.

    Nearly nobody does: places are for what is wrong.
    """

    __slots__ = ("_data", "_document", "_raw", "json", "path")

    def __init__(self, path: str, raw: bytes, *, data: Any = None, json: bytes = b"") -> None:
        """`raw` are the bytes of the file, which the strict reader takes; the data is given, or its JSON (read when asked for)."""
        self.path = path
        self.json = json
        self._raw = raw
        self._data = data
        self._document: Document | None = None

    @property
    def data(self) -> Any:
        """Plain data."""
        if self._data is None:
            self._data = orjson.loads(self.json)
        return self._data

    @property
    def place(self) -> Place:
        """Where the document's first thing stands."""
        return self._with_places().place

    def span(self, pointer: tuple[str | int, ...] = (), *, key: bool = False) -> Span:
        """The place of the value at `pointer`, as `Document.span` gives it."""
        return self._with_places().span(pointer, key=key)

    def _with_places(self) -> Document:
        if self._document is None:
            self._document = read(self._raw, self.path).document
            assert self._document is not None  # it was read before
        return self._document
