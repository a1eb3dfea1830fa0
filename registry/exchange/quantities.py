"""Cores and memory of containers, as applications state them: in the notation of Kubernetes."""

import math
from fractions import Fraction

_UNITS = {
    "": 1,
    "k": 1000,
    "M": 1000**2,
    "G": 1000**3,
    "T": 1000**4,
    "Ki": 1024,
    "Mi": 1024**2,
    "Gi": 1024**3,
    "Ti": 1024**4,
}


def core_count(value: float | str) -> Fraction:
    """Return a number of cores, exactly: 2, 0.5, "2" or "500m" (thousandths)."""
    text = str(value)
    return Fraction(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def memory_bytes(text: str) -> int:
    """Return a size of memory, such as "512Mi", in bytes."""
    number = text.rstrip("kKMGTi")
    return int(number) * _UNITS[text[len(number) :]]


def mebibytes(text: str) -> int:
    """Return a size of memory in units of 1,048,576 bytes, rounded up."""
    return math.ceil(Fraction(memory_bytes(text), 1024**2))
