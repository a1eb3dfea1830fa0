"""Exported units, read by systemd itself."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.exchange.exporter import NotExportableError
from registry.exchange.systemd import EXPORTER
from tests.support.hostile_text import HOSTILE, exportable
from tests.support.programs import required_program
from tests.support.systemd_manager import command, descriptions, values
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.engine

NAME = "weather-qc.service"
RESOURCES = {"cpu": "333m", "memory": "512Mi"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can read, for units."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def verified(unit: Path) -> tuple[int, str]:
    """The exit status of `systemd-analyze verify`, and its errors and warnings."""
    words = [required_program("systemd-analyze"), "verify", "--man=no", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stderr


def loaded(unit: Path) -> list[str]:
    """The lines with which a user's service manager describes a unit."""
    return descriptions(unit)[unit.name]


def write(folder: Path, text: str) -> Path:
    unit = folder / NAME
    unit.write_text(text)
    unit.chmod(0o644)
    return unit


def test_hostile_texts_arrive_as_written(folder: Path) -> None:
    variables = {f"V{number}": text for number, text in enumerate(HOSTILE) if text != "${HOME}"}
    one = exportable(
        title='100% "a" \\',
        links=[{"href": "https://example.org/a%20'é\\"}],
        exec="/bin/echo",
        argv=list(HOSTILE),
        environment=variables | {"TOKEN": "${TOKEN}"},
        cwd="/tmp/a \"b\" 'c' $d %e ; #f",
        timeout=90,
        application={"container_resources": RESOURCES},
    )
    unit = write(folder, EXPORTER.export(one).text)
    assert verified(unit) == (0, "")
    lines = loaded(unit)
    program, *arguments = command(lines)
    assert program == "/bin/echo"
    assert [word.replace("$$", "$") for word in arguments] == list(HOSTILE)
    assert not any("$" in word.replace("$$", "") for word in arguments)
    assert dict(value.split("=", 1) for value in values(lines, "Environment")) == variables
    expected = {
        "Description": '100% "a" \\',
        "Documentation": "https://example.org/a%20%27%C3%A9%5C",
        "WorkingDirectory": "/tmp/a \"b\" 'c' $d %e ; #f",
        "Type": "oneshot",
        "Restart": "no",
        "TimeoutStartSec": "1min 30s",
        "TimeoutStopSec": "10s",
        "StandardInputFile": "/run/weather-qc.input",
        "StandardOutputFileToTruncate": "/run/weather-qc.output",
        "PassEnvironment": "TOKEN",
        "EnvironmentFile": "/etc/registry/weather-qc.env",
        "CPUQuotaPerSecSec": "340ms",
        "MemoryMax": str(512 * 1024**2),
    }
    assert {key: values(lines, key) for key in expected} == {key: [value] for key, value in expected.items()}


def test_a_service_restarts(folder: Path) -> None:
    unit = write(folder, EXPORTER.export(exportable(exec="/bin/echo", process_type="service")).text)
    assert verified(unit) == (0, "")
    lines = loaded(unit)
    assert (values(lines, "Type"), values(lines, "Restart")) == (["exec"], ["on-failure"])


def test_the_wrapper_starts_by_name(folder: Path) -> None:
    adapter = {"input_type": "file", "input_params": {"file_path": "${input_file}"}}
    text = EXPORTER.export(exportable(argv=["${input_file}"], input_adapter=adapter)).text
    unit = write(folder, text.replace("ExecStart=registry-run", "ExecStart=/bin/echo"))
    assert verified(unit) == (0, "")
    assert command(loaded(unit)) == ["/bin/echo", "-i", "--", "/bin/program", "$${input_file}"]


@pytest.mark.parametrize("program", ["/bin/a'b", "/bin/a\\b", "bin/echo", "/bin/", '/bin/"a"', ";"])
def test_systemd_refuses_the_programs_that_the_exporter_refuses(folder: Path, program: str) -> None:
    with pytest.raises(NotExportableError):
        EXPORTER.export(exportable(exec=program))
    text = EXPORTER.export(exportable(exec="/bin/echo")).text
    escaped = program.replace("\\", "\\\\").replace('"', '\\"')
    unit = write(folder, text.replace("ExecStart=/bin/echo", f'ExecStart="{escaped}"'))
    code, errors = verified(unit)
    assert code != 0 and errors


def test_systemd_ignores_the_variables_that_the_exporter_refuses(folder: Path) -> None:
    text = EXPORTER.export(exportable(exec="/bin/echo", environment={"A": "1", "B": "2"})).text
    unit = write(folder, text.replace("A=1", "a-b=1").replace("B=2", "B=\ufffe"))
    errors = verified(unit)[1]
    assert "Invalid environment assignment, ignoring: a-b=1" in errors
    assert "String is not UTF-8 clean, ignoring assignment" in errors


def test_systemd_refuses_the_folders_that_the_exporter_refuses(folder: Path) -> None:
    text = EXPORTER.export(exportable(exec="/bin/echo", cwd="/srv/x")).text
    unit = write(folder, text.replace("/srv/x", "/srv/../x"))
    code, errors = verified(unit)
    assert code != 0 and "not normalized" in errors
