"""Values of a document as nested lists, with the meaning of each field from its schema."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from registry.model.schema_reference import followed
from registry.model.values import map_of
from registry.render.html.filled_template import escape_all_html
from registry.render.html.text import TEXT, markdown

if TYPE_CHECKING:
    from collections.abc import Mapping


class FieldLists:
    """Makes the lists of one page, which shows each meaning once: where it appears first."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Take the document that references in schemas refer to."""
        self._schema = schema
        self._shown: set[str] = set()

    def html(self, value: Any, properties: Mapping[str, Any], items: Any = None) -> bytes:
        """Return a value as nested lists.

        `properties` are the schemas of its keys if it is a map, `items` that of its items if it is a list.

        Not a template: recursive macros take three times as long, for the largest part of most pages.
        """
        parts: list[bytes] = []
        texts: list[str] = []
        self._append(value, {"properties": properties, "items": items}, parts, texts)
        return b"".join(parts) % tuple(escape_all_html(texts))

    # These append markup to `parts`. Its percent signs are one `TEXT` for each of the `texts`, and pairs.
    def _append(self, value: Any, about: Any, parts: list[bytes], texts: list[str]) -> None:
        # Most values are texts.
        if isinstance(value, str):
            _append_text(value, parts, texts)
        elif isinstance(value, dict):
            properties = map_of(followed(self._schema, about).get("properties"))
            self._append_map(value, properties, parts, texts)
        elif isinstance(value, list) and value:
            parts.append(b'<ol class="values">')
            of_items = map_of(about).get("items")
            for item in value:
                parts.append(b"<li>")
                self._append(item, of_items, parts, texts)
                parts.append(b"</li>")
            parts.append(b"</ol>")
        elif isinstance(value, list):
            parts.append(b'<span class="none">empty list</span>')
        else:
            _append_text(orjson.dumps(value).decode(), parts, texts)

    def _append_map(
        self, value: Mapping[str, Any], properties: Mapping[str, Any], parts: list[bytes], texts: list[str]
    ) -> None:
        parts.append(b'<dl class="fields">')
        for key, item in value.items():
            about = properties.get(key)
            parts += (b"<div><dt><bdi>", TEXT, b"</bdi></dt>")
            texts.append(key)
            meaning = self._meaning(about) if isinstance(about, dict) else b""
            # The meaning of a long value is above it.
            is_nested = isinstance(item, (dict, list))
            parts += (meaning if is_nested else b"", b"<dd>")
            self._append(item, about, parts, texts)
            parts += (b"</dd>", b"" if is_nested else meaning, b"</div>")
        parts.append(b"</dl>")

    def _meaning(self, about: Mapping[str, Any]) -> bytes:
        words = about.get("description")
        if not isinstance(words, str) or not words or words in self._shown:
            return b""
        self._shown.add(words)
        return _meaning(words)


# The same schema describes all definitions of a kind.
@lru_cache(maxsize=1024)
def _meaning(words: str) -> bytes:
    return b'<dd class="meaning">%s</dd>' % markdown(words).encode().strip().replace(b"%", b"%%")


def _append_text(text: str, parts: list[bytes], texts: list[str]) -> None:
    if not text:
        parts.append(b'<span class="none">empty text</span>')
        return
    parts += (
        (b"<pre><bdi>", TEXT, b"</bdi></pre>") if "\n" in text else (b"<code><bdi>", TEXT, b"</bdi></code>")
    )
    texts.append(text)
