"""Editing a file's text: the result has the intended document, and only the lines of changed values differ."""

import copy
import json
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.load import yaml
from registry.load.yaml import writer
from registry.load.yaml.edit import UnwritableError, edit_text
from tests.check.test_hostile import KILLERS

CORPUS = sorted((Path(__file__).parents[2] / "corpus").glob("*/*.yaml"))
BASE = """\
# yaml-language-server: $schema=x
id: 1
title: A title, with a comma   # shown in lists

# about owners
owners: [a, b]
description: |
  One
  two

  three
definition:
  # the program
  exec: /bin/x    # exec
  timeout: 5   # seconds
  # not about anything

  environment:
    A: "1"   # a
    # about B
    B: 'two'
    # end of the environment
  argv:
    - -v  # verbose
    - "4"
    - x
  input_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}
"""


def data_of(text: bytes) -> Any:
    document, problems = yaml.read(text, "f.yaml")
    assert not problems, (text, problems)
    assert document is not None
    return document.data


def exact(document: dict[str, Any]) -> dict[str, str]:
    """What consumers see: types and signs, and inside `definition` the order."""
    return {
        key: json.dumps(value, sort_keys=key != "definition", ensure_ascii=False)
        for key, value in document.items()
    }


def changed_lines(before: bytes, after: bytes) -> list[str]:
    """The lines that differ, with `-` or `+` before each."""
    old, new = before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True)
    found = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found += [f"-{line.rstrip()}" for line in old[i:j]] + [f"+{line.rstrip()}" for line in new[k:m]]
    return found


def put(*path: Any) -> Callable[[Any], None]:
    """Set the value at a path; its last item is the value."""

    def change(document: Any) -> None:
        *steps, last, value = path
        for step in steps:
            document = document[step]
        document[last] = value

    return change


def drop(*path: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


def edited(before: str, change: Callable[[Any], None]) -> bytes:
    intended = data_of(before.encode())
    change(intended)
    result = edit_text(before.encode(), intended)
    assert not result.rewritten, result.text.decode()
    assert exact(data_of(result.text)) == exact(intended)
    return result.text


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (put("id", 2), ["-id: 1", "+id: 2"]),
        (
            put("title", "Another, with a comma"),
            [
                "-title: A title, with a comma   # shown in lists",
                "+title: Another, with a comma   # shown in lists",
            ],
        ),
        (
            put("title", "a: b"),
            ["-title: A title, with a comma   # shown in lists", '+title: "a: b"   # shown in lists'],
        ),
        (put("owners", 1, "c"), ["-owners: [a, b]", "+owners: [a, c]"]),
        (put("owners", []), ["-owners: [a, b]", "+owners: []"]),
        (drop("owners"), ["-# about owners", "-owners: [a, b]"]),
        (put("description", "One\nTwo\n\nthree\n"), ["-  two", "+  Two"]),
        (put("tags", ["t"]), ["+tags: [t]"]),
        (put("definition", "timeout", 6.5), ["-  timeout: 5   # seconds", "+  timeout: 6.5   # seconds"]),
        (put("definition", "timeout", "5"), ["-  timeout: 5   # seconds", '+  timeout: "5"   # seconds']),
        (drop("definition", "exec"), ["-  # the program", "-  exec: /bin/x    # exec"]),
        (put("definition", "environment", "A", "yes"), ['-    A: "1"   # a', '+    A: "yes"   # a']),
        (put("definition", "environment", "B", "it's"), ["-    B: 'two'", "+    B: 'it''s'"]),
        (put("definition", "environment", "B", "a\tb"), ["-    B: 'two'", '+    B: "a\\tb"']),
        (put("definition", "environment", "C", "c"), ["+    C: c"]),
        (drop("definition", "environment", "B"), ["-    # about B", "-    B: 'two'"]),
        (
            drop("definition", "environment"),
            [
                "-  environment:",
                '-    A: "1"   # a',
                "-    # about B",
                "-    B: 'two'",
                "-    # end of the environment",
            ],
        ),
        (put("definition", "argv", ["-v", "5", "x"]), ['-    - "4"', '+    - "5"']),
        (put("definition", "argv", ["0", "-v", "4", "x"]), ['+    - "0"']),
        (put("definition", "argv", ["-v", "x"]), ['-    - "4"']),
        (
            put("definition", "exec", {"a": {"b": [1]}}),
            ["-  exec: /bin/x    # exec", "+  exec:    # exec", "+    a:", "+      b: [1]"],
        ),
        (
            put("definition", "argv", "x"),
            ["-  argv:", "-    - -v  # verbose", '-    - "4"', "-    - x", "+  argv: x"],
        ),
        (
            drop("definition", "input_adapter", "input_params", "stream_name"),
            [
                "-  input_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}",
                "+  input_adapter: {input_type: file, input_params: {file_type: stream}}",
            ],
        ),
        (
            put(
                "definition",
                {
                    "timeout": 5,
                    **{k: v for k, v in data_of(BASE.encode())["definition"].items() if k != "timeout"},
                },
            ),
            ["+  timeout: 5   # seconds", "-  timeout: 5   # seconds"],
        ),
    ],
)
def test_only_the_lines_of_changed_values_differ(change: Callable[[Any], None], lines: list[str]) -> None:
    assert changed_lines(BASE.encode(), edited(BASE, change)) == lines


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("a: [\n  x,  # x\n  q  # q\n]\n", put("a", ["x", "q", "z"]), "a: [\n  x,  # x\n  q,  # q\n  z\n]\n"),
        ("a: [\n  x,  # x\n  q,  # q\n]\n", put("a", ["x", "q", "z"]), "a: [\n  x,  # x\n  q,  # q\n  z,\n]\n"),
        ("a: [\n  x,  # x\n  # of q\n  q,  # q\n]\n", put("a", ["x"]), "a: [\n  x,  # x\n]\n"),
        ("a: {\n  x: 1,\n  q: 2\n}\n", drop("a", "q"), "a: {\n  x: 1,\n}\n"),
        ("a: [x,\n  q, z]\n", put("a", ["x", "z"]), "a: [x, z]\n"),
        ("a: [x,  q]\n", put("a", ["w", "x", "q"]), "a: [w, x,  q]\n"),
        ("a: [x, q, ]\n", put("a", ["x", "q", "z"]), "a: [x, q, z, ]\n"),
        ('a: {"x":1,"q":2}\n', put("a", "q", 3), 'a: {"x":1,"q":3}\n'),
        ("a: {x, q: }\n", put("a", {"x": 1, "q": 2}), "a: {x: 1, q: 2 }\n"),
        ("a: [0, x]\n", put("a", 0, "x"), "a: [x, x]\n"),
        ("a: [x: 1, q]\n", put("a", 0, {"x": 2}), "a: [{x: 2}, q]\n"),
        ("a:\nb: 1\n", put("a", "x"), "a: x\nb: 1\n"),
        ("a:  # c\nb: 1\n", put("a", {"x": {"q": 1}}), "a:  # c\n  x: {q: 1}\nb: 1\n"),
        ("a: 1\nb: 2", put("c", 3), "a: 1\nb: 2\nc: 3\n"),
        ("a: 1\r\nb: 2\r\n", put("c", "x\nq\n"), "a: 1\r\nb: 2\r\nc: |\r\n  x\r\n  q\r\n"),
        ("a: 1\n...\n", put("b", 2), "a: 1\nb: 2\n...\n"),
        ("--- {a: 1}\n", put("b", 2), "--- {a: 1, b: 2}\n"),
        ("a:\n- x: 1\n  # of q\n  q: 2\n- z\n", drop("a", 0, "x"), "a:\n- \n  # of q\n  q: 2\n- z\n"),
        ("a:\n- x: 1\n  q: 2\n- z\n", drop("a", 0, "x"), "a:\n- q: 2\n- z\n"),
        ("a:\n- x: 1  # x\n  q: 2\n- z\n", put("a", 0, "z", 3), "a:\n- x: 1  # x\n  q: 2\n  z: 3\n- z\n"),
        ("a:\n- - x\n  - q\n- z\n", put("a", 0, ["x", "w"]), "a:\n- - x\n  - w\n- z\n"),
        ("a: >-\n  x q\n  z\nb: 1\n", put("a", "x z"), "a: >-\n  x z\nb: 1\n"),
        ("a: |-  # c\n    x\nb: 1\n", put("a", "x\nq"), "a: |-  # c\n    x\n    q\nb: 1\n"),
        ("a: |\n  x\nb: 1\n", put("a", 1), "a: 1\nb: 1\n"),
        ("a: x\n  q  # c\nb: 1\n", put("a", "z"), "a: z  # c\nb: 1\n"),
        ('a:\n  "x"  # c\nb: 1\n', put("a", "z"), 'a:\n  "z"  # c\nb: 1\n'),
        ("? a\n: b\n? c\n: d\n", put("c", "e"), "? a\n: b\n? c\n: e\n"),
        ("? a\n: b\n? c\n: d\n", drop("a"), "? c\n: d\n"),
        ("a: 1\ndefinition: {q: 1, z: 2}\n", put("definition", {"z": 2, "q": 1}), "a: 1\ndefinition: {z: 2, q: 1}\n"),
        ("definition:\n  q: 1\n  z: 2\n", put("definition", {"x": 0, "q": 1, "z": 2}), "definition:\n  x: 0\n  q: 1\n  z: 2\n"),
        ("definition: {}\n", put("id", 7), "id: 7\ndefinition: {}\n"),
        ("# c\ntitle: T\n", put("id", 7), "# c\nid: 7\ntitle: T\n"),
        ("# c\ntitle: T\nx: 1\n", drop("title"), "# c\nx: 1\n"),
        ("title: T\ndefinition: {}\n", put("x-more", 1), "title: T\nx-more: 1\ndefinition: {}\n"),
        ("\ufeffa: 1\n", put("a", 2), "\ufeffa: 2\n"),
    ],
)  # fmt: skip
def test_each_layout_is_kept(before: str, change: Callable[[Any], None], after: str) -> None:
    assert edited(before, change).decode() == after


def test_a_value_that_yaml_versions_read_differently_gets_quotes_and_the_rest_stays() -> None:
    before = b"# c\na: yes  # a\nb: [0777, x]\non: {c: 1e3}\n"
    document = yaml.read(before, "").document
    assert document is not None
    after = edit_text(before, document.data)
    assert after == (b'# c\na: "yes"  # a\nb: ["0777", x]\n"on": {c: "1e3"}\n', False)


def test_the_order_of_keys_matters_inside_the_definition_only() -> None:
    before = b"title: T\ninterface: {a: 1, b: 2}\ndefinition: {q: {a: 1, b: 2}}\n"
    reordered = {
        "definition": {"q": {"b": 2, "a": 1}},
        "interface": {"b": 2, "a": 1},
        "title": "T",
    }
    assert edit_text(before, reordered).text == before.replace(b"q: {a: 1, b: 2}", b"q: {b: 2, a: 1}")


@pytest.mark.parametrize(
    ("value", "rule"),
    [("\ud800", "Y004"), ("a\0b", "Y004"), (10**30, "Y011"), (float("nan"), "Y011"), ({"\ud800": 1}, "Y004")],
)
def test_what_the_format_cannot_hold_is_refused_with_its_pointer(value: Any, rule: str) -> None:
    with pytest.raises(UnwritableError) as raised:
        edit_text(BASE.encode(), {"definition": {"exec": "x", "list": [1, value]}})
    assert raised.value.problem.rule == rule
    assert raised.value.problem.pointer.startswith("/definition/list/1")
    assert raised.value.problem.message
    str(raised.value).encode()


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ({"a": "x" * 300_000}, "Y002"),
        ({"a": [1] * 25_000}, "Y005"),
        ({"a": json.loads("[" * 900 + "]" * 900)}, "Y005"),
    ],
    ids=["bytes", "values", "levels"],
)
def test_a_document_beyond_the_limits_is_refused(document: dict[str, Any], rule: str) -> None:
    with pytest.raises(UnwritableError) as raised:
        edit_text(BASE.encode(), document)
    assert raised.value.problem.rule == rule


TRICKY = [
    "yes", "0777", "1e3", "12:30", "a\r\nb", "a\rb", " a", "a ", "\ta", "e\u0301", "\u2028", "\x85", "\x7f", "a\tb",
    "null", "~", "", "x" * 5000, "1" * 30, "- a", "a: b", "a #b", "{", "[a]", "&a", "*a", "!a", "%a", "@a", "`a",
    "|", ">", "'", '"', "\\", "a\nb", "a\n", "\n", "\n\na", "a\n\n", " a\nb", "a\n b\n", "a\n\n\nb\n", "a  \nb", "a\n   ",
    "?", "?x", "? x", "---", "...", "\ufeff", "\U0001f600", "<<", "=", "2020-01-01", "#", "a,b", "é", "\u00a0",
]  # fmt: skip
NUMBERS = [0, 1, -1, 2**53, 1.0, -0.0, 0.5, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, True, False, None]


@pytest.mark.parametrize("before", ["k: x\n", "k: 'x'\n", 'k: "x"\n', "k: |\n  x\n", "k: >\n  x\n", "k: 1\n", "k:\n", "{k: x}\n", "l:\n- k: x\n  z: 1\n"])  # fmt: skip
def test_every_value_and_key_comes_back(before: str) -> None:
    for value in (*TRICKY, *NUMBERS):
        document = data_of(before.encode())
        holder = document["l"][0] if "l" in document else document
        holder["k"] = value
        holder[value if isinstance(value, str) else "n"] = [value, {"m": value}]
        result = edit_text(before.encode(), document)
        assert exact(data_of(result.text)) == exact(document), result.text
        assert not result.rewritten, (value, result.text)


@pytest.mark.parametrize("name", KILLERS)
def test_a_hostile_file_takes_any_document(name: str) -> None:
    intended = {"title": "T", "definition": {"exec": "/bin/x", "argv": ["yes"]}}
    result = edit_text(KILLERS[name], intended)
    assert exact(data_of(result.text)) == exact(intended)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_file_of_the_corpus_that_is_not_changed_stays_the_same(path: Path) -> None:
    document, problems = yaml.read(path.read_bytes(), "")
    if document is not None and not problems:
        assert edit_text(path.read_bytes(), document.data) == (path.read_bytes(), False)
    elif document is not None:
        assert exact(data_of(edit_text(path.read_bytes(), document.data).text)) == exact(document.data)


def test_a_file_that_is_written_again_keeps_the_comments_at_its_top_and_its_line_ends() -> None:
    before = b"# about\r\n\r\n# more\r\na: &x 1\r\nb: *x\r\n"
    assert edit_text(before, {"a": 1, "b": "x\ny\n"}) == (
        b"# about\r\n\r\n# more\r\na: 1\r\nb: |\r\n  x\r\n  y\r\n",
        True,
    )


# Documents in random layouts, with comments

WORDS = st.sampled_from(["x", "a b", "/opt/x", "-v", "${x}", "é", "1", "yes", "a, b", "it's", "a: b"])
VALUES = WORDS | st.sampled_from(NUMBERS) | st.sampled_from(TRICKY) | st.integers(-999, 999)
KEYS = st.sampled_from(["a", "b", "c", "d-e", "exec", "argv", "A_B", "k.l", "yes", "a b", "é", "1"])
TREES = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TOP_KEYS = st.sampled_from(["id", "title", "owners", "tags", "interface", "x-a", "x-b"])
DOCUMENTS = st.builds(
    lambda around, definition: {**around, "definition": definition},
    st.dictionaries(TOP_KEYS, TREES, max_size=4),
    st.dictionaries(KEYS, TREES, min_size=1, max_size=5),
)


class Scribe:
    """Writes a document by hand, as different people would."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.line_break = self.choose(["\n", "\n", "\r\n"])
        self.written = 0

    def choose(self, choices: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def document(self, data: dict[str, Any]) -> bytes:
        head = self.choose(["", "", "# head\n", "# head\n\n---\n", "---\n"])
        lines = (
            self.map_lines(data, 0) if data and self.choose([True, True, True, False]) else [self.flow(data)]
        )
        text = head + "\n".join(lines) + self.choose(["\n", "\n", "\n\n# end\n"])
        return str(text).replace("\n", self.line_break).encode()

    def comment(self) -> str:
        self.written += 1
        return f"# {self.written}"

    def behind(self) -> str:
        return str(self.choose(["", "", "", f"   {self.comment()}"]))

    def between(self, indent: int) -> list[str]:
        comment = f"{' ' * indent}{self.comment()}"
        lines: list[str] = self.choose([[], [], [], [], [""], [comment], ["", comment, ""]])
        return lines

    def map_lines(self, data: dict[str, Any], indent: int) -> list[str]:
        lines: list[str] = []
        for key, value in data.items():
            lines += self.between(indent)
            first, *rest = self.value(value, indent, in_map=True)
            lines += [f"{' ' * indent}{self.key(key)}:{first}", *rest]
        return lines

    def list_lines(self, data: list[Any], indent: int) -> list[str]:
        lines: list[str] = []
        for item in data:
            lines += self.between(indent)
            if isinstance(item, dict) and item and self.choose([True, False]):
                first, *rest = self.map_lines(item, indent + 2)
                if first.strip() and not first.lstrip().startswith("#"):
                    lines += [f"{' ' * indent}- {first[indent + 2 :]}", *rest]
                    continue
            first, *rest = self.value(item, indent, in_map=False)
            lines += [f"{' ' * indent}-{first}", *rest]
        return lines

    def value(self, value: Any, indent: int, *, in_map: bool) -> list[str]:
        if isinstance(value, (dict, list)) and value and self.choose([True, True, False]):
            step = self.choose([2, 2, 4])
            if isinstance(value, dict):
                return [self.behind(), *self.map_lines(value, indent + step)]
            return [
                self.behind(),
                *self.list_lines(value, indent + self.choose([0, step] if in_map else [step])),
            ]
        if isinstance(value, str) and (found := writer.literal_lines(value)) and self.choose([True, False]):
            pad = " " * (indent + self.choose([0, 2]))
            return [found[0] + self.behind(), *(pad + line if line else "" for line in found[1:])]
        if isinstance(value, (dict, list)) and value and self.choose([True, False]):
            pad = " " * (indent + 2)
            items = self.items(value)
            commas = [","] * (len(items) - 1) + self.choose([[""], [","]])
            lines = [f"{pad}{item}{comma}{self.behind()}" for item, comma in zip(items, commas, strict=True)]
            return [
                f" {'{' if isinstance(value, dict) else '['}{self.behind()}",
                *lines,
                pad + ("}" if isinstance(value, dict) else "]"),
            ]
        return [f" {self.flow(value)}{self.behind()}"]

    def key(self, key: str) -> str:
        return str(self.choose([writer.scalar(key, is_key=True), writer.quoted(key)]))

    def items(self, value: dict[str, Any] | list[Any]) -> list[str]:
        if isinstance(value, dict):
            return [f"{self.key(key)}: {self.flow(item)}" for key, item in value.items()]
        return [self.flow(item) for item in value]

    def flow(self, value: Any) -> str:
        if isinstance(value, (dict, list)):
            gap = self.choose([", ", ", ", ",  ", " , "])
            items = self.items(value)
            pad = self.choose(["", "", " "])
            inside = pad + gap.join(items) + pad
            return f"{{{inside}}}" if isinstance(value, dict) else f"[{inside}]"
        if isinstance(value, str):
            quoted = writer.quoted(value)
            single = "'" + value.replace("'", "''") + "'"
            return str(self.choose([writer.scalar(value), quoted, single if value.isprintable() else quoted]))
        return writer.scalar(value)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    document = draw(DOCUMENTS)
    return Scribe(draw).document(document), document


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        found += paths_in(child, (*path, step))
    return found


def at(document: Any, path: Sequence[Any]) -> Any:
    for step in path:
        document = document[step]
    return document


def change(data: st.DataObject, document: dict[str, Any]) -> None:
    """Change one thing: a value, a key, an item, or the order of a map."""
    paths = paths_in(document)
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    around, last = at(document, path[:-1]), path[-1]
    what = data.draw(st.sampled_from(["set", "set", "remove", "add", "turn"]))
    if what == "set":
        around[last] = data.draw(TREES)
    elif what == "remove":
        del around[last]
    elif what == "add" and isinstance(around, list):
        around.insert(last, data.draw(TREES))
    elif what == "add":
        around[data.draw(KEYS)] = data.draw(TREES)
    elif isinstance(around, dict):
        items = data.draw(st.permutations(list(around.items())))
        around.clear()
        around.update(items)


@given(st.data())
def test_random_edits_of_random_files_read_back(data: st.DataObject) -> None:
    before, document = data.draw(files())
    assert exact(data_of(before)) == exact(document)
    intended = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(0, 3))):
        change(data, intended)
    result = edit_text(before, intended)
    assert exact(data_of(result.text)) == exact(intended)
    assert edit_text(result.text, intended) == (result.text, False)
    if exact(intended) == exact(document):
        assert result.text == before
    if set(intended) & set(document):
        assert not result.rewritten, (before.decode(), intended)


def is_on_one_line(text: bytes, document: dict[str, Any], path: tuple[Any, ...]) -> bool:
    tree = yaml.read(text, "").document
    assert tree is not None
    span = tree.span(path)
    return not isinstance(at(document, path), (dict, list)) and span.line == span.end_line


@given(st.data())
def test_one_changed_value_changes_one_line(data: st.DataObject) -> None:
    before, document = data.draw(files())
    paths = [path for path in paths_in(document) if is_on_one_line(before, document, path)]
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    intended = copy.deepcopy(document)
    at(intended, path[:-1])[path[-1]] = data.draw(WORDS | st.integers(-99, 99))
    after, rewritten = edit_text(before, intended)
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    assert not rewritten
    assert len(old) == len(new)
    assert sum(one != other for one, other in zip(old, new, strict=True)) <= 1


@given(st.data())
def test_the_lines_of_other_keys_stay(data: st.DataObject) -> None:
    before, document = data.draw(files())
    tree = yaml.read(before, "").document
    assert tree is not None
    if before.lstrip(b"#- head\r\n").startswith(b"{"):
        return
    intended = copy.deepcopy(document)
    key = data.draw(st.sampled_from(list(document)))
    if key != "definition" and data.draw(st.booleans()):
        del intended[key]
    else:
        intended[key] = data.draw(TREES)
    after = edit_text(before, intended).text
    lines = before.splitlines(keepends=True)
    start = tree.span((key,), key=True).line - 1
    following = [tree.span((one,), key=True).line - 1 for one in document]
    end = min((line for line in following if line > start), default=len(lines))
    while start and lines[start - 1].startswith(b"#"):
        start -= 1
    assert after.startswith(b"".join(lines[:start]))
    while end > start and end < len(lines) and not lines[end - 1].strip(b" \r\n"):
        end -= 1
    while end > start and end < len(lines) and lines[end - 1].startswith(b"#"):
        end -= 1
    assert after.endswith(b"".join(lines[end:]))
