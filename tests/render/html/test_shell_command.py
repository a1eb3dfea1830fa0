"""The command to copy: a shell that runs it starts the same program as a runner, with the same arguments."""

import html
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.load.kinds import Kind
from registry.load.x_registry import KindTraits
from registry.render.html.shell_command import command_html, command_text, shell_command

KIND = Kind(
    "process_definition",
    "",
    {},
    KindTraits(
        "Process",
        "Processes",
        executable="/definition/exec",
        arguments="/definition/argv",
        rules=("process",),
    ),
)
# The process reports what it was started with.
REPORT = (
    f"#!{sys.executable} -I\n"
    "import json, os, sys\n"
    "print(json.dumps([[os.fsencode(one).decode('latin-1') for one in sys.argv[1:]], os.getcwd(),"
    " {os.fsencode(k).decode('latin-1'): os.fsencode(v).decode('latin-1') for k, v in os.environ.items()},"
    " sys.stdin.read() if 'stdin' in sys.argv else '']))\n"
)
HOSTILE = [
    "",
    " ",
    "a b",
    "it's",
    '"',
    "$HOME",
    "${PATH}",
    "$(touch pwned)",
    "`touch pwned`",
    "a\\nb",
    "two\nlines\n",
    "\n",
    "tab\there",
    "\x1b[201~; touch pwned\r",
    "ends with escape\x1b",
    "\x7f\x85",
    "*",
    "~",
    "~root",
    "{a,b}",
    "-n",
    "--",
    "a=b",
    "A=b",
    "#x",
    "!!",
    "&& touch pwned",
    "; touch pwned #",
    "größe",
    "日本語",
    "\u202eevil",
    "%s",
    "\\",
    "'\"'\"'",
]


def run(text: str, folder: Path, shell: str = "sh", **more: str) -> list[Any]:
    environment = {**os.environ, **more}
    done = subprocess.run(
        [shell, "-c", f"\n{text}"],
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not (folder / "pwned").exists()
    found: list[Any] = json.loads(done.stdout)
    return found


def command_of(data: dict[str, Any]) -> str:
    return command_text(shell_command(KIND, data))


def bytes_of(texts: list[str]) -> list[str]:
    return [text.encode().decode("latin-1") for text in texts]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("command") / "my report"
    path.write_text(REPORT)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_hostile_arguments_variables_and_folders_arrive_unchanged(report: Path, shell: str) -> None:
    folder = report.parent / "it's $HOME; \x1b`x`"
    folder.mkdir(exist_ok=True)
    environment = {f"V{number}": text for number, text in enumerate(HOSTILE) if text != "${PATH}"}
    definition = {"exec": str(report), "argv": HOSTILE, "cwd": str(folder), "environment": environment}
    text = command_of({"definition": definition})
    argv, cwd, found, _ = run(text, report.parent, shell)
    assert argv == bytes_of(HOSTILE)
    assert cwd == str(folder)
    assert {name: found[name] for name in environment} == {
        name: value.encode().decode("latin-1") for name, value in environment.items()
    }


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_arguments_arrive_unchanged(report: Path, items: list[str]) -> None:
    text = command_of({"definition": {"exec": str(report), "argv": items}})
    expected = [item for item in items if "_file}" not in item]
    if expected == items:
        assert run(text, report.parent)[0] == bytes_of(items)


def test_a_program_is_never_taken_for_a_word_of_the_shell_or_an_assignment(report: Path) -> None:
    for name in ("cd", "if", "[", "echo", "a=b", "export", "-x", "time", "~"):
        program = report.parent / name
        program.write_text(REPORT)
        program.chmod(0o755)
        for environment in ({}, {"LEVEL": "1"}, {"not.a.name": "1", "-x": "y"}):
            definition = {"exec": name, "argv": ["x"], "environment": environment}
            text = command_of({"definition": definition})
            path = f"{report.parent}:{os.environ['PATH']}"
            argv, _, found, _ = run(text, report.parent, PATH=path)
            assert (argv, {key: found.get(key) for key in environment}) == (["x"], environment), text


def test_placeholders_become_variables_with_absolute_paths(report: Path) -> None:
    definition = {
        "exec": str(report),
        "argv": ["-i", "${input_file}", "--out=${output_file}", "it's ${input_file}:${input_file}", "${x}"],
        "cwd": "/",
        "output_adapter": {
            "output_type": "file",
            "output_params": {"file_path": "${output_file}", "suffix": ".mp3"},
        },
    }
    text = command_of({"definition": definition})
    given_path = str(report.parent / "a b.wav")
    assert run(text, report.parent, input_file=given_path)[0] == [
        "-i",
        given_path,
        f"--out={report.parent}/output.mp3",
        f"it's {given_path}:{given_path}",
        "${x}",
    ]
    failed = subprocess.run(
        ["sh", "-c", text], check=False, cwd=report.parent, capture_output=True, text=True
    )
    assert failed.returncode != 0
    assert "set it to the absolute path of a file" in failed.stderr


def test_the_sample_of_an_example_is_the_input(report: Path) -> None:
    (report.parent / "samples").mkdir(exist_ok=True)
    (report.parent / "samples/it's.txt").write_text("a message")
    examples = [{"input_text": "x"}, {"input_file": "samples/it's.txt"}]
    by_path: dict[str, Any] = {"exec": str(report), "argv": ["${input_file}"], "cwd": "/"}
    by_path["input_adapter"] = {"input_type": "file", "input_params": {"file_path": "${input_file}"}}
    text = command_of({"definition": by_path, "examples": examples})
    assert run(text, report.parent)[0] == [f"{report.parent}/samples/it's.txt"]
    by_stream = {"exec": str(report), "argv": ["stdin"], "cwd": "/"}
    text = command_of({"definition": by_stream, "examples": examples})
    assert run(text, report.parent)[3] == "a message"


def test_a_value_from_the_environment_of_the_runner_is_needed_there(report: Path) -> None:
    definition = {"exec": str(report), "environment": {"TOKEN": "${MY_TOKEN}", "LITERAL": "x${MY_TOKEN}"}}
    text = command_of({"definition": definition})
    found = run(text, report.parent, MY_TOKEN="a b")[2]
    assert (found["TOKEN"], found["LITERAL"]) == ("a b", "x${MY_TOKEN}")
    failed = subprocess.run(
        ["sh", "-c", text], check=False, cwd=report.parent, capture_output=True, text=True
    )
    assert failed.returncode != 0
    assert "set it in the environment" in failed.stderr


def test_the_usual_command_is_short() -> None:
    definition = {"exec": "/usr/bin/tr", "argv": ["-d", "x"], "cwd": "/srv", "environment": {"LC_ALL": "C"}}
    assert command_of({"definition": definition}) == "cd /srv &&\nLC_ALL=C /usr/bin/tr -d x"
    assert command_of({"definition": {"exec": "tr"}}) == "tr"


def test_no_word_changes_the_order_of_others_on_a_page() -> None:
    lines = shell_command(KIND, {"definition": {"exec": "/bin/x", "argv": ["שלום", "مرحبا <b>"]}})
    markup = command_html(lines).decode()
    assert markup == ("<bdi>/bin/x</bdi> <bdi>&#39;שלום&#39;</bdi> <bdi>&#39;مرحبا &lt;b&gt;&#39;</bdi>")
    assert html.unescape(markup.replace("<bdi>", "").replace("</bdi>", "")) == command_text(lines)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"exec": 5},
        {"exec": ""},
        {"exec": "x", "argv": "a"},
        {"exec": "x", "argv": [1]},
        {"exec": "x", "argv": ["\0"]},
        {"exec": "x", "cwd": 1},
        {"exec": "x", "environment": ["A=b"]},
        {"exec": "x", "environment": {"A": 1}},
    ],
)
def test_no_command_without_a_valid_one(wrong: dict[str, Any]) -> None:
    assert command_of({"definition": wrong}) == ""
