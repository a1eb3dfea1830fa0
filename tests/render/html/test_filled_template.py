"""Pages that are filled in say the same as templates would, whatever their texts hold."""

import re

import markupsafe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment

from registry.model.characters import replace_invisible
from registry.render.html.filled_template import (
    FilledTemplate,
    Texts,
    escape_html,
    fill_all,
    slots_for,
    values_of,
)
from registry.render.html.marks import mark_signed

TEMPLATE = "{% if title %}<h1>{{ title }}</h1>{% else %}none{% endif %}{{ title }} {{ body }}{% if note %}<i title='{{ note }}'>{{ note }}</i>{% endif %}"
RENDER = Environment(loader=DictLoader({"page": TEMPLATE}), autoescape=True).get_template("page").render

TEXTS = st.text(st.sampled_from("a<>&\"'\0{}% é\n"), max_size=6)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_filled_pages_are_those_of_the_template(
    title: str, body: str, note: str, other_title: str, other_note: str
) -> None:
    made_of: Texts = {"title": title, "body": body.encode(), "note": note}
    skeleton = FilledTemplate(RENDER(slots_for(made_of)), made_of)
    assert fill_all([(skeleton, made_of)]) == [RENDER(values_of(made_of)).encode()]
    # Filled with others, of which the same ones are there.
    others: Texts = {
        "title": other_title or "x" if title else "",
        "body": b"<b>",
        "note": other_note or "y" if note else "",
    }
    if body:
        rendered = [RENDER(values_of(texts)).encode() for texts in (made_of, others)]
        assert fill_all([(skeleton, made_of), (skeleton, others)]) == rendered
        assert skeleton.filled(others) == rendered[1]


@given(st.text() | TEXTS)
def test_a_text_is_escaped_as_templates_do_it(text: str) -> None:
    before, after = b'<p title="', b'">'
    # In an attribute no character is marked, so all signs are gone again.
    if "\x01" not in text:
        assert (
            mark_signed(before + escape_html(text) + after)
            == before + str(markupsafe.escape(text)).encode() + after
        )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.sampled_from("a<\u202e\u200b\u00a0\U000e0041 👨\u200d👩\ufe0f\x1b\x01\x02"), max_size=8))
def test_every_character_that_is_not_seen_is_marked_once_in_an_element(text: str) -> None:
    page = mark_signed(b"<p>" + escape_html(text) + b"</p>").decode()
    marks = re.findall('<bdi class="unseen" title="[^"]*" data-code="U\\+([0-9A-F]+)">', page)
    signed = replace_invisible(text, lambda char: f"({ord(char):04X})")
    assert marks == re.findall(r"\(([0-9A-F]{4,})\)", signed)
    assert mark_signed(b"<title>" + escape_html(text) + b"</title>").decode().count("<") == 2
