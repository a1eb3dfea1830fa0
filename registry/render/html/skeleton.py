"""Pages that differ in texts alone: what a template makes of one set of texts, with holes for those of the next; pure.

Jinja2 takes ten times as long, and a revision's page is made for each of fifty thousand revisions.
"""

import html
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from markupsafe import Markup

Texts = Mapping[str, str]
"""What a template shows, by name. `Markup` is not escaped. What is not there is ""; a template may ask for that, and no more."""

_HOLE = re.compile("\0([a-z_.]+)\0")


def holes_for(texts: Texts) -> dict[str, Markup | str]:
    """What a template gets in place of the texts, to make a skeleton."""
    return {name: Markup(f"\0{name}\0") if text else "" for name, text in texts.items()}


def escape(text: str) -> str:
    """A text as it stands in markup, just as Jinja2 writes it; MarkupSafe takes twice as long, to say that the result is markup."""
    return html.escape(text, quote=False).replace('"', "&#34;").replace("'", "&#39;")


def escape_all(texts: Sequence[str]) -> list[str]:
    """The texts escaped, all at once: one by one it takes most of the time of a page."""
    escaped = escape("\0".join(texts)).split("\0")
    return escaped if len(escaped) == len(texts) else [escape(text) for text in texts]


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
        self.to_escape, self._markups = _getter(plain), _getter(markups)
        self._in_order = _getter([(*plain, *markups).index(name) for name in self._parts[1::2]])

    def encoded(self, texts: Texts) -> bytes:
        """The markup with these texts, as UTF-8; the same ones are there as of those that it was made of."""
        parts = self._encoded.copy()
        plain = self.to_escape(texts)
        escaped = escape("\0".join(plain)).encode().split(b"\0")
        if len(escaped) != len(plain):
            return self.with_escaped(escape_all(plain), texts).encode()
        parts[1::2] = self._in_order((*escaped, *map(str.encode, self._markups(texts))))
        return b"".join(parts)

    def with_escaped(self, escaped: Sequence[str], texts: Texts) -> str:
        """The markup with these texts, of which those to be escaped are given escaped."""
        parts = self._parts.copy()
        parts[1::2] = self._in_order((*escaped, *self._markups(texts)))
        return "".join(parts)


def fill_all(some: Sequence[tuple[Skeleton, Texts]]) -> list[str]:
    """The markup of each with its texts."""
    plain = [skeleton.to_escape(texts) for skeleton, texts in some]
    escaped = escape_all([*chain.from_iterable(plain)])
    found = []
    start = 0
    for (skeleton, texts), wanted in zip(some, plain, strict=True):
        end = start + len(wanted)
        found.append(skeleton.with_escaped(escaped[start:end], texts))
        start = end
    return found


def _getter(keys: Sequence[Hashable]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values under these keys, in their order."""
    if len(keys) == 1:
        only = keys[0]
        return lambda of: (of[only],)
    return itemgetter(*keys) if keys else lambda _of: ()
