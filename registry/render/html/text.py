"""Values and descriptions as pages show them."""

from __future__ import annotations

import re
import shlex
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from markupsafe import Markup

from registry.model.diff import MISSING
from registry.model.pointer import steps_of, value_at
from registry.model.schema_reference import followed
from registry.render.html.filled_template import escape_all_html, escape_html
from registry.render.html.marks import sign_in_markup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry.load.kinds import Kind

SHOWN_CHARACTERS = 400
TEXT = b"%s"
_CODE = re.compile(r"(?<!`)`([^\s`](?:[^`\n]*[^\s`])?)`(?!`)")
# What may mean something, but for code.
_MARKDOWN = re.compile(
    r"[*_#\[\]<>!|\\&~]|^[ \t]*(?:[-+=]|[0-9]+[.)])|^(?: {4}| {0,3}\t)| {2}$", re.MULTILINE
)


def field_html(value: Any, schema: Mapping[str, Any]) -> bytes:
    """Any value as nested lists, with the descriptions that the properties of a schema give to its keys.

    Not a template: recursive macros take three times the time, on the largest part of most pages.
    """
    parts: list[bytes] = []
    texts: list[str] = []
    _append(value, schema, parts, texts)
    return b"".join(parts) % tuple(escape_all_html(texts))


def _append(value: Any, schema: Mapping[str, Any], parts: list[bytes], texts: list[str]) -> None:
    """Add markup to `parts`, without a per cent sign but for a `TEXT` for each of the `texts`."""
    if isinstance(value, dict):
        parts.append(b'<dl class="fields">')
        for key, item in value.items():
            about = schema.get(key)
            about = about if isinstance(about, dict) else {}
            words = about.get("description", "")
            if words:
                parts += (b'<div><dt title="', TEXT, b'"><bdi>', TEXT, b"</bdi></dt><dd>")
                texts += (words, key)
            else:
                parts += (b"<div><dt><bdi>", TEXT, b"</bdi></dt><dd>")
                texts.append(key)
            _append(item, about.get("properties", {}), parts, texts)
            parts.append(b"</dd></div>")
        parts.append(b"</dl>")
    elif isinstance(value, list) and value:
        parts.append(b'<ol class="values">')
        for item in value:
            parts.append(b"<li>")
            _append(item, {}, parts, texts)
            parts.append(b"</li>")
        parts.append(b"</ol>")
    elif isinstance(value, list):
        parts.append(b'<span class="none">empty</span>')
    else:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        parts += (
            (b"<pre><bdi>", TEXT, b"</bdi></pre>")
            if "\n" in text
            else (b"<code><bdi>", TEXT, b"</bdi></code>")
        )
        texts.append(text)


def properties(kind: Kind, inside: str = "") -> Mapping[str, Any]:
    """The schema's properties of a file, or of what stands inside one key, references followed."""
    schema: Any = kind.schema
    if inside:
        schema = followed(schema, schema.get("properties", {}).get(inside, {}))
    properties = schema.get("properties", {})
    return properties if isinstance(properties, dict) else {}


def title_at(kind: Kind, pointer: str) -> str:
    """The title that the schema gives the field at a JSON Pointer, or its key."""
    node: Any = kind.schema
    steps = steps_of(pointer)
    for step in steps:
        node = followed(kind.schema, node).get("properties", {}).get(step, {})
    title = node.get("title", steps[-1]) if isinstance(node, dict) else steps[-1]
    return title if isinstance(title, str) else steps[-1]


def command(kind: Kind, data: Mapping[str, Any]) -> str:
    """The command as a shell would take it, for reading and trying; the registry itself never uses a shell."""
    program, argv = value_at(data, kind.traits.executable), value_at(data, kind.traits.arguments)
    argv = [] if argv is None else argv
    if (
        not isinstance(program, str)
        or not isinstance(argv, list)
        or not all(isinstance(item, str) for item in argv)
    ):
        return ""
    return shlex.join([program, *argv])


def short(value: Any) -> str | None:
    """A changed field's value in a line; None where there was none."""
    if value is MISSING:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def as_list(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


@lru_cache(maxsize=4096)
def markdown(text: str) -> Markup:
    """Markdown to HTML; HTML in it is shown as text, images are left as links would be: nothing loads from elsewhere."""
    if not text.strip():
        return Markup("")
    if not _MARKDOWN.search(text) and "`" not in _CODE.sub("", text):
        # Most descriptions are plain paragraphs, some with words as code: a tenth of the time, and the parser is not even read.
        paragraphs = "".join(
            [
                f"<p>{escape_html(part.strip()).decode()}</p>\n"
                for part in re.split(r"\n[ \t]*\n", text)
                if part.strip()
            ]
        )
        return Markup(_CODE.sub(r"<code>\1</code>", paragraphs))
    return Markup(sign_in_markup(_markdown_parser().render(text)))


@lru_cache(maxsize=1)
def _markdown_parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).disable("image")
