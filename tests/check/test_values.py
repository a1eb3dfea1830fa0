"""Values that a process gets otherwise than their author means, and mistakes that have a name."""

from pathlib import Path

import pytest

from registry.load.source import WorkTree
from registry.model.problem import Problem
from registry.pipeline import check_source

HEAD = "title: T\nowners: [t]\n"


GOOD = f"{HEAD}definition: {{exec: /bin/x}}\n"


def check(root: Path, text: str, path: str = "definitions/process_definition/a.yaml") -> list[Problem]:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(text.encode())
    return list(check_source(WorkTree(root)).problems)


@pytest.mark.parametrize(
    "value",
    [
        "$HOME",
        "$HOME/x",
        "a:$PATH",
        "${HOME:-x}",
        "pre${X}post",
        "${A}${B}",
        "$(date)",
        "${",
        "x ${HOME}",
        "${HOME }",
    ],
)
def test_a_variable_of_a_shell_in_a_value_is_told(tmp_path: Path, value: str) -> None:
    found = check(tmp_path, f"{HEAD}definition: {{exec: /bin/x, environment: {{A: '{value}'}}}}\n")
    assert [(one.rule, one.severity.value, one.pointer) for one in found] == [
        ("W115", "warning", "/definition/environment/A")
    ]


@pytest.mark.parametrize("value", ["${HOME}", "5$", "$5", "$", "a$", "100 $ a", "^x$", "$$"])
def test_a_reference_or_a_dollar_sign_is_not(tmp_path: Path, value: str) -> None:
    assert check(tmp_path, f"{HEAD}definition: {{exec: /bin/x, environment: {{A: '{value}'}}}}\n") == []


@pytest.mark.parametrize(("size", "is_told"), [(131_071, False), (131_072, True), (65_536 * 2 + 10, True)])
def test_an_argument_over_128_kib_is_told(tmp_path: Path, size: int, is_told: bool) -> None:
    found = check(tmp_path, f"{HEAD}definition:\n  exec: /bin/x\n  argv:\n  - {'x' * size}\n")
    assert [one.rule for one in found] == ["W114"] * is_told
    found = check(
        tmp_path, f"{HEAD}definition:\n  exec: /bin/x\n  environment:\n    AB: {'x' * (size - 3)}\n"
    )
    assert [one.rule for one in found] == ["W114"] * is_told
    found = check(
        tmp_path, f"{HEAD}definition:\n  exec: /bin/x\n  argv:\n  - {'é' * (size // 2)}{'x' * (size % 2)}\n"
    )
    assert [one.rule for one in found] == ["W114"] * is_told


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        (
            "exec: /bin/x\nargv: [a]\n",
            (1, 1),
            "unknown key `exec`",
            "move it into `definition:`, indented: `  exec: …`",
        ),
        (
            HEAD + "definition: {exec: /bin/x}\ncwd: /srv\n",
            (4, 1),
            "unknown key `cwd`",
            "move it into `definition:`, indented: `  cwd: …`",
        ),
        (
            HEAD + "definition: {exec: /bin/x, tags: [a]}\n",
            (3, 28),
            "unknown key `tags`",
            "move it to the top level, next to `definition:`",
        ),
    ],
)
def test_a_key_on_the_wrong_side_of_definition(
    tmp_path: Path, text: str, place: tuple[int, int], message: str, hint: str
) -> None:
    assert ("S002", place, message, hint) in [
        (one.rule, one.span[1:3], one.message, one.hint) for one in check(tmp_path, text)
    ]


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ("[${input_file}]", "${input_file}"),
        ("[-i, ${input_file}, x]", "${input_file}"),
        ("[--in=${input_file}]", "--in=${input_file}"),
        ("[a, {b: ${output_file}.x}]", "${output_file}.x"),
        ("[\n    ${input_file},\n    x]", "${input_file}"),
    ],
)
def test_a_placeholder_in_brackets_needs_quotes(tmp_path: Path, argv: str, shown: str) -> None:
    (found,) = check(tmp_path, f"{HEAD}definition:\n  exec: /bin/x\n  argv: {argv}\n")
    assert (found.rule, found.message, found.hint) == (
        "Y001",
        f"not valid YAML: `{shown}` needs quotes in brackets",
        f'quote it: "{shown}"',
    )


CONFLICT = "{}<<<<<<< HEAD\n  exec: /bin/a\n||||||| base\n=======\n  exec: /bin/b\n>>>>>>> branch\n"


def test_a_merge_conflict_is_named_in_every_file_of_a_registry(tmp_path: Path) -> None:
    (found,) = check(tmp_path, CONFLICT.format(HEAD + "definition:\n"))
    assert (
        (found.rule, found.span.line) == ("Y001", 4)
        and "merge conflict" in found.message
        and "<<<<<<<" in found.hint
    )
    (found,) = check(tmp_path, CONFLICT.format(HEAD + "definition:\n").replace("\n", "\r\n"))
    assert "merge conflict" in found.message
    check(tmp_path, GOOD)
    found = check(tmp_path, "<<<<<<< HEAD\ntitle: A\n=======\ntitle: B\n>>>>>>> x\n", "registry.yaml")[0]
    assert "merge conflict" in found.message
    check(tmp_path, "title: A\n", "registry.yaml")
    (found,) = check(
        tmp_path, '{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> x\n}', "schema/sensor.schema.json"
    )
    assert (found.rule, found.span.line) == ("K010", 2) and "merge conflict" in found.message


def test_a_block_of_text_may_show_a_conflict(tmp_path: Path) -> None:
    text = "description: |\n  <<<<<<< HEAD\n  =======\n  >>>>>>> x\n"
    assert check(tmp_path, f"{HEAD}{text}definition: {{exec: /bin/x}}\n") == []


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 12\n"
    (found,) = check(tmp_path, pointer)
    assert found.rule == "Y001" and "Git LFS" in found.message and "git lfs pull" in found.hint
    check(tmp_path, GOOD)
    (found,) = check(tmp_path, pointer, "schema/sensor.schema.json")
    assert found.rule == "K010" and "Git LFS" in found.message
