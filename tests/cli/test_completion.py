"""Shell completion: commands, options, names of definitions, kinds and rules, as the shells ask for them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from registry.cli import COMMANDS, program
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def registry(repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> RepoBuilder:
    repo.define("weather/qc")
    repo.define("weather/hourly")
    repo.define("lab")
    repo.define("lab", kind="application")
    monkeypatch.chdir(repo.root)
    return repo


def completions(line: str) -> list[str]:
    """The candidates for the last word of a command line."""
    *words, incomplete = line.split(" ")
    completer = BashComplete(program, {}, "registry", "_REGISTRY_COMPLETE")
    return [one.value for one in completer.get_completions(words, incomplete)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", [*COMMANDS]),
        ("ch", ["check", "changelog"]),
        ("check --q", ["--quiet"]),
        ("build --format ", ["text", "json"]),
        ("diff --fail-on r", ["risky"]),
        ("ids v", ["verify"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("show wea", ["weather/hourly", "weather/qc"]),
        ("log weather/q", ["weather/qc"]),
        ("blame --kind process_definition l", ["lab"]),
        ("show lab", []),
        ("show ", ["application/lab", "process_definition/lab", "weather/hourly", "weather/qc"]),
        (
            "show process_definition/",
            ["process_definition/lab", "process_definition/weather/hourly", "process_definition/weather/qc"],
        ),
        ("list ", ["process_definition", "application"]),
        ("show --kind a", ["application"]),
        ("new p", ["process_definition"]),
        ("schema app", ["application"]),
        ("rules A02", ["A021", "A022", "A023"]),
        ("rules a021", ["A021"]),
        ("rules Y00", ["Y001", "Y002", "Y003"]),
    ],
)
def test_candidates(registry: RepoBuilder, line: str, expected: list[str]) -> None:
    found = completions(line)
    if line.startswith("rules"):
        assert set(expected) <= set(found)
        assert all(one.startswith(line.rsplit(" ", 1)[1].upper()) for one in found)
    else:
        assert found == expected


def test_names_are_those_of_the_registry_and_the_source_on_the_command_line(
    registry: RepoBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.commit()
    registry.define("weather/new")
    monkeypatch.chdir(tmp_path)
    where = f"-C {registry.root}"
    assert completions(f"show {where} weather/n") == ["weather/new"]
    assert completions(f"show {where} --source HEAD weather/n") == []
    assert completions(f"show {where} --source HEAD weather/q") == ["weather/qc"]


def test_kinds_of_the_registry_are_completed(registry: RepoBuilder) -> None:
    registry.write("schema/dataset.schema.json", '{"title": "Dataset", "type": "object"}')
    assert "dataset" in completions("list ")


@pytest.mark.parametrize("line", ["show ", "list ", "show --source no-such-commit ", "show -C /nowhere "])
def test_without_a_readable_registry_there_are_no_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert completions(line) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("shell", "words", "position", "expected"),
    [
        ("bash", "registry show wea", "2", ["plain,weather/hourly", "plain,weather/qc"]),
        ("zsh", "registry rules A021", "2", ["plain", "A021"]),
        ("fish", "registry show", "wea", ["plain,weather/hourly", "plain,weather/qc"]),
    ],
)
def test_each_shell_gets_candidates_from_the_command(
    registry: RepoBuilder, shell: str, words: str, position: str, expected: list[str]
) -> None:
    environment = {"_REGISTRY_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": position}
    done = subprocess.run(
        [sys.executable, "-m", "registry"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout.splitlines()[: len(expected)] == expected
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_the_script_of_each_shell(run: Run, shell: str) -> None:
    outcome = run("completion", shell)
    assert outcome.code == 0
    assert f"_REGISTRY_COMPLETE={shell}_complete" in outcome.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_with_the_script(registry: RepoBuilder) -> None:
    script = """
    eval "$(registry completion bash)" || exit 1
    COMP_WORDS=(registry show wea) COMP_CWORD=2
    _registry_completion registry
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.stdout.splitlines() == ["weather/hourly", "weather/qc"], done.stderr
