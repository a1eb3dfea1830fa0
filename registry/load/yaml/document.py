"""A YAML document: plain data, and the place of everything in it."""

from dataclasses import dataclass
from typing import Any

from registry.model.problem import Span

Place = tuple[int, int, int, int]
"""Line, column, end line, end column: from 1, the end exclusive. Plain tuples: there are millions of them."""


class Node:
    """Places of one map or list: its own, those of its keys, and of its children (a plain place for a scalar)."""

    __slots__ = ("children", "keys", "place")

    def __init__(self, place: Place) -> None:
        """Empty; `children` and `keys` are filled in."""
        self.place = place
        self.keys: dict[str, Place] = {}
        self.children: dict[str | int, Node | Place] = {}


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One YAML document: plain data (dict, list, str, int, float, bool, None), the places of all of it, and the bytes of its file."""

    path: str
    data: Any
    root: Node | Place
    raw: bytes

    @property
    def place(self) -> Place:
        """Where the document's first thing stands."""
        return place_of(self.root)

    def span(self, pointer: tuple[str | int, ...] = (), *, key: bool = False) -> Span:
        """The place of the value at `pointer`, of its key with `key=True`, or of the nearest parent there is."""
        node: Node | Place = self.root
        place = place_of(node)
        for depth, step in enumerate(pointer):
            if not isinstance(node, Node) or (child := node.children.get(step)) is None:
                break
            # A thing that is missing further down is shown at the key of the map that lacks it.
            shows_key = key or depth < len(pointer) - 1
            key_place = node.keys.get(str(step)) if shows_key else None
            node, place = child, key_place or place_of(child)
        return Span(self.path, *place)


def place_of(node: Node | Place) -> Place:
    """The place of a map, a list or a scalar."""
    return node.place if isinstance(node, Node) else node
