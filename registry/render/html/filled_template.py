"""Pages that differ in texts alone: what a template makes of one set of texts, with holes for those of the next; pure.

Jinja2 takes ten times as long, and a revision's page is made for each of fifty thousand revisions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from markupsafe import Markup

from registry.model.characters import may_hold_invisible
from registry.render.html.marks import sign_invisible

Texts = Mapping[str, str | bytes]
"""What a template shows, by name: text, which is escaped, and markup as UTF-8. What is not there is "" or b""; a template may ask
for that, and no more."""

_HOLE = re.compile("\0([a-z_.]+)\0")


def slots_for(texts: Texts) -> dict[str, Markup | str]:
    """What a template gets in place of the texts, to make a skeleton."""
    return {name: Markup(f"\0{name}\0") if text else "" for name, text in texts.items()}


def values_of(texts: Texts) -> dict[str, Markup | str]:
    """The texts as a template takes them; those with characters that are not seen as markup, in which signs stand for them."""
    return {name: _value(text) for name, text in texts.items()}


def _value(text: str | bytes) -> Markup | str:
    if isinstance(text, bytes):
        return Markup(text.decode())
    return Markup(escape_html(text).decode()) if may_hold_invisible(text) else text


def escape_html(text: str) -> bytes:
    """A text as it stands in markup, just as Jinja2 writes it, as UTF-8; characters that are not seen get a sign.

    Replaced in bytes, where Python looks for a character many times as fast as in text.
    """
    found = (
        sign_invisible(text).encode().replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    )
    return found.replace(b'"', b"&#34;").replace(b"'", b"&#39;")


def escape_all_html(texts: Sequence[str]) -> list[bytes]:
    """The texts escaped, all at once: one by one it takes most of the time of a page."""
    escaped = escape_html("\0".join(texts)).split(b"\0") if texts else []
    return escaped if len(escaped) == len(texts) else [escape_html(text) for text in texts]


class FilledTemplate:
    """Markup with holes, and what has to be escaped to fill it. As bytes: one letter that is not of Latin 1 would make every text
    as wide as itself, to be made narrow again."""

    def __init__(self, markup: str, texts: Texts) -> None:
        """`markup` is what a template made of `holes_for(texts)`."""
        parts = _HOLE.split(markup)  # every second one is the name of a hole
        self._parts = [part.encode() for part in parts]
        names = dict.fromkeys(parts[1::2])
        plain = [name for name in names if isinstance(texts[name], str)]
        markups = [name for name in names if not isinstance(texts[name], str)]
        self.to_escape, self._markups = _getter(plain), _getter(markups)
        self._in_order = _getter([(*plain, *markups).index(name) for name in parts[1::2]])

    def filled(self, texts: Texts) -> bytes:
        """The markup with these texts; the same ones are there as of those that it was made of."""
        return self.filled_with(escape_all_html(self.to_escape(texts)), texts)

    def filled_with(self, escaped: Sequence[bytes], texts: Texts) -> bytes:
        """The markup with these texts, of which those to be escaped are given escaped."""
        parts = self._parts.copy()
        parts[1::2] = self._in_order((*escaped, *self._markups(texts)))
        return b"".join(parts)


def fill_all(some: Sequence[tuple[FilledTemplate, Texts]]) -> list[bytes]:
    """The markup of each with its texts."""
    plain = [skeleton.to_escape(texts) for skeleton, texts in some]
    escaped = escape_all_html([*chain.from_iterable(plain)])
    found = []
    start = 0
    for (skeleton, texts), wanted in zip(some, plain, strict=True):
        end = start + len(wanted)
        found.append(skeleton.filled_with(escaped[start:end], texts))
        start = end
    return found


def _getter(keys: Sequence[Hashable]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values under these keys, in their order."""
    if len(keys) == 1:
        only = keys[0]
        return lambda of: (of[only],)
    return itemgetter(*keys) if keys else lambda _of: ()
