"""The paths of a unit's files, as they are held and noted: most units have the same ones below another place."""

from collections.abc import Sequence
from sys import intern

_SEPARATOR = "\n"


def template_of(paths: Sequence[str], places: Sequence[str]) -> str:
    """Paths as one text, in which a character stands for each place that they start with; the same object for the same shape.

    Of two hundred thousand units with two million paths there are a few hundred shapes.
    """
    text = _SEPARATOR + _SEPARATOR.join(paths)
    for number, place in enumerate(places, 1):
        text = text.replace(_SEPARATOR + place, _SEPARATOR + chr(number))
    return intern(text[1:])


def paths_of(shape: str, places: Sequence[str]) -> list[str]:
    """The paths that a shape stands for at some places."""
    for number, place in enumerate(places, 1):
        shape = shape.replace(chr(number), place)
    return shape.split(_SEPARATOR) if shape else []


def count_of(shape: str) -> int:
    """How many paths it stands for."""
    return shape.count(_SEPARATOR) + 1 if shape else 0
