"""What every report may ask for: a line of a file. Reports are `report(problems, line_of) -> str`."""

from collections.abc import Callable

LineOf = Callable[[str, int], str | None]
"""A line (from 1) of the file at a path, or None where there is none."""
