"""Conditions of the machine end a command with one clear line and a documented exit code: they are no bugs of ours."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.repo import RepoBuilder
from tests.support.seeds import in_soak
from tests.support.waiting import PATIENCE_S

PROGRAM = (sys.executable, "-m", "registry")
# One of each way to write: reports, JSON, text, Markdown, progress and the help.
READING = (
    "check",
    "check --format json",
    "list --format json",
    "show b",
    "diff HEAD~1 --format markdown",
    "build",
)
MORE_READING = (
    "check --format junit",
    "list",
    "show b --format json",
    "log b",
    "blame b",
    "changelog",
    "diff HEAD~1",
    "review --base HEAD~1",
    "ids verify",
    "rules",
    "schema",
    "nginx",
    "--version",
)


@pytest.fixture
def two(repo: RepoBuilder) -> RepoBuilder:
    """Two commits; one definition has characters that few encodings have."""
    repo.define("a")
    repo.commit("first")
    repo.define("b", 'title: Ü → 😀\nowners: [t]\ndefinition: {exec: /bin/true, argv: ["→"]}\n')
    repo.commit("b → ü")
    return repo


def run(
    command: str,
    folder: Path | None,
    stdout: Any = subprocess.PIPE,
    setup: Callable[[], None] | None = None,
    program: Sequence[str] = PROGRAM,
    **env: str,
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [*program, *command.split()],
        cwd=folder,
        env={**os.environ, **env},
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=setup,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode != 70, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    return done


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "show b",
        "diff HEAD~1",
        "--help",
        *in_soak("list", "log b", "blame b", "changelog", "review --base HEAD~1"),
    ],
)
def test_a_terminal_that_lacks_a_character_gets_an_escape(two: RepoBuilder, command: str) -> None:
    done = run(command, two.root, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()


def test_reports_for_programs_are_utf_8_whatever_the_terminal_can_show(two: RepoBuilder) -> None:
    two.define("c", "title: T\nowners: [t]\ndefinition: {exec: x, 'ä→': 1}\n")
    for form in ("junit", "sarif", "rdjson"):
        there = run(f"check --format {form}", two.root, PYTHONIOENCODING="ascii")
        assert there.stdout == run(f"check --format {form}", two.root).stdout
    assert "ä→" in run("check --format junit", two.root, PYTHONIOENCODING="ascii").stdout.decode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [*READING, "--help", *in_soak(*MORE_READING)])
def test_an_output_that_is_full_is_an_error_and_no_silence(two: RepoBuilder, command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(command, two.root, full)
    assert (done.returncode, done.stderr.decode().splitlines()[-2:]) == (
        2,
        ["error: standard output cannot be written: No space left on device", "hint: free some space"],
    )


@pytest.mark.parametrize("command", ["check", "list --format json", "build"])
def test_closed_streams_are_an_error_and_nothing_else_is_written_to_their_numbers(
    two: RepoBuilder, command: str
) -> None:
    done = run(command, two.root, setup=lambda: os.close(1))
    assert done.returncode == 2
    assert b"standard output cannot be written: Bad file descriptor" in done.stderr
    assert run(command, two.root, setup=lambda: os.close(2)).returncode == 0
    assert run(command, two.root, setup=lambda: os.close(0)).returncode == 0
    assert run(command, two.root, setup=lambda: os.closerange(0, 3)).returncode == 2


def test_a_reader_that_has_enough_ends_the_command_quietly(two: RepoBuilder) -> None:
    for command in ("list", "list --format json", "check --format junit"):
        reader, writer = os.pipe()
        os.close(reader)
        done = run(command, two.root, writer)
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "command", ["check", "list --format json", "build", "new process_definition x --exec x", "init"]
)
def test_a_deleted_folder_is_named(tmp_path: Path, command: str) -> None:
    def into_nothing() -> None:
        folder = tmp_path / "gone"
        folder.mkdir()
        os.chdir(folder)
        folder.rmdir()

    done = run(f"{command} ." if command == "init" else command, None, setup=into_nothing)
    assert done.returncode == 2
    assert b"the current folder was deleted" in done.stderr or (
        command == "init" and b"error: " in done.stderr
    )


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "show b",
        "build",
        "index --no-commit",
        *in_soak("list", "log b", "changelog", "review --base HEAD~1"),
    ],
)
@pytest.mark.parametrize("limit", [12])
def test_too_few_open_files_are_told(two: RepoBuilder, command: str, limit: int) -> None:
    done = run(command, two.root, setup=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    assert done.returncode in (0, 2)
    assert (done.returncode == 0) == (b"error:" not in done.stderr)
    if done.returncode:
        assert b"oo many open files" in done.stderr


_INTERRUPTED_AT = """
import os, signal, sys
from importlib.abc import MetaPathFinder
class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
from registry.__main__ import run
sys.argv = ["registry", "show", "b"]
run()
"""


@pytest.mark.parametrize(
    "module",
    [
        "registry.cli",
        "click",
        "registry.cli.terminal",
        "registry.cli.show",
        "registry.snapshot",
        "git",
        "registry.load.yaml.writer",
    ],
)
def test_ctrl_c_while_the_program_starts_leaves_no_traceback(two: RepoBuilder, module: str) -> None:
    done = run("", two.root, program=(sys.executable, "-c", _INTERRUPTED_AT.format(module=module)))
    assert done.returncode in (-signal.SIGINT, 130)


@pytest.mark.parametrize(
    "command",
    [
        "show b@" + "1" * 4400,
        "show " + "1" * 4400,
        "log " + "1" * 4400,
        "changelog --since " + "1" * 4400,
        "check --max-problems " + "1" * 4400,
        "diff " + "1" * 4400,
        "show b@²",
    ],
)
def test_numbers_of_any_length_are_wrong_use_at_most(two: RepoBuilder, command: str) -> None:
    assert run(command, two.root).returncode == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested deeper than 31 levels"),
        ('{"a":' * 900 + "1" + "}" * 900, "nested deeper than 31 levels"),
        ('{"exec": "x", "timeout": ' + "1" * 4400 + "}", "a number of more than 4,300 digits"),
        ('{"exec": "\\ud800"}', "half of a surrogate pair"),
    ],
)
def test_json_beyond_all_limits_is_refused_in_words_for_its_author(
    two: RepoBuilder, text: str, message: str
) -> None:
    two.write("x.json", text)
    done = run("import x.json", two.root)
    assert done.returncode == 2
    assert message in done.stderr.decode()


@pytest.mark.parametrize("depth", [29, 30])
def test_parameters_nested_as_deep_as_the_reader_takes_can_be_built_and_compared(
    two: RepoBuilder, depth: int
) -> None:
    deep = "{a: " * depth + "%d" + "}" * depth
    for number in (1, 2):
        text = f"title: T\nowners: [t]\ndefinition: {{exec: x, input_adapter: {{input_type: acme/x, input_params: {deep % number}}}}}\n"
        two.define("deep", text)
        two.commit()
    is_read = run("check", two.root).returncode == 0
    for command in (
        "show deep@1",
        "log deep",
        "blame deep",
        "diff HEAD~1",
        "changelog --format json",
        "build",
    ):
        assert (run(command, two.root).returncode == 0) == is_read


@pytest.mark.parametrize("depth", [70, 250, 900, 20_000])
def test_schemas_nested_too_deep_are_a_finding(two: RepoBuilder, depth: int) -> None:
    nested = '{"properties":{"a":' * depth + "{}" + "}}" * depth
    two.write(
        "schema/thing.schema.json",
        f'{{"type": "object", "x-registry": {{"title": "T", "plural": "Ts"}}, "properties": {{"a": {nested}}}}}',
    )
    for command in ("check", "build"):
        done = run(command, two.root)
        assert done.returncode == 1
        assert b"K010: not a valid JSON Schema: nested deeper than 128 levels" in done.stdout + done.stderr
    assert run("schema thing", two.root).returncode == 1


def test_a_name_with_a_newline_is_a_finding_and_no_error_of_git(two: RepoBuilder) -> None:
    two.write(
        "definitions/process_definition/x\ny.yaml", "title: T\nowners: [t]\ndefinition: {exec: /bin/x}\n"
    )
    two.write("definitions/application/^[a].yaml", "title: T\nowners: [t]\ndefinition: {exec: /bin/x}\n")
    for command in ("check --changed", "review --base HEAD", "diff"):
        done = run(command, two.root)
        assert b"git grep" not in done.stderr
        assert done.returncode == (0 if command == "diff" else 1), done.stderr


def test_commands_that_read_leave_the_repository_as_it_is(two: RepoBuilder) -> None:
    def state() -> list[tuple[str, int]]:
        return sorted(
            (str(path), path.stat().st_mtime_ns) for path in (two.root / ".git").rglob("*") if path.is_file()
        )

    two.define("a", "title: New\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    before = state()
    for command in (*READING, "changelog --since HEAD", "check --base HEAD", "check --changed"):
        run(command, two.root)
    assert state() == before


def test_an_error_of_git_names_the_command_that_failed(two: RepoBuilder) -> None:
    tree = two.git("rev-parse", "HEAD^{tree}")
    path = two.root / ".git/objects" / tree[:2] / tree[2:]
    path.chmod(0o600)
    path.write_bytes(b"broken")
    done = run("list --source HEAD --format json", two.root)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"].startswith("git ls-tree failed: ")
