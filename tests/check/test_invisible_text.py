"""Characters that nobody sees: errors where a program, a place or a name is meant, and told apart in values."""

from pathlib import Path

import pytest

from registry.load.source import WorkTree
from registry.pipeline import check_source

ZERO_WIDTH = [
    "\u200b",
    "\u200c",
    "\u200d",
    "\u2060",
    "\u00ad",
    "\u034f",
    "\u061c",
    "\u200e",
    "\u200f",
    "\u180e",
    "\u3164",
    "\ufe0f",
    "\U000e0041",
]
BLANKS = ["\u00a0", "\u2003", "\u202f", "\u3000", "\u2800"]
C1 = ["\x80", "\x85", "\x9b", "\x9f"]
BIDI = [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]


def escaped(text: str) -> str:
    """Text as YAML writes it, in ASCII."""
    return '"' + "".join(char if " " <= char <= "~" else f"\\U{ord(char):08X}" for char in text) + '"'


def found(root: Path, inside: str, around: str = "", name: str = "a") -> list[str]:
    folder = root / "definitions/process_definition"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        f"title: T\nowners: [t]\n{around}definition:\n  {inside}\n", encoding="utf-8"
    )
    problems = check_source(WorkTree(root)).problems
    (folder / f"{name}.yaml").unlink()
    assert all(one.hint for one in problems if one.rule in ("S006", "S007", "W112"))
    return [
        f"{one.severity.value} {one.rule} {one.pointer}"
        for one in problems
        if one.rule not in ("R004", "A023")
    ]


@pytest.mark.parametrize("char", [*ZERO_WIDTH, *BLANKS, *C1, *BIDI], ids=lambda char: f"{ord(char):04X}")
def test_what_names_a_program_a_place_or_a_variable_refuses_all_of_them(tmp_path: Path, char: str) -> None:
    for text in (f"/bin/{char}x", f"/bin/x{char}"):
        # As an escape, and as it is where YAML allows that.
        for written in (escaped(text), *([] if char in C1 else [f'"{text}"'])):
            assert found(tmp_path, f"exec: {written}") == ["error S006 /definition/exec"]
            assert found(tmp_path, f"exec: /bin/x\n  cwd: {written}") == ["error S006 /definition/cwd"]
            adapter = (
                f"exec: /bin/x\n  input_adapter: {{input_type: pipe, input_params: {{pipe_path: {written}}}}}"
            )
            assert "error S006 /definition/input_adapter/input_params/pipe_path" in found(tmp_path, adapter)
            own = f"exec: /bin/x\n  output_adapter: {{output_type: acme/file, output_params: {{spool_path: {written}}}}}"
            assert found(tmp_path, own) == ["error S006 /definition/output_adapter/output_params/spool_path"]
    name = escaped(f"LEVEL{char}")
    assert found(tmp_path, f"exec: /bin/x\n  environment: {{{name}: info}}") == [
        f"error S006 /definition/environment/LEVEL{char}"
    ]
    assert "error S006 /examples/0/input_file" in found(
        tmp_path, "exec: /bin/x", f"examples: [{{title: one, input_file: {escaped(f'samples/{char}a')}}}]\n"
    )


@pytest.mark.parametrize(
    "inside",
    [
        'exec: " /bin/x"',
        'exec: "/bin/x "',
        'exec: /bin/x\n  cwd: "/srv "',
        'exec: /bin/x\n  environment: {"A ": b}',
        'exec: /bin/x\n  environment: {" A": b}',
    ],
)
def test_blanks_at_the_ends_of_names(tmp_path: Path, inside: str) -> None:
    assert [one.split()[:2] for one in found(tmp_path, inside) if "W103" not in one] == [["error", "S006"]]


@pytest.mark.parametrize("char", BIDI, ids=lambda char: f"{ord(char):04X}")
def test_values_refuse_what_turns_the_direction_of_writing(tmp_path: Path, char: str) -> None:
    assert found(tmp_path, f"exec: /bin/x\n  argv: [a, {escaped(f'--user={char}x')}]") == [
        "error S007 /definition/argv/1"
    ]
    assert found(tmp_path, f'exec: /bin/x\n  environment: {{A: "{char}x"}}') == [
        "error S007 /definition/environment/A"
    ]


@pytest.mark.parametrize(
    "char", [*ZERO_WIDTH, *BLANKS, "\x1b", "\x07", "\r", "\x85"], ids=lambda char: f"{ord(char):04X}"
)
def test_values_warn_of_everything_else_that_is_not_seen(tmp_path: Path, char: str) -> None:
    written = escaped(f"a{char}b")
    assert found(tmp_path, f"exec: /bin/x\n  argv: [{written}]") == ["warning W112 /definition/argv/0"]
    assert found(tmp_path, f"exec: /bin/x\n  environment: {{A: {written}}}") == [
        "warning W112 /definition/environment/A"
    ]


@pytest.mark.parametrize(
    "value", [" a ", "\t", "a\nb\n", "\x7f", "é", "日本", "⚠️", "👨\u200d👩\u200d👧", "1️⃣", "שלום", "a b"]
)
def test_values_that_are_valid(tmp_path: Path, value: str) -> None:
    written = escaped(value) if not value.isprintable() else f'"{value}"'
    assert found(tmp_path, f"exec: /bin/x\n  argv: [{written}]\n  environment: {{A: {written}}}") == []


def test_a_zero_width_joiner_is_only_part_of_an_emoji_between_two(tmp_path: Path) -> None:
    for value in ("1\u200d", "a\u200db", "👨\u200d", "👨\u200d\u200d👩"):
        assert found(tmp_path, f"exec: /bin/x\n  argv: [{escaped(value)}]") == [
            "warning W112 /definition/argv/0"
        ]


def test_names_of_definitions(tmp_path: Path) -> None:
    for char in (*ZERO_WIDTH, *BLANKS, *BIDI):
        assert found(tmp_path, "exec: /bin/x", name=f"na{char}me") == ["error I001 "]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1A", "warning W113"),
        ("log.level", "warning W113"),
        ("É", "warning W113"),
        ("A-B", "warning W113"),
        ("A b", "warning W113"),
        ("A", ""),
        ("_x9", ""),
        ("", "error S002"),
        ("A=b", "error S002"),
        ("A\tb", "error S002"),
    ],
)
def test_names_of_variables(tmp_path: Path, name: str, expected: str) -> None:
    told = found(tmp_path, f"exec: /bin/x\n  environment: {{{escaped(name)}: b}}")
    assert [" ".join(one.split(" ")[:2]) for one in told] == ([expected] if expected else [])
