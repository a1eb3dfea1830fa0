"""A file after an edit of one line is what reading all of it gives, or is left to be read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.yaml import edited
from registry.yaml.lines import UnusualFormError, read_lines
from tests.test_yaml_lines import ENDS, FILES, KEYS, VALUES

CORPUS = sorted((Path(__file__).parent / "corpus" / "good").glob("*.yaml"))


def agrees(before: bytes, after: bytes) -> bool:
    """True when the edit was seen, and right; False when it was left to be read."""
    try:
        data = read_lines(before)
    except UnusualFormError:
        return False
    kept = repr(data)
    found = edited(before, data, after)
    assert repr(data) == kept  # others show it still
    if found is None:
        return False
    whole = read_lines(after)
    assert repr(found.data) == repr(whole)
    for step in found.path[:-1]:
        data, whole = data[step], whole[step]
    assert (data[found.path[-1]], whole[found.path[-1]]) == (found.old, found.new)
    return True


@given(FILES, st.integers(0, 20), KEYS, VALUES, ENDS)
def test_any_line_edited(text: str, place: int, key: str, value: str, end: str) -> None:
    lines = text.split("\n")
    line = lines[place % len(lines)]
    indentation = line[: len(line) - len(line.lstrip(" "))]
    old_key = line.strip(" ").partition(":")[0]
    for new in (f"{indentation}{old_key}: {value}{end}", f"{indentation}{key}: {value}", f"{line}{end}", value):
        agrees(text.encode(), "\n".join([*lines[: place % len(lines)], new, *lines[place % len(lines) + 1 :]]).encode())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_line_of_good_files_with_other_values(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    for place, line in enumerate(lines):
        head, colon, _ = line.partition(": ")
        for value in ("x", "[a, b]", '"quoted"', "7", "true", "{a: b}", "yes", "|", "x # why", "'", ""):
            after = "\n".join([*lines[:place], head + colon + value, *lines[place + 1 :]])
            agrees(text.encode(), after.encode())


@pytest.mark.parametrize(
    ("before", "line", "path"),
    [
        ("title: A\ndefinition:\n  exec: /bin/a\n", "  exec: /bin/b", ("definition", "exec")),
        ("title: A\ndefinition:\n  # which\n\n  environment:\n      A: one\n      B: two\n  timeout: 3\n", "      B: three # more", ("definition", "environment", "B")),
        ("title: A\ndefinition: # what is run\n  timeout: 3\n", "  timeout: 4", ("definition", "timeout")),
        ("tags: [a, b]\n", "tags: [a]", ("tags",)),
    ],
)  # fmt: skip
def test_what_people_edit_is_seen(before: str, line: str, path: tuple[str, ...]) -> None:
    key = line.partition(":")[0]
    after = "\n".join(line if old.partition(":")[0] == key else old for old in before.split("\n"))
    assert agrees(before.encode(), after.encode())
    found = edited(before.encode(), read_lines(before.encode()), after.encode())
    assert found is not None
    assert found.path == path


@pytest.mark.parametrize(
    ("before", "old", "new"),
    [
        ("title: |\n  a: 1\n  b: 2\nother: x\n", "  b: 2", "  b: 3"),  # in a text of several lines
        ("title: |\n  top:\n    b: 2\ntop:\n  b: 2\n", "    b: 2", "    b: 3"),
        ("links:\n  - href: x\n    title: one\n", "    title: one", "    title: two"),  # in a list
        ("a:\n  b: 1\n", "  b: 1", "  c: 1"),  # another key
        ("a: {b: 1}\n", "a: {b: 1}", "a: {b: 2}"),  # a map, of which a part differs
    ],
)
def test_what_is_not_plain_to_see_is_left_to_be_read(before: str, old: str, new: str) -> None:
    assert edited(before.encode(), read_lines(before.encode()), before.replace(old, new, 1).encode()) is None
