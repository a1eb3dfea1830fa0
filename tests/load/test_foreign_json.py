"""JSON of others: as many levels as said, and no more."""

from typing import Any

import pytest

from registry.load.foreign_json import check_limits, read_json


def nested(levels: int, inner: str = "") -> str:
    """A text with so many objects and lists in one another, in turn, and `inner` in the innermost."""
    if levels == 1:
        return f"[{inner}]"
    return f'{{"a": {nested(levels - 1, inner)}}}' if levels % 2 == 0 else f"[{nested(levels - 1, inner)}]"


@pytest.mark.parametrize("inner", ["", "1", '"x"', "1, 2"])
@pytest.mark.parametrize("deepest", [1, 2, 5])
def test_a_text_has_at_most_as_many_levels_as_allowed(deepest: int, inner: str) -> None:
    read_json(nested(deepest, inner), deepest=deepest)
    with pytest.raises(ValueError, match=f"nested deeper than {deepest} levels"):
        read_json(nested(deepest + 1, inner), deepest=deepest)


@pytest.mark.parametrize("value", ["\ud800", ["\ud800"], {"\ud800": 1}, {"a": ["x", "\udfff"]}])
def test_half_of_a_surrogate_pair_is_refused_at_every_level(value: Any) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        check_limits(value, 2)
