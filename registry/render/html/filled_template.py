"""Reuses the output of a template for pages that differ only in their texts. Pure: no I/O.

The output for one set of texts gets slots for the texts of other pages. Jinja2 takes ten times as long, and
there are pages of fifty thousand revisions.
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
"""Texts of a template by name: text to escape, or markup as UTF-8.

An absent text is "" or b"". A template may test whether a text is present, and nothing else.
"""

# Only slots have a NUL: neither templates nor the names of texts contain one.
_HOLE = re.compile("\0([a-z_.]+)\0")


def slots_for(texts: Texts) -> dict[str, Markup | str]:
    """Return the values that a template receives in place of the texts, to render a skeleton."""
    return {name: Markup(f"\0{name}\0") if text else "" for name, text in texts.items()}


def values_of(texts: Texts) -> dict[str, Markup | str]:
    """Return the texts as values for a template.

    Texts with invisible characters become markup with signs in place of these characters.
    """
    return {name: _value(text) for name, text in texts.items()}


def _value(text: str | bytes) -> Markup | str:
    if isinstance(text, bytes):
        return Markup(text.decode())
    return Markup(escape_html(text).decode()) if may_hold_invisible(text) else text


def escape_html(text: str) -> bytes:
    """Escape a text like Jinja2, as UTF-8, with signs in place of invisible characters.

    Works on bytes, where Python searches much faster than in text.
    """
    found = (
        sign_invisible(text).encode().replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    )
    return found.replace(b'"', b"&#34;").replace(b"'", b"&#39;")


def escape_all_html(texts: Sequence[str]) -> list[bytes]:
    """Escape all texts at once. Escaping them one by one takes most of the time of a page."""
    escaped = escape_html("\0".join(texts)).split(b"\0") if texts else []
    # A text with a NUL of its own (`\0` in a YAML string) is split in two: then each is escaped alone.
    return escaped if len(escaped) == len(texts) else [escape_html(text) for text in texts]


class FilledTemplate:
    """Markup with slots, and the texts to escape to fill them.

    The markup is bytes: one character outside of Latin-1 would widen the whole string.
    """

    def __init__(self, markup: str, texts: Texts) -> None:
        """Take the output of a template for `slots_for(texts)`."""
        parts = _HOLE.split(markup)  # every second part is the name of a slot
        self._parts = [part.encode() for part in parts]
        names = dict.fromkeys(parts[1::2])
        plain = [name for name in names if isinstance(texts[name], str)]
        markups = [name for name in names if not isinstance(texts[name], str)]
        self.to_escape, self._markups = _getter(plain), _getter(markups)
        self._in_order = _getter([(*plain, *markups).index(name) for name in parts[1::2]])

    def filled(self, texts: Texts) -> bytes:
        """Return the markup filled with `texts`.

        The same texts must be present as in those that the template was made from.
        """
        return self.filled_with(escape_all_html(self.to_escape(texts)), texts)

    def filled_with(self, escaped: Sequence[bytes], texts: Texts) -> bytes:
        """Return the markup filled with `texts`; `escaped` are the texts to escape, in escaped form."""
        parts = self._parts.copy()
        parts[1::2] = self._in_order((*escaped, *self._markups(texts)))
        return b"".join(parts)


def fill_all(some: Sequence[tuple[FilledTemplate, Texts]]) -> list[bytes]:
    """Return the markup of each template with its texts."""
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
    """Return a function that returns the values of these keys, in order."""
    # For one key `itemgetter` returns the value, not a tuple.
    if len(keys) == 1:
        only = keys[0]
        return lambda of: (of[only],)
    return itemgetter(*keys) if keys else lambda _of: ()
