"""Pages that are filled in say the same as templates would, whatever their texts hold."""

import markupsafe
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment
from markupsafe import Markup

from registry.render.html.skeleton import Skeleton, escape, fill_all, holes_for

TEMPLATE = (
    "{% if title %}<h1>{{ title }}</h1>{% else %}none{% endif %}{{ title }} {{ body }}{% if note %}<i title='{{ note }}'>{{ note }}</i>{% endif %}"
)
RENDER = Environment(loader=DictLoader({"page": TEMPLATE}), autoescape=True).get_template("page").render

TEXTS = st.text(st.sampled_from("a<>&\"'\0{}% é\n"), max_size=6)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_filled_pages_are_those_of_the_template(title: str, body: str, note: str, other_title: str, other_note: str) -> None:
    made_of = {"title": title, "body": Markup(body), "note": note}
    skeleton = Skeleton(RENDER(holes_for(made_of)), made_of)
    assert fill_all([(skeleton, made_of)]) == [RENDER(made_of)]
    # Filled with others, of which the same ones are there.
    others = {"title": other_title or "x" if title else "", "body": Markup("<b>"), "note": other_note or "y" if note else ""}
    if body:
        assert fill_all([(skeleton, made_of), (skeleton, others)]) == [RENDER(made_of), RENDER(others)]
        assert skeleton.encoded(others) == RENDER(others).encode()


@given(st.text() | TEXTS)
def test_a_text_is_escaped_as_templates_do_it(text: str) -> None:
    assert escape(text) == str(markupsafe.escape(text))
