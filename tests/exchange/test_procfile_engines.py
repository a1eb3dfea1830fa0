"""Exported Procfiles, started by honcho."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.exchange.exporting import export_definitions, wrapper
from registry.exchange.procfile import EXPORTER
from tests.support.hostile_text import HOSTILE, exportable
from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.engine

SHOW = (
    "import json, os, sys; "
    "open(sys.argv[1], 'w').write(json.dumps([sys.argv[2:], dict(os.environ), os.getcwd()]))"
)
ONE_LINE = [text for text in HOSTILE if text.splitlines() in ([], [text])]


def honcho(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run honcho in a folder."""
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"} | variables
    return subprocess.run(
        [required_program("honcho"), *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_hostile_texts_arrive_as_written(tmp_path: Path) -> None:
    cwd = tmp_path / "a \"b\" 'c' $d %e ;f"
    cwd.mkdir()
    wanted = {f"V{number}": text for number, text in enumerate(ONE_LINE) if text != "${HOME}"}
    wanted |= {"a-b": "1", "é": "2", "PORT": "80", "PWD": "/x", "OTHER": "${TOKEN}"}
    shown = tmp_path / "shown"
    one = exportable(
        "a/b",
        title="A\nevil: false",
        exec=sys.executable,
        argv=["-c", SHOW, str(shown), *ONE_LINE],
        environment=wanted,
        cwd=str(cwd),
    )
    (tmp_path / "Procfile").write_text(export_definitions(EXPORTER, [exportable(), one]).files["Procfile"])
    token = 'it\'s $HOME "x"'
    done = honcho(tmp_path, "start", "a-b", TOKEN=token)
    assert done.returncode == 0, done.stdout + done.stderr
    arguments, environment, folder = json.loads(shown.read_text())
    assert arguments == ONE_LINE
    wanted["OTHER"] = token
    assert {name: environment.get(name) for name in wanted} == wanted
    assert folder == str(cwd)


def test_a_missing_variable_of_the_host_prevents_the_start(tmp_path: Path) -> None:
    one = exportable(exec="echo", argv=["started"], environment={"A": "${MISSING}"})
    (tmp_path / "Procfile").write_text(EXPORTER.export(one).text)
    done = honcho(tmp_path, "start")
    assert done.returncode != 0
    assert "MISSING" in done.stdout and "| started" not in done.stdout


def test_the_wrapper_limits_the_time(tmp_path: Path) -> None:
    (tmp_path / "registry-run").write_bytes(wrapper())
    (tmp_path / "registry-run").chmod(0o755)
    one = exportable(exec="sleep", argv=["1000"], timeout=0.5)
    (tmp_path / "Procfile").write_text(EXPORTER.export(one).text)
    done = honcho(tmp_path, "start")
    assert "rc=124" in done.stderr + done.stdout
