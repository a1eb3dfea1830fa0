"""Seeds of random tests: a few in `make test`, many in `make soak`."""

from typing import Any

import pytest


def seeds(few: int, many: int) -> list[Any]:
    """The numbers from 0 to `many`, as parameters; those from `few` have the mark `soak`."""
    return [*range(few), *(pytest.param(number, marks=pytest.mark.soak) for number in range(few, many))]
