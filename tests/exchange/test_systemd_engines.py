"""Exported units, read by systemd itself."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.exchange.exporter import NotExportableError
from registry.exchange.systemd import EXPORTER
from tests.support.hostile_text import HOSTILE, exportable
from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.engine

USER_UNITS = Path("/usr/lib/systemd/user")
NAME = "weather-qc.service"
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "s": " "}
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
    """The lines with which a user's service manager describes a unit. No process can start in this mode."""
    folder = unit.parent
    for pattern in ("*.target", "*.slice"):
        for file in USER_UNITS.glob(pattern):
            shutil.copy(file, folder)
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o777)
    runtime.chmod(0o777)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(runtime),
        "XDG_RUNTIME_DIR": str(runtime),
        "SYSTEMD_UNIT_PATH": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    # root has no service manager of a user.
    as_user = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
    words = [required_program("systemd"), "--test", "--user", f"--unit={unit.name}"]
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **as_user
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    block: str = done.stdout.split(f"-> Unit {unit.name}:\n", 1)[1]
    return f"\n{block}".split("\n\t-> Unit ", 1)[0].split("\n\t\t")


def values(lines: list[str], key: str) -> list[str]:
    """The values of a property."""
    return [line[len(key) + 2 :] for line in lines if line.startswith(f"{key}: ")]


def command(lines: list[str]) -> list[str]:
    """The words of the command, before variables are expanded in them."""
    line = next(line for line in lines if line.lstrip().startswith("Command Line: "))
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|([^ ]+)', line.split(": ", 1)[1])
    return [plain or _unescaped(quoted) for quoted, plain in words]


def _unescaped(text: str) -> str:
    def replace(match: re.Match[bytes]) -> bytes:
        if match[1] is not None:
            return bytes([int(match[1], 16)])
        if match[2] is not None:
            return bytes([int(match[2], 8)])
        return ESCAPES.get(match[3].decode(), match[3].decode()).encode()

    return re.sub(rb"\\(?:x([0-9a-f]{2})|([0-7]{3})|(.))", replace, text.encode()).decode()


def write(folder: Path, text: str) -> Path:
    unit = folder / NAME
    unit.write_text(text)
    unit.chmod(0o644)
    return unit


def test_hostile_texts_arrive_as_written(folder: Path) -> None:
    variables = {f"V{number}": text for number, text in enumerate(HOSTILE) if text != "${HOME}"}
    one = exportable(
        title='100% "a" \\',
        links=[{"href": "https://example.org/a%20'b"}],
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
        "Documentation": "https://example.org/a%20'b",
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


@pytest.mark.parametrize("program", ["/bin/a'b", "/bin/a\\b", "bin/echo", "/bin/", '/bin/"a"'])
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
