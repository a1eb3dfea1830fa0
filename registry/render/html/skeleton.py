"""Pages that differ in texts alone: what a template makes of one set of texts, with holes for those of the next; pure.

Jinja2 takes ten times as long, and a revision's page is made for each of fifty thousand revisions.
"""

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

Texts = Mapping[str, str]
"""What a template shows, by name. `Markup` is not escaped. What is not there is ""; a template may ask for that, and no more."""

_HOLE = re.compile("\0([a-z_.]+)\0")


def holes_for(texts: Texts) -> dict[str, Markup | str]:
    """What a template gets in place of the texts, to make a skeleton."""
    return {name: Markup(f"\0{name}\0") if text else "" for name, text in texts.items()}


def escape_all(texts: Sequence[str]) -> list[str]:
    """The texts escaped, all at once: one by one it takes most of the time of a page."""
    escaped: list[str] = str.split(escape("\0".join(texts)), "\0")
    return escaped if len(escaped) == len(texts) else [str(escape(text)) for text in texts]


class Skeleton:
    """Markup with holes, and what has to be escaped to fill it."""

    def __init__(self, markup: str, texts: Texts) -> None:
        """`markup` is what a template made of `holes_for(texts)`."""
        self._parts = _HOLE.split(markup)  # every second one is the name of a hole
        holes = [(place, self._parts[place]) for place in range(1, len(self._parts), 2)]
        self._texts = [hole for hole in holes if not isinstance(texts[hole[1]], Markup)]
        self._markup = [hole for hole in holes if isinstance(texts[hole[1]], Markup)]

    def filled(self, texts: Texts) -> str:
        """The markup with these texts, of which the same ones are there as of those that it was made of."""
        parts = self._parts.copy()
        escaped = escape_all([texts[name] for _, name in self._texts])
        for (place, _), text in zip(self._texts, escaped, strict=True):
            parts[place] = text
        for place, name in self._markup:
            parts[place] = texts[name]
        return "".join(parts)
