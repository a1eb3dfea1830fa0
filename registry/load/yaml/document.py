"""A YAML document: plain data and the location of every value."""

from dataclasses import dataclass
from typing import Any

from registry.model.problem import Span

Place = tuple[int, int, int, int]
"""Line, column, end line, end column: from 1, the end exclusive. Plain tuples: there are millions of them."""


class Node:
    """Locations of one map or list.

    These are its own, those of its keys, and its children (for a scalar a plain location). `end` is the line
    and column after the closing bracket; in block style, where the next token starts.
    """

    __slots__ = ("children", "end", "keys", "place")

    def __init__(self, place: Place) -> None:
        """Create an empty node; the caller fills `children`, `keys` and `end`."""
        self.place = place
        self.end = place[2:]
        self.keys: dict[str, Place] = {}
        self.children: dict[str | int, Node | Place] = {}


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One YAML document: plain data, the locations of its values, and the bytes of its file.

    The data consists of dict, list, str, int, float, bool and None.
    """

    path: str
    data: Any
    root: Node | Place
    raw: bytes

    @property
    def place(self) -> Place:
        """The location of the document's first token."""
        return place_of(self.root)

    def span(self, pointer: tuple[str | int, ...] = (), *, key: bool = False) -> Span:
        """Return the span of the value at `pointer`, its key (`key=True`), or the nearest existing parent."""
        node: Node | Place = self.root
        place = place_of(node)
        for depth, step in enumerate(pointer):
            if not isinstance(node, Node) or (child := node.children.get(step)) is None:
                break
            # A value that is missing further down is reported at the key of the map that lacks it.
            shows_key = key or depth < len(pointer) - 1
            key_place = node.keys.get(str(step)) if shows_key else None
            node, place = child, key_place or place_of(child)
        return Span(self.path, *place)


def place_of(node: Node | Place) -> Place:
    """Return the location of a map, a list or a scalar."""
    return node.place if isinstance(node, Node) else node
