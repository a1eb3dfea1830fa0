"""Places in reports: columns counted as each format counts them, and carets under the place."""

import json

import pytest

from registry.model.problem import Problem, Severity, Span
from registry.reports import rdjson, text

LINE = "äöü: x😀y"


def problem(*span: int) -> Problem:
    return Problem("S002", Severity.ERROR, Span("a.yaml", *span), "wrong")


def range_of(found: Problem, line: str | None) -> tuple[tuple[int, int], tuple[int, int]]:
    """Start and end (line, column) of the only diagnostic."""
    (one,) = json.loads(rdjson.report([found], lambda _path, _line: line))["diagnostics"]
    place = one["location"]["range"]
    return tuple((place[key]["line"], place[key]["column"]) for key in ("start", "end"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("columns", "in_bytes"),
    [((1, 2), (1, 3)), ((1, 4), (1, 7)), ((6, 7), (9, 10)), ((7, 8), (10, 14)), ((9, 9), (15, 15))],
)
def test_rdjson_counts_bytes_from_one_with_the_end_exclusive(
    columns: tuple[int, int], in_bytes: tuple[int, int]
) -> None:
    found = range_of(problem(3, columns[0], 3, columns[1]), LINE)
    assert found == ((3, in_bytes[0]), (3, in_bytes[1]))


@pytest.mark.parametrize("line", [None, ""])
def test_rdjson_keeps_columns_of_a_line_that_is_not_there(line: str | None) -> None:
    assert range_of(problem(3, 5, 4, 6), line) == ((3, 5), (4, 6))


@pytest.mark.parametrize("before", [0, 1, 79, 80, 81, 159, 160, 161, 400])
@pytest.mark.parametrize("after", [0, 1, 200])
def test_the_caret_is_under_the_place_also_where_the_line_is_cut(before: int, after: int) -> None:
    line = "-" * before + "!" + "-" * after
    shown = text.report([problem(1, before + 1, 1, before + 2)], lambda _path, _line: line).splitlines()
    assert len(shown[1]) <= len("      1 | ") + 160
    assert shown[1][shown[2].index("^")] == "!"
    assert shown[2].count("^") == 1


def test_a_cut_line_shows_as_much_before_the_place_as_after_it() -> None:
    line = "-" * 400 + "!" + "-" * 400
    shown = text.report([problem(1, 401, 1, 402)], lambda _path, _line: line).splitlines()
    prefix = "        | "
    assert (len(shown[1]), shown[2].index("^")) == (len(prefix) + 160, len(prefix) + 80)


def test_the_caret_is_as_wide_as_the_place_and_ends_with_the_line() -> None:
    for span, width in (((1, 3, 1, 6), 3), ((1, 3, 2, 1), 6), ((1, 3, 1, 3), 1)):
        shown = text.report([problem(*span)], lambda _path, _line: "abcdefgh").splitlines()
        assert (shown[2].count("^"), shown[2].index("^")) == (width, shown[1].index("c"))


def test_a_line_with_thousands_of_problems_is_read_and_made_safe_once() -> None:
    asked = []

    def line_of(path: str, line: int) -> str:
        asked.append((path, line))
        return "a: b, " * 20_000

    shown = text.report([problem(1, 1 + 6 * number, 1, 2 + 6 * number) for number in range(9_000)], line_of)
    assert shown.count("^") == 9_000
    assert len(asked) == 1


def test_every_credential_of_a_line_is_masked_in_each_of_its_problems() -> None:
    line = "[secret-one, secret-two, other]"
    found = [
        Problem("X001", Severity.ERROR, Span("a.yaml", 1, 2, 1, 12), "m"),
        Problem("X001", Severity.ERROR, Span("a.yaml", 1, 14, 1, 24), "m"),
        Problem("S001", Severity.ERROR, Span("a.yaml", 1, 26, 1, 31), "m"),
    ]
    shown = text.report(found, lambda _path, _line: line)
    assert "secret" not in shown
    assert shown.count(f"[{'•' * 10}, {'•' * 10}, other]") == 3
