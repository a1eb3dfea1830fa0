"""Exported programs, started by supervisord."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from registry.exchange.exporter import Exportable, NotExportableError
from registry.exchange.exporting import export_definitions, wrapper
from registry.exchange.supervisord import EXPORTER
from tests.support.hostile_text import HOSTILE, exportable
from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.engine

SHOW = (
    "import json, os, sys; at = sys.argv[1]; "
    "open(at + '.new', 'w').write(json.dumps([sys.argv[2:], dict(os.environ), os.getcwd()])); "
    "os.rename(at + '.new', at)"
)
NONE: dict[str, Any] = {"input_adapter": {"input_type": "none"}, "output_adapter": {"output_type": "none"}}
SETTINGS = """\
[unix_http_server]
file={folder}/socket
[supervisord]
logfile={folder}/log
pidfile={folder}/pid
childlogdir={folder}
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/socket
[include]
files={folder}/registry.conf
"""


class Supervisor:
    """A running supervisord."""

    def __init__(self, folder: Path) -> None:
        """Describe a supervisord whose files are in a folder."""
        self._folder = folder

    def control(self, *words: str) -> str:
        """What `supervisorctl` prints."""
        command = [required_program("supervisorctl"), "-c", str(self._folder / "settings"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        return done.stdout + done.stderr


@contextmanager
def supervisord(folder: Path, some: Sequence[Exportable]) -> Iterator[Supervisor]:
    """Start supervisord with exported definitions. Messages are in the folder instead of /run."""
    result = export_definitions(EXPORTER, some)
    assert result.refused == ()
    text = result.files["registry.conf"].replace('"/run/', f'"{folder}/')
    (folder / "registry.conf").write_text(text)
    (folder / "settings").write_text(SETTINGS.format(folder=folder))
    script = folder / "bin/registry-run"
    script.parent.mkdir()
    script.write_bytes(wrapper())
    script.chmod(0o755)
    environment = {"PATH": f"{script.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TOKEN": "t % $ ; #"}
    process = subprocess.Popen(
        [required_program("supervisord"), "-c", str(folder / "settings")],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually(lambda: (folder / "socket").exists() or process.poll() is not None, "a socket")
        assert process.poll() is None, process.stdout and process.stdout.read().decode()
        yield Supervisor(folder)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def variables(texts: Sequence[str]) -> dict[str, str]:
    """Variables with those of the texts that a program of supervisord can have."""
    found = {}
    for number, text in enumerate(texts):
        name = f"V{number}"
        try:
            EXPORTER.export(exportable(environment={name: text}, **NONE))
        except NotExportableError as error:
            assert error.field == f"/definition/environment/{name}"
        else:
            if text != "${HOME}":
                found[name] = text
    return found


def test_hostile_texts_arrive_as_written(tmp_path: Path) -> None:
    shown, cwd = tmp_path / "shown", tmp_path / "a \"b\" 'c' $d %e ;f".replace(" ;", ";")
    cwd.mkdir()
    argv = [text for text in HOSTILE if not {"\n", "\r"} & set(text)]
    wanted = variables(HOSTILE) | {"a-b": "1", "TOKEN": "${TOKEN}", "OTHER": "${TOKEN}"}
    assert len(wanted) > 60
    one = exportable(
        title="A\n[program:evil]\ncommand=x",
        exec=sys.executable,
        argv=["-c", SHOW, str(shown), *argv],
        environment=wanted,
        cwd=str(cwd),
        process_type="service",
    )
    with supervisord(tmp_path, [one]) as supervisor:
        eventually(shown.exists, "the output of the program")
        status = supervisor.control("status")
    arguments, environment, folder = json.loads(shown.read_text())
    assert arguments == argv
    assert folder == str(cwd)
    wanted |= {"TOKEN": "t % $ ; #", "OTHER": "t % $ ; #"}
    assert {name: environment.get(name) for name in wanted} == wanted
    assert status.split()[0] == "weather-qc" and len(status.splitlines()) == 1


def test_a_single_process_runs_on_a_message_when_it_is_started(tmp_path: Path) -> None:
    message = {"input_type": "file", "input_params": {"file_path": "${input_file}", "suffix": ".txt"}}
    one = exportable("text/upper", exec="tr", argv=["a-z", "A-Z"], timeout=60)
    file = exportable("text/file", exec="cat", argv=["${input_file}"], input_adapter=message)
    late = exportable("late", exec="sleep", argv=["1000"], timeout=0.5, **NONE)
    with supervisord(tmp_path, [one, file, late]) as supervisor:
        assert supervisor.control("status").count("STOPPED") == 3
        for name, answer in (("text-upper", "HELLO"), ("text-file", "hello")):
            (tmp_path / f"{name}.input").write_text("hello")
            supervisor.control("start", name)
            eventually((tmp_path / f"{name}.output").exists, "the answer")
            assert (tmp_path / f"{name}.output").read_text() == answer
        supervisor.control("start", "late")
        eventually(lambda: "EXITED" in supervisor.control("status", "late"), "the end of a late process")
    assert "exited: late (exit status 124; not expected)" in (tmp_path / "log").read_text()


def test_a_missing_variable_of_the_host_prevents_the_start(tmp_path: Path) -> None:
    one = exportable(environment={"A": "${MISSING}"}, **NONE)
    with pytest.raises(AssertionError, match="ENV_MISSING"), supervisord(tmp_path, [one]):
        pass
