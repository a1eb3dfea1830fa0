"""References to variables of the host."""

import pytest

from registry.model.host_variable import host_variable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${TOKEN}", "TOKEN"),
        ("${_a1}", "_a1"),
        *[
            (value, None)
            for value in (
                "",
                "TOKEN",
                "$TOKEN",
                "${}",
                "${1a}",
                "${A:-b}",
                "${A}b",
                " ${A}",
                "${A}\n",
                "${é}",
                None,
                1,
            )
        ],
    ],
)
def test_only_a_name_in_braces_is_a_reference(value: object, expected: str | None) -> None:
    assert host_variable(value) == expected
