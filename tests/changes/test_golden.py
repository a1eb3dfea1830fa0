"""What is said of every row and direction stays as it was accepted."""

from tests.changes.golden import FILE, reports


def test_every_row_in_both_directions_is_said_as_accepted() -> None:
    assert reports() == FILE.read_text(encoding="utf-8"), "read the difference; `make accept` takes it"
