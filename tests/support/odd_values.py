"""Documents with values of other types than expected."""

import copy
from collections.abc import Iterator
from typing import Any

ODD_VALUES: tuple[Any, ...] = ({}, {"a": {}}, [], [[{}]], None, True, -1, 1.5, "", "x")

Place = tuple[Any, ...]


def places_in(value: Any, *above: Any) -> Iterator[Place]:
    """Every place below a value, as steps."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        yield (*above, step)
        yield from places_in(below, *above, step)


def with_value(document: Any, place: Place, value: Any) -> Any:
    """A copy of a document with another value at a place."""
    found = copy.deepcopy(document)
    node = found
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    return found
