"""Pages that differ in texts alone: what a template makes of one set of texts, with holes for those of the next; pure.

Jinja2 takes ten times as long, and a revision's page is made for each of fifty thousand revisions.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any

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
        # As bytes: one letter that is not of Latin 1 would make every text as wide as itself, to be made narrow again.
        self._encoded = [part.encode() for part in self._parts]
        names = dict.fromkeys(self._parts[1::2])
        plain = [name for name in names if not isinstance(texts[name], Markup)]
        markups = [name for name in names if isinstance(texts[name], Markup)]
        self._texts, self._markups = _getter(plain), _getter(markups)
        self._in_order = _getter([(*plain, *markups).index(name) for name in self._parts[1::2]])

    def filled(self, texts: Texts) -> str:
        """The markup with these texts, of which the same ones are there as of those that it was made of."""
        parts = self._parts.copy()
        parts[1::2] = self._in_order((*escape_all(self._texts(texts)), *self._markups(texts)))
        return "".join(parts)

    def encoded(self, texts: Texts) -> bytes:
        """What `filled` gives, as UTF-8."""
        parts = self._encoded.copy()
        plain = self._texts(texts)
        escaped = escape("\0".join(plain)).encode().split(b"\0")
        if len(escaped) != len(plain):
            return self.filled(texts).encode()
        parts[1::2] = self._in_order((*escaped, *map(str.encode, self._markups(texts))))
        return b"".join(parts)


def _getter(keys: Sequence[Hashable]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values under these keys, in their order."""
    if len(keys) == 1:
        only = keys[0]
        return lambda of: (of[only],)
    return itemgetter(*keys) if keys else lambda _of: ()
