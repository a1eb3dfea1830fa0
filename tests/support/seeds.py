"""Parameters of tests: a few in `make test`, many in `make soak`."""

from typing import Any

import pytest


def seeds(few: int, many: int) -> list[Any]:
    """The numbers from 0 to `many`, as parameters; those from `few` have the mark `soak`."""
    return [*range(few), *in_soak(*range(few, many))]


def in_soak(*values: Any) -> list[Any]:
    """The values as parameters that have the mark `soak`."""
    return [pytest.param(value, marks=pytest.mark.soak) for value in values]
