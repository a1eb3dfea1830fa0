"""Work that is shared with a child process."""

import os

import pytest

from registry.errors import UsageError
from registry.runtime import shared_map

_MANY = range(200)


def test_results_come_in_the_order_of_the_parts() -> None:
    assert shared_map(str, _MANY) == [str(number) for number in _MANY]


def test_few_parts_need_no_child() -> None:
    assert {process for process, _ in shared_map(lambda number: (os.getpid(), number), range(3))} == {
        os.getpid()
    }


def test_an_error_in_either_process_is_raised() -> None:
    def fail(number: int) -> int:
        raise UsageError(f"part {number} cannot be read")

    with pytest.raises(UsageError, match="cannot be read"):
        shared_map(fail, _MANY)
