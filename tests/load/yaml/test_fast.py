"""Reading files in the usual form line by line gives what the parser gives, or leaves the file to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.load import yaml
from registry.load.yaml.fast import UnusualFormError, read_lines

INDENTATIONS = st.sampled_from(["", "", "  ", "  ", "    ", "   ", "      "])
KEYS = st.sampled_from(
    [
        "a",
        "b",
        "cd",
        "x-y",
        "a.b",
        "title",
        "_k",
        "A9",
        "yes",
        "on",
        "Null",
        "é",
        "a b",
        '"q"',
        "1",
        "-k",
        "<<",
        "?",
    ]
)
VALUES = st.sampled_from(
    [
        "",
        "",
        "",
        "x",
        "x y",
        "/opt/x",
        "1",
        "007",
        "1.5",
        "-1",
        "12:30",
        "2020-01-01",
        "true",
        "No",
        "~",
        "null",
        '"a"',
        "'a'",
        '""',
        "''",
        '"a\\n"',
        "'it''s'",
        "a: b",
        "a:b",
        "http://x/y",
        "a #b",
        "a#b",
        " # c",
        "x # c",
        "x# c",
        "[a, b]",
        "[]",
        "{}",
        "{a: b}",
        "{a: 1, b: [x, y]}",
        "[a, b",
        "[a,]",
        "[,a]",
        "{a}",
        "{a: }",
        "{a:b}",
        "[a: b]",
        "[[a], [b]]",
        "[a] x",
        "[a] [b]",
        "{a: b} # c",
        ">",
        "|",
        ">-",
        "|-",
        "|2",
        "|+",
        "> # c",
        "&a x",
        "*a",
        "!t x",
        "- x",
        "--x",
        "-x",
        "---",
        "...",
        "-",
        "?x",
        "[?x]",
        "%x",
        "@x",
        "`x",
        "x  ",
        "${x}",
        "[${x}]",
        "(x)",
        "x\ty",
        "é",
        "x\u00a0y",
        "[a b, c]",
        "[--x, -y]",
        "['a', \"b\"]",
        '["a, b"]',
        '[a "b"]',
        "{a: \"x: y\", c: 'd'}",
        "=",
        "<",
        ".5",
        ".",
        "+1",
        "0x1f",
        "x,y",
        "x]",
        "{a: b, a: c}",
        "[a, 'b' c]",
        "10KB",
        "1e3",
        "a'b",
        '"a" b',
        "\\x",
        "x\u2028",
        "\x07",
        "[-]",
        "[ a , b ]",
        "[a,b]",
        "{a:  b}",
        "{a: b,c: d}",
        "{a: b, c}",
        "[1, 2.5]",
        "[.5]",
        "[=]",
        "123456789012345678",
        "[true, ~]",
    ]
)
ENDS = st.sampled_from(["", "", "", "", " ", "# c", "  # c", "\n", "\n\n", "\n# c", "\n   # c", "\n      "])
TEXTS = st.sampled_from(["text", "  more", "# no comment", "", "   ", "a: b", "- x", "text ", "end."])
ENTRIES = st.builds(
    lambda indentation, dash, key, value, end: f"{indentation}{dash}{key}:{' ' if value else ''}{value}{end}",
    INDENTATIONS,
    st.sampled_from(["", "", "", "- ", "-   "]),
    KEYS,
    VALUES,
    ENDS,
)
ITEMS = st.builds(lambda indentation, value, end: f"{indentation}- {value}{end}", INDENTATIONS, VALUES, ENDS)
LINES = ENTRIES | ITEMS | st.builds(str.__add__, INDENTATIONS, TEXTS)
PIECES = st.sampled_from(
    [
        "a",
        "b",
        "a b",
        "'a'",
        '"b"',
        "'a",
        "b'",
        '"a',
        'b"',
        "''",
        '""',
        "'it''s'",
        "",
        " ",
        " a",
        "a ",
        "1",
        "007",
        "no",
        "a: b",
        "b: 1",
        "a: 'b",
        'c: "d"',
        "a:  b",
        "a: ",
        "a:b",
        "yes: a",
        "a: no",
        "[a",
        "b]",
        "{a: b",
        "b}",
        "[]",
        "{}",
        "c: [a",
        "c: {d: e",
        "a: b: c",
        "'a': b",
        "-",
        "--x",
        "#",
        "a #b",
        "?a",
    ]
)
IN_BRACKETS = st.builds(
    lambda start, pieces, between, end: f"{start}{between.join(pieces)}{end}",
    st.sampled_from("[{"),
    st.lists(PIECES, max_size=5),
    st.sampled_from([", ", ", ", ", ", ",", " , "]),
    st.sampled_from("]}"),
)
FILES = st.builds(
    lambda lines, end: "\n".join(lines) + end,
    st.lists(LINES, max_size=9),
    st.sampled_from(["\n", "\n", "\n", "", "\n\n", " \n"]),
)


def assert_read_as_by_the_parser(text: str) -> None:
    """Or left to it."""
    data = text.encode()
    try:
        found = read_lines(data)
    except UnusualFormError:
        return
    document, problems = yaml.read(data, "f.yaml")
    assert not problems
    assert document is not None
    assert repr(found) == repr(document.data)  # the order of keys and the types, too


@given(FILES)
def test_what_is_read_by_lines_is_what_the_parser_reads_and_refused_by_nobody(text: str) -> None:
    assert_read_as_by_the_parser(text)


@given(st.lists(IN_BRACKETS, min_size=1, max_size=3))
def test_what_is_read_in_brackets_is_what_the_parser_reads(values: list[str]) -> None:
    # Several in one file: what was learnt of one must not be said of another.
    assert_read_as_by_the_parser("".join(f"k{number}: {value}\n" for number, value in enumerate(values)))


@given(FILES)
def test_loading_finds_the_same_problems_and_places_as_reading(text: str) -> None:
    loaded, read = yaml.load(text.encode(), "f.yaml"), yaml.read(text.encode(), "f.yaml")
    assert loaded.problems == read.problems
    assert (loaded.document is None) == (read.document is None)
    if loaded.document is not None and read.document is not None:
        assert repr(loaded.document.data) == repr(read.document.data)
        assert loaded.document.span(("a", "b")) == read.document.span(("a", "b"))
        assert loaded.document.place == read.document.place


USUAL = {
    "maps and texts": "# about\ntitle: Align frames # all of them\ndefinition:\n  exec: /usr/bin/align\n  environment:\n    A: \"1\"\n    B: 'x'\n\n  timeout: 90\n",
    "lists": 'argv:\n  - --strict\n  - -v\n  - "4"\nowners:\n- a\n- b\nlinks:\n  - href: https://example.org/a\n    title: A\n  - href: https://example.org/b\n',
    "brackets": "tags: [a, b-c, 'd']\ninput_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}\nempty: {}\n",
    "long texts": "description: >\n  One line\n  and another.\n\n  A paragraph.\nuserdata: |\n  #!/bin/sh\n    echo 1\n\n  exit 0\nlast: |-\n  no end\n",
    "nothing": "a:\nb:\n  c:\nd: null\ne: true\n",
}


@pytest.mark.parametrize("text", USUAL.values(), ids=USUAL)
def test_the_usual_form_is_read_without_the_parser(text: str) -> None:
    document = yaml.read(text.encode(), "f.yaml").document
    assert document is not None
    assert read_lines(text.encode()) == document.data


def test_data_of_two_files_with_the_same_lines_is_not_shared() -> None:
    text = b"a: [b, c]\nd: {e: [f]}\n"
    first, second = read_lines(text), read_lines(text)
    first["a"].append("more")
    first["d"]["e"].append("more")
    assert second == {"a": ["b", "c"], "d": {"e": ["f"]}}
