"""YAML that all versions read alike."""

from hypothesis import given
from hypothesis import strategies as st

from registry.exchange.quoted_yaml import quoted_yaml
from tests.exchange.yaml_readers import read_yaml
from tests.support.hostile_text import TEXTS, VARIABLE_NAMES

VALUES = st.recursive(
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS | VARIABLE_NAMES, below, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS | VARIABLE_NAMES, VALUES, min_size=1, max_size=4))
def test_every_value_is_read_back(document: dict[str, object]) -> None:
    assert read_yaml(quoted_yaml(document)) == document


def test_words_that_are_safe_as_keys_have_no_quotes() -> None:
    assert quoted_yaml({"image": "a", "yes": ["b", {"c": [], "d": {}}], "a: b": 1.5}) == (
        'image: "a"\n"yes":\n  - "b"\n  - c: []\n    d: {}\n"a: b": 1.5\n'
    )
