"""Descriptions: what is made without the parser of Markdown is what it would make."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from registry.model.diff import MISSING
from registry.render.html.text import markdown, short

PARSER = MarkdownIt("commonmark", {"html": False}).disable("image")
WORDS = (
    "a",
    "word",
    "`",
    "``",
    "`code`",
    "`two words`",
    "` spaced `",
    "it's",
    '"said"',
    "1. x",
    "- x",
    "*b*",
    "<b>",
    "&",
    "(x)",
    "x:",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "#",
    "größe",
)


def as_shown(markup: str) -> str:
    """Without what nobody sees: how quotes are written, and blanks where a line ends."""
    return re.sub(" *\n *", "\n", html.unescape(markup)).strip()


def same(text: str) -> bool:
    return as_shown(str(markdown(text))) == as_shown(PARSER.render(text))


@pytest.mark.parametrize(
    "text",
    [
        "Plain.",
        "With `code` in\nit.\n\nAnd `a-b c` again.",
        "``two``",
        "`open",
        "a ` b",
        "`one``two`",
        "it's `x'y`",
    ],
)
def test_usual_descriptions(text: str) -> None:
    assert same(text)


@given(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
    | st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
)
@settings(max_examples=400)
def test_made_up_descriptions(text: str) -> None:
    assert same(text), (str(markdown(text)), PARSER.render(text))


def test_markup_in_a_description_is_text() -> None:
    assert (
        markdown("Not <b>bold</b> & `<i>`")
        == "<p>Not &lt;b&gt;bold&lt;/b&gt; &amp; <code>&lt;i&gt;</code></p>\n"
    )


def test_a_changed_value_is_shown_in_at_most_400_characters() -> None:
    assert short("x" * 400) == "x" * 400
    assert short("x" * 401) == "x" * 399 + "…"
    assert short(["x"]) == '["x"]'
    assert short(None) == "null"
    assert short("") == ""
    assert short(MISSING) is None
