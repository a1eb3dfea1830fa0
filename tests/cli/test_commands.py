"""The commands as a person meets them: what they say, how they end, and that they never show a traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from registry.cli import COMMANDS
from registry.cli.export import FORMAT_NAMES
from tests.conftest import Run
from tests.support.repo import RepoBuilder


@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    outcome = run(*([command] if command else []), "--help")
    assert outcome.code == 0
    assert "registry " in outcome.out
    if command:
        assert "Example" in outcome.out


def test_version_and_wrong_use(run: Run) -> None:
    assert re.fullmatch(r"process-registry \d+\.\d+\.\d+\n", run("--version").out)
    for words in (
        ["nonsense"],
        ["check", "--nonsense"],
        ["show"],
        ["build", "--format", "xml"],
        ["serve", "--port", "0"],
    ):
        outcome = run(*words)
        assert outcome.code == 2
        assert outcome.err


def test_a_missing_choice_is_named_on_one_line(run: Run) -> None:
    formats = ", ".join(FORMAT_NAMES)
    assert run("export").err.splitlines()[0] == f"error: Missing option '--to'. Choose from: {formats}"


def test_python_m_registry_is_the_command(repo: RepoBuilder) -> None:
    repo.define("a")
    done = subprocess.run(
        [sys.executable, "-m", "registry", "check"],
        cwd=repo.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1 definition checked. No problems.\n")


def test_all_problems_of_all_files_come_in_one_run_with_source_line_caret_and_hint(
    repo: RepoBuilder, run: Run
) -> None:
    repo.define("good")
    repo.define("a", "title: T\nowners: [t]\ndefinition:\n  exec: x\n  args: [b]\n  timeout: soon\n")
    repo.define("b", "title: 'open\n")
    repo.define("c", "- x\n")
    repo.define("d", "title: T\nowners: [t]\ndefinition: {exec: x, application: nowhere}\n")
    repo.define("e", b"title: \xff\n".decode("latin-1"))
    repo.write("definitions/process_definition/f.yaml", b"title: \xff\n")
    outcome = run("check", "-C", str(repo.root))
    assert outcome.code == 1
    for expected in (
        "a.yaml:5:3: error S002",
        "a.yaml:6:12: error S003",
        "b.yaml:2:1: error Y001",
        "c.yaml:1:1: error Y021",
        "d.yaml:3:36: error R001",
        "f.yaml:1:8: error Y003",
    ):
        assert expected in outcome.out
    assert "      5 |   args: [b]\n        |   ^^^^\n  hint: did you mean `argv`?" in outcome.out
    assert re.search(r"\d+ errors", outcome.out.splitlines()[-1])


def test_problems_for_programs(repo: RepoBuilder, run: Run) -> None:
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: x, args: []}\n")
    outcome = run("check", "-C", str(repo.root), "--format", "json")
    assert outcome.code == 1
    body = json.loads(outcome.out)
    assert (body["errors"], body["warnings"]) == (1, 0)
    assert body["problems"] == [
        {
            "rule": "S002",
            "severity": "error",
            "path": "definitions/process_definition/a.yaml",
            "line": 3,
            "column": 23,
            "end_line": 3,
            "end_column": 27,
            "pointer": "/definition/args",
            "message": "unknown key `args`",
            "hint": "did you mean `argv`?",
        }
    ]


def test_a_build_with_errors_says_them_to_programs_too(repo: RepoBuilder, run: Run) -> None:
    repo.define("a", "title: T\nowners: [t]\ndefinition: {}\n")
    outcome = run("build", "-C", str(repo.root), "--format", "json")
    assert (outcome.code, json.loads(outcome.out)["errors"]) == (1, 1)


def test_problems_of_a_commit_show_the_lines_of_that_commit(repo: RepoBuilder, run: Run) -> None:
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: x, args: []}\n")
    repo.commit()
    repo.define("a", "title: Now this is something else altogether\n\n\n")
    outcome = run("check", "-C", str(repo.root), "--source", "HEAD")
    assert "3 | definition: {exec: x, args: []}" in outcome.out


def test_a_list_says_what_is_missing_from_it(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.define("b", "title: [\n")
    outcome = run("list", "-C", str(repo.root))
    assert "b" not in [line.split()[2] for line in outcome.out.splitlines()]
    assert "cannot be read: 1 (see `registry check`)" in outcome.err


def test_warnings_do_not_fail_and_paths_narrow_what_is_shown(repo: RepoBuilder, run: Run) -> None:
    repo.define("x/warned", "title: T\ndefinition: {exec: x}\n")
    repo.define("y/bad", "title: T\nowners: [t]\ndefinition: {}\n")
    outcome = run("check", "-C", str(repo.root), "definitions/process_definition/x")
    assert outcome.code == 0
    assert "W202" in outcome.out
    assert "bad.yaml" not in outcome.out
    assert (
        run("check", "-C", str(repo.root), str(repo.root / "definitions/process_definition/y/bad.yaml")).code
        == 1
    )
    assert run("check", "-C", str(repo.root), "definitions/none.yaml").code == 2
    assert run("check", "-C", str(repo.root), "/etc").code == 2


def test_what_would_act_on_a_terminal_is_shown_as_an_escape(repo: RepoBuilder, run: Run) -> None:
    repo.define("a", 'title: T\nowners: [t]\ndefinition: {exec: x, "\\e[31m\\u202e": 1}\n')
    outcome = run("check", "-C", str(repo.root))
    assert "\\u001b[31m\\u202e" in outcome.out
    assert "\x1b" not in outcome.out
    assert "\u202e" not in outcome.out


def test_colors_only_on_a_terminal(repo: RepoBuilder) -> None:
    repo.define("a", "title: T\ndefinition: {}\n")
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "registry", "check", "-C", str(repo.root)]
    piped = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
    assert "\x1b[" not in piped
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:
        pass  # the other end is closed
    process.wait()
    os.close(ours)
    assert b"\x1b[1;31merror" in seen


@pytest.mark.parametrize("command", ["check", "index", "build", "list", "serve"])
def test_where_there_is_no_registry_one_clear_line_says_so(tmp_path: Path, run: Run, command: str) -> None:
    outcome = run(command, "-C", str(tmp_path))
    assert outcome.code == 2
    assert "has no folder `definitions`" in outcome.err
    assert "hint:" in outcome.err
    assert run(command, "-C", str(tmp_path / "none")).code == 2


@pytest.mark.parametrize("command", ["check", "build", "list"])
def test_a_commit_that_does_not_exist_is_one_clear_line(repo: RepoBuilder, run: Run, command: str) -> None:
    repo.define("a")
    repo.commit()
    outcome = run(command, "-C", str(repo.root), "--source", "no-such-branch")
    assert (outcome.code, "there is no commit 'no-such-branch'" in outcome.err) == (2, True)


def test_without_git_on_the_machine(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit()
    plain = tmp_path / "plain"
    (plain / "definitions/process_definition").mkdir(parents=True)
    (plain / "definitions/process_definition/a.yaml").write_text(
        "title: T\nowners: [t]\ndefinition: {exec: x}\n"
    )
    environment = {"PATH": str(tmp_path)}

    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "registry", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert call("check", "-C", str(repo.root)).returncode == 0
    done = call("build", "-C", str(repo.root))
    assert (done.returncode, "git is not installed" in done.stderr, "Traceback" in done.stderr) == (
        2,
        True,
        False,
    )
    assert call("build", "-C", str(plain)).returncode == 0
    assert call("init", str(tmp_path / "new")).returncode == 2


def test_a_bare_repository_is_built_by_commit(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit()
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "bare.git"))
    outcome = run("build", "-C", str(tmp_path / "bare.git"), "-o", str(tmp_path / "site"))
    assert (outcome.code, "bare repository" in outcome.err) == (2, True)
    assert (
        run("build", "-C", str(tmp_path / "bare.git"), "--source", "main", "-o", str(tmp_path / "site")).code
        == 0
    )


def test_a_folder_that_cannot_be_read_is_one_clear_line(repo: RepoBuilder) -> None:
    repo.define("folder/a")
    folder = repo.root / "definitions/process_definition/folder"
    folder.chmod(0)
    command = [sys.executable, "-m", "registry", "check", "-C", str(repo.root)]
    if os.geteuid() == 0:
        # Root may read every folder, unless these two rights are taken from it.
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    folder.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "cannot be read: Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(repo: RepoBuilder) -> None:
    for number in range(300):
        repo.define(f"p{number}")
    done = subprocess.run(
        f"{sys.executable} -m registry list -C {repo.root} | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("process_definition")
    assert done.stderr == ""


def test_our_own_bug_is_one_line_with_its_details_in_a_file(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.define("a")
    monkeypatch.setattr("registry.pipeline.load_kinds", lambda source: 1 / 0)
    outcome = run("check", "-C", str(repo.root))
    assert outcome.code == 70
    details = re.search(r"the details are in (\S+)", outcome.err)
    assert details
    assert "ZeroDivisionError" in Path(details[1]).read_text()
    Path(details[1]).unlink()


def test_list_show_and_log_for_people_and_programs(repo: RepoBuilder, run: Run) -> None:
    repo.define("weather/qc")
    repo.define("app", kind="application")
    repo.commit("add both")
    run("index", "-C", str(repo.root))
    where = ("-C", str(repo.root))
    assert run("list", *where).out.splitlines() == [
        "process_definition      1  weather/qc  Qc",
        "application             1  app         App",
    ]
    listed = json.loads(run("list", "application", *where, "--format", "json").out)
    assert (listed["format_version"], [one["name"] for one in listed["definitions"]]) == (1, ["app"])
    assert "did you mean `application`?" in run("list", "applications", *where).err
    assert "exec: /bin/qc" in run("show", "weather/qc", *where).out
    assert (
        json.loads(run("show", "process_definition/1", *where, "--format", "json").out)["resource_uri"]
        == "/api/process_definition/1/"
    )
    assert json.loads(run("show", "application/1", *where, "--format", "json").out)["name"] == "app"
    assert "add both" in run("log", "weather/qc", *where).out
    history = json.loads(run("log", "1", *where, "--kind", "process_definition", "--format", "json").out)
    assert [one["number"] for one in history["revisions"]] == [2, 1]
    missing = run("show", "weather/qs", *where)
    assert (missing.code, "did you mean `weather/qc`?" in missing.err) == (2, True)


def test_rules_and_schemas_explain_themselves(repo: RepoBuilder, run: Run) -> None:
    assert "A021" in run("rules").out
    assert "Bad example:" in run("rules", "a021").out
    assert run("rules", "Z999").code == 2
    repo.define("a")
    schema = json.loads(run("schema", "process_definition", "-C", str(repo.root)).out)
    assert set(schema["properties"]["definition"]) >= {"title", "$ref"}
    assert run("schema", "--write", "-C", str(repo.root)).code == 0
    assert (repo.root / "schema/adapters.schema.json").exists()
    assert (repo.root / "schema/adapters/file.schema.json").exists()
    assert run("check", "-C", str(repo.root)).code == 0
