"""The strict reader: what it takes comes back exactly, what it refuses has a place and a hint."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.load import yaml
from registry.load.yaml.writer import to_yaml

CORPUS = Path(__file__).parents[2] / "corpus"


def data_of(text: str) -> object:
    document, problems = yaml.read(text.encode(), "f.yaml")
    assert not problems, problems
    assert document is not None
    return document.data


def rules_of(data: str | bytes) -> list[str]:
    return [
        problem.rule
        for problem in yaml.read(data if isinstance(data, bytes) else data.encode(), "f.yaml").problems
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("9007199254740992", 2**53),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1.0e+3", 1000.0),
        ("10KB", "10KB"),
        ("-d", "-d"),
        ("--strict", "--strict"),
        ("1.2.3", "1.2.3"),
        ("/usr/bin/tr", "/usr/bin/tr"),
        ("a b", "a b"),
        ('"yes"', "yes"),
        ("'0777'", "0777"),
        ("yesterday", "yesterday"),
        ("12:30:xx", "12:30:xx"),
    ],
)
def test_plain_scalars_mean_what_every_yaml_version_says(text: str, value: object) -> None:
    found = data_of(f"key: {text}\n")
    assert found == {"key": value}
    assert repr(found) == repr({"key": value})


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "~",
        "True",
        "NULL",
        "0777",
        "007",
        "0x1F",
        "0x_",
        "0b11",
        "0o17",
        "1_000",
        "+1",
        "-0",
        "1e3",
        ".5",
        "1.",
        ".inf",
        "-.INF",
        ".nan",
        "12:30",
        "190:20:30",
        "2026-01-01",
        "9999-99-99",
        "2001-12-14 21:59:43",
        "=",
        "9007199254740993",
        "1" * 5000,
        "0.1000000000000000055",
        "1.0e+999",
    ],
)
def test_what_yaml_versions_read_differently_is_refused_with_the_quoted_form(text: str) -> None:
    problems = yaml.read(f"key: {text}\n".encode(), "f.yaml").problems
    assert [problem.rule for problem in problems] == ["Y011"]
    assert problems[0].span[1:3] == (1, 6)
    assert problems[0].hint.startswith('quote it: "')
    assert data_of(f'key: "{text}"\n') == {"key": text}


def test_a_question_mark_at_a_key_in_brackets_is_refused_and_elsewhere_is_text() -> None:
    for text in ("a: {?foo: bar}\n", "a: [?foo]\n", "a: {x: 1,\n  ?foo: bar}\n"):
        problems = yaml.read(text.encode(), "f").problems
        assert [(one.rule, one.hint) for one in problems] == [("Y011", 'quote it: "?foo"')]
    assert data_of('a: ["is it so, ?foo", "[?x]"]\nb: what, ?really\n') == {
        "a": ["is it so, ?foo", "[?x]"],
        "b": "what, ?really",
    }


def test_blanks_at_the_end_of_a_file_change_no_text() -> None:
    assert data_of("a: |\n  x\n   ") == {"a": "x\n \n"}
    assert data_of("a: x  ") == {"a": "x"}


def test_every_key_and_value_has_its_place() -> None:
    document, _ = yaml.read(b"a:\n  - x\n  - {b: 'two\n      lines', c: 3}\nd: 4\n", "f.yaml")
    assert document is not None
    assert document.span(("a", 1, "b"), key=True)[1:] == (3, 6, 3, 7)
    assert document.span(("a", 1, "b"))[1:] == (3, 9, 4, 13)
    assert document.span(("a", 1, "c"))[1:3] == (4, 18)
    assert document.span(("d",), key=True)[1:] == (5, 1, 5, 2)
    # What is not there is shown at the nearest thing that is.
    assert document.span(("a", 1, "zz"))[1:3] == (3, 5)


def test_columns_count_characters_not_bytes() -> None:
    problem = yaml.read("é: [ü, yes]\n".encode(), "f.yaml").problems[0]
    assert (problem.span.line, problem.span.column) == (1, 8)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "Y007"),
        (b"# only a comment\n", "Y007"),
        (b"a: b: c\n", "Y001"),
        (b"a: 'open\n", "Y001"),
        (b"\ta: 1\n", "Y001"),
        (b"a: {b: 1\n", "Y001"),
        (b"a: \xff\n", "Y003"),
        ("a: 1\n".encode("utf-16"), "Y003"),
        (b"a: \x00\n", "Y004"),
        (b"a: \x1b[31m\n", "Y004"),
        ("a: x\u2028y\n".encode(), "Y004"),
        ("a: x\ufeffy\n".encode(), "Y004"),
        (b'a: "\\0"\n', "Y004"),
        (b'a: "\\ud800"\n', "Y001"),
        (b"[" * 100_000, "Y005"),
        (b"{a: " * 40, "Y005"),
        (b"- " * 50 + b"x\n", "Y005"),
        (b"- 1\n" * 20_001, "Y005"),
        (b"x" * 300_000, "Y002"),
        (b"1: x\n", "Y006"),
        (b"[a]: x\n", "Y006"),
        (b"null: x\n", "Y006"),
        (b"a: &x 1\n", "Y008"),
        (b"a: *x\n", "Y008"),
        (b"a: !!int '1'\n", "Y008"),
        (b"a: !custom {}\n", "Y008"),
        (b"<<: {a: 1}\n", "Y008"),
        (b"%YAML 1.1\n---\na: 1\n", "Y008"),
        (b"a: 1\n---\nb: 2\n", "Y009"),
        (b"a: 1\na: 2\n", "Y010"),
    ],
)
def test_each_thing_that_is_refused_has_its_rule(data: bytes, rule: str) -> None:
    assert rule in rules_of(data)


def test_all_findings_of_a_file_come_in_one_reading() -> None:
    assert rules_of("a: yes\nb: 0777\nb: 1\nc: !x y\n") == ["Y011", "Y011", "Y010", "Y008"]


def test_a_byte_order_mark_and_every_kind_of_line_end_are_read() -> None:
    assert yaml.read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "f").document is not None
    assert data_of("---\na: 1\n...\n") == {"a": 1}


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    document, problems = yaml.read(data, "f")
    assert document is not None or problems


SNIPPETS = st.sampled_from(
    [
        "a: 1\n",
        "b:\n  - x\n  - {c: 'd'}\n",
        "a: 2\n",
        "- x\n",
        "e: yes\n",
        "f: 1.50\n",
        "g: &x y\n",
        "h: *x\n",
        "---\n",
        "i: ~\n",
        "'a': |\n  t\n",
        "%YAML 1.1\n",
        "j: 12345678901234567890\n",
        "k: !!str 1\n",
        "? [l]\n: m\n",
        "1: n\n",
        "o: [p, {q: [r]}]\n",
        "\tz: 1\n",
        "null: x\n",
        "s:\n",
        '"\\0": t\n',
    ]
)


@given(st.lists(SNIPPETS, max_size=6).map("".join) | st.text(max_size=60))
def test_reading_without_places_gives_the_same_data(text: str) -> None:
    document, _ = yaml.read(text.encode("utf-8", "replace"), "f")
    found = yaml.read_data(text.encode("utf-8", "replace"))
    assert repr(found) == repr(document.data if document else None)


@pytest.mark.parametrize(
    "path",
    sorted((CORPUS / "good").glob("*.yaml")) + sorted((CORPUS / "bad").glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_the_corpus_gives_the_same_data_without_places(path: Path) -> None:
    document, _ = yaml.read(path.read_bytes(), "f")
    assert yaml.read_data(path.read_bytes()) == (document.data if document else None)


@given(st.text(max_size=80))
def test_every_text_comes_back_exactly_through_the_writer(text: str) -> None:
    usable = "".join(char for char in text if char != "\0" and not 0xD800 <= ord(char) <= 0xDFFF)
    data = {"a": usable, "list": [usable, 1, None, True, 1.5], "map": {usable or "k": "v"}}
    assert data_of(to_yaml(data)) == data


@pytest.mark.parametrize("key", ["k" * 5_000, "\U000e0001" * 99, "\U000e0001" * 101, "\x7f" * 400])
def test_long_keys_and_exponents_come_back_through_the_writer(key: str) -> None:
    data = {
        key: "v",
        "in brackets": {key: 1e22},
        "in lines": {key: {"a": {"b": 1e-7}}},
        "list": [{key: -0.0}],
    }
    assert repr(data_of(to_yaml(data))) == repr(data)


@pytest.mark.parametrize("path", sorted((CORPUS / "good").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_good_corpus_is_read_without_a_word(path: Path) -> None:
    document, problems = yaml.read(path.read_bytes(), path.name)
    assert document is not None
    assert not problems


@pytest.mark.parametrize("path", sorted((CORPUS / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_bad_corpus_gives_exactly_the_expected_problems(path: Path) -> None:
    found = [
        f"{p.span.line}:{p.span.column} {p.rule} {p.message} | {p.hint}"
        for p in yaml.read(path.read_bytes(), path.name).problems
    ]
    assert found == path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "-",
        "?",
        ":",
        "- a",
        "---",
        "...",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "#",
        "a #b",
        "a: b",
        ",",
    ],
)
def test_texts_that_are_signs_somewhere_are_quoted_where_they_must_be(text: str) -> None:
    document = {"a": text, "list": [text], "map": {"b": text, "c": {text: text}}, text: 1}
    assert data_of(to_yaml(document)) == document
