"""Pages that are filled in say the same as templates would, whatever their texts hold."""

import markupsafe
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment

from registry.render.html.skeleton import Skeleton, Texts, escape, fill_all, holes_for, values_of

TEMPLATE = (
    "{% if title %}<h1>{{ title }}</h1>{% else %}none{% endif %}{{ title }} {{ body }}{% if note %}<i title='{{ note }}'>{{ note }}</i>{% endif %}"
)
RENDER = Environment(loader=DictLoader({"page": TEMPLATE}), autoescape=True).get_template("page").render

TEXTS = st.text(st.sampled_from("a<>&\"'\0{}% é\n"), max_size=6)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_filled_pages_are_those_of_the_template(title: str, body: str, note: str, other_title: str, other_note: str) -> None:
    made_of: Texts = {"title": title, "body": body.encode(), "note": note}
    skeleton = Skeleton(RENDER(holes_for(made_of)), made_of)
    assert fill_all([(skeleton, made_of)]) == [RENDER(values_of(made_of)).encode()]
    # Filled with others, of which the same ones are there.
    others: Texts = {"title": other_title or "x" if title else "", "body": b"<b>", "note": other_note or "y" if note else ""}
    if body:
        rendered = [RENDER(values_of(texts)).encode() for texts in (made_of, others)]
        assert fill_all([(skeleton, made_of), (skeleton, others)]) == rendered
        assert skeleton.filled(others) == rendered[1]


@given(st.text() | TEXTS)
def test_a_text_is_escaped_as_templates_do_it(text: str) -> None:
    assert escape(text) == str(markupsafe.escape(text)).encode()
