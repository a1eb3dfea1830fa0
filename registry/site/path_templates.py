"""Compact form of the paths of files: most targets have the same paths below different prefixes."""

from collections.abc import Sequence
from sys import intern

_SEPARATOR = "\n"


def template_of(paths: Sequence[str], prefixes: Sequence[str]) -> str:
    """Return the paths as one text in which a character replaces each prefix at their start.

    Equal templates are the same object. 200,000 targets with two million paths have a few hundred templates.
    """
    text = _SEPARATOR + _SEPARATOR.join(paths)
    for number, prefix in enumerate(prefixes, 1):
        text = text.replace(_SEPARATOR + prefix, _SEPARATOR + chr(number))
    return intern(text[1:])


def paths_of(template: str, prefixes: Sequence[str]) -> list[str]:
    """Return the paths of a template at the given prefixes."""
    for number, prefix in enumerate(prefixes, 1):
        template = template.replace(chr(number), prefix)
    return template.split(_SEPARATOR) if template else []


def count_of(template: str) -> int:
    """Return the number of paths of a template."""
    return template.count(_SEPARATOR) + 1 if template else 0
