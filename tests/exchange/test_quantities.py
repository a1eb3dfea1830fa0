"""Cores and memory of containers."""

from fractions import Fraction

import pytest

from registry.exchange.quantities import core_count, mebibytes, memory_bytes


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2, Fraction(2)), (0.1, Fraction(1, 10)), ("2", Fraction(2)), ("500m", Fraction(1, 2))],
)
def test_cores(value: float | str, expected: Fraction) -> None:
    assert core_count(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        ("2k", 2000),
        ("3M", 3 * 10**6),
        ("1G", 10**9),
        ("1T", 10**12),
        ("1Ki", 1024),
        ("512Mi", 512 * 2**20),
        ("2Gi", 2**31),
        ("1Ti", 2**40),
    ],
)
def test_memory(text: str, expected: int) -> None:
    assert memory_bytes(text) == expected


def test_mebibytes_are_rounded_up() -> None:
    assert [mebibytes(text) for text in ("1", "1Mi", "1048577", "1M", "2Gi")] == [1, 1, 2, 1, 2048]
