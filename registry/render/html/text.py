"""Values and descriptions as shown on pages."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from markupsafe import Markup

from registry.model.diff import MISSING
from registry.model.pointer import steps_of
from registry.model.schema_reference import followed
from registry.model.values import map_of
from registry.render.html.filled_template import escape_html
from registry.render.html.marks import sign_in_markup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry.load.kinds import Kind

SHOWN_CHARACTERS = 400
TEXT = b"%s"
_CODE = re.compile(r"(?<!`)`([^\s`](?:[^`\n]*[^\s`])?)`(?!`)")
# Characters with a meaning in Markdown, except for code.
_MARKDOWN = re.compile(
    r"[*_#\[\]<>!|\\&~]|^[ \t]*(?:[-+=]|[0-9]+[.)])|^(?: {4}| {0,3}\t)| {2}$", re.MULTILINE
)


def properties(kind: Kind, inside: str = "") -> Mapping[str, Any]:
    """Return the properties in the schema of a file, or of one of its keys, with references resolved."""
    schema: Any = kind.schema
    if inside:
        schema = followed(schema, schema.get("properties", {}).get(inside, {}))
    return map_of(schema.get("properties"))


def title_at(kind: Kind, pointer: str) -> str:
    """Return the title in the schema for the field at a JSON Pointer, or its key."""
    node: Any = kind.schema
    steps = steps_of(pointer)
    for step in steps:
        node = followed(kind.schema, node).get("properties", {}).get(step, {})
    title = node.get("title", steps[-1]) if isinstance(node, dict) else steps[-1]
    return title if isinstance(title, str) else steps[-1]


def short(value: Any) -> str | None:
    """Return the value of a changed field as text of limited length, or None if it was absent."""
    if value is MISSING:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


@lru_cache(maxsize=4096)
def markdown(text: str) -> Markup:
    """Convert Markdown to HTML.

    HTML in the text is escaped and images become links: a page loads nothing from other sites.
    """
    if not text.strip():
        return Markup("")
    if not _MARKDOWN.search(text) and "`" not in _CODE.sub("", text):
        # Most descriptions are plain paragraphs, some with inline code. This path takes a tenth of the time
        # and does not import the parser.
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
