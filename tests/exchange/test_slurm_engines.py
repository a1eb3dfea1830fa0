"""Batch scripts in a real cluster of one node, run by `make test-engines`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.exchange.exporter import Exportable, with_losses
from registry.exchange.slurm import EXPORTER
from tests.support.reporter import HOSTILE_ARGUMENTS, HOSTILE_ENVIRONMENT, reported, reporter
from tests.support.slurm import Slurm, slurm

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    """One cluster for all tests."""
    with slurm() as running:
        yield running


def write_script(
    folder: Path, inside: dict[str, Any], application: dict[str, Any] | None = None, name: str = "a/b"
) -> str:
    """The path of the exported script."""
    one = Exportable("process_definition", name, 7, {"definition": inside}, application, revision=3)
    file = folder / EXPORTER.file_name(one.name)
    file.write_text(with_losses(EXPORTER, EXPORTER.export(one)), encoding="utf-8", newline="")
    return str(file)


def test_hostile_arguments_and_variables_arrive(cluster: Slurm, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    inside = reporter(*HOSTILE_ARGUMENTS, environment=HOSTILE_ENVIRONMENT) | {"cwd": str(folder)}
    script = write_script(tmp_path, inside)
    (tmp_path / "message").write_bytes(b"one\r\nmessage")
    files = [f"--{name}={tmp_path}/{name}" for name in ("output", "error")]
    assert cluster.submit(f"--input={tmp_path}/message", *files, script, cwd=tmp_path) == 0
    report = reported((tmp_path / "output").read_bytes())
    assert report["arguments"] == list(HOSTILE_ARGUMENTS)
    assert report["folder"] == str(folder)
    assert report["message"] == "one\r\nmessage"
    assert {name: report["environment"].get(name) for name in HOSTILE_ENVIRONMENT} == HOSTILE_ENVIRONMENT
    assert report["environment"]["SLURM_JOB_NAME"] == "a-b"
    assert (tmp_path / "error").read_bytes() == b""


def test_a_job_array_has_a_file_for_each_task(cluster: Slurm, tmp_path: Path) -> None:
    file_path = {
        f"{side}_adapter": {f"{side}_type": "file", f"{side}_params": {"file_path": f"${{{side}_file}}"}}
        for side in ("input", "output")
    }
    script = write_script(tmp_path, {"exec": "cp", "argv": ["${input_file}", "${output_file}"]} | file_path)
    for number in range(1, 4):
        (tmp_path / f"in-{number}").write_text(f"message {number}")
    logs = [f"--{name}={tmp_path}/{name}-%a" for name in ("output", "error")]
    assert cluster.submit("--array=1-3", *logs, script, "in-%a", "out-%a", cwd=tmp_path) == 0
    assert [(tmp_path / f"out-{number}").read_text() for number in range(1, 4)] == [
        "message 1",
        "message 2",
        "message 3",
    ]


def test_the_exit_status_is_that_of_the_program(cluster: Slurm, tmp_path: Path) -> None:
    script = write_script(tmp_path, {"exec": "/bin/sh", "argv": ["-c", "exit 7"]})
    assert cluster.run("sbatch", "--wait", script, cwd=tmp_path).returncode == 7


def test_a_name_in_other_letters(cluster: Slurm, tmp_path: Path) -> None:
    script = write_script(tmp_path, {"exec": "true"}, name="天气/质检+é")
    assert cluster.submit(script, cwd=tmp_path) == 0


def test_a_variable_of_the_submitter_and_no_others(cluster: Slurm, tmp_path: Path) -> None:
    script = write_script(tmp_path, reporter(environment={"OTHER": "${TOKEN}"}))
    words = [f"--output={tmp_path}/output", f"--error={tmp_path}/error", script]
    cluster.variables |= {"TOKEN": "it's, one", "PRIVATE": "1"}
    try:
        assert cluster.submit(*words, cwd=tmp_path) == 0
    finally:
        for name in ("TOKEN", "PRIVATE"):
            del cluster.variables[name]
    environment = reported((tmp_path / "output").read_bytes())["environment"]
    assert environment["OTHER"] == "it's, one"
    assert "PRIVATE" not in environment
    assert cluster.submit(*words, cwd=tmp_path) != 0
    assert "TOKEN: is a variable of the submitter" in (tmp_path / "error").read_text()


def test_limits_are_those_of_the_job(cluster: Slurm, tmp_path: Path) -> None:
    application = {"container_resources": {"cpu": "1500m", "memory": "64Mi"}}
    program = 'scontrol show job "$SLURM_JOB_ID"'
    inside = {"exec": "/bin/sh", "argv": ["-c", program], "timeout": 61, "application": "app"}
    script = write_script(tmp_path, inside, application)
    assert cluster.submit(f"--output={tmp_path}/output", script, cwd=tmp_path) == 0
    job = (tmp_path / "output").read_text()
    assert all(
        part in job for part in ("TimeLimit=00:02:00", "NumCPUs=2", "MinMemoryNode=64M", "Comment=a/b@3")
    )
