"""Runs on a cluster without a cluster. test_slurm_engines has one."""

import shutil
from pathlib import Path

import pytest

from registry.execution.launcher import Program
from registry.execution.slurm import SlurmCluster
from tests.conftest import Run
from tests.support.repo import RepoBuilder


def test_without_programs_or_a_cluster_nothing_runs(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repo.define("x", "title: X\nowners: [a]\ndefinition: {exec: 'true'}\n")
    words = ("try", "x", "-C", str(repo.root), "--on", "slurm", "--input", "/dev/null")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "env"):
        (folder / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(folder))
    done = run(*words)
    assert (done.code, "there is no cluster with Slurm: salloc is not installed" in done.err) == (2, True)
    for name in ("salloc", "srun", "scancel", "sinfo"):
        (folder / name).write_text("#!/bin/sh\necho 'sinfo: error: no controller' >&2; exit 1\n")
        (folder / name).chmod(0o755)
    done = run(*words)
    assert (done.code, "Slurm: sinfo: error: no controller" in done.err) == (2, True)
    done = run(*words, "--no-sandbox")
    assert (done.code, "omit --no-sandbox" in done.err) == (2, True)


def test_a_program_gets_few_variables_of_this_host() -> None:
    own = {"PATH": "/mine", "HOME": "/home/me", "TOKEN": "secret", "SLURM_CONF": "/etc/slurm.conf"}
    found = SlurmCluster().base_environment(own)
    assert set(found) == {"PATH", "HOME", "SLURM_CONF"}
    assert found["PATH"] != "/mine"


@pytest.mark.parametrize(
    ("program", "obstacle"),
    [
        (Program(("/bin/x",), {}, "/"), ""),
        (Program(("/bin/x",), {}, "/", is_service=True), "not a service"),
    ],
)
def test_what_no_job_can_run(program: Program, obstacle: str) -> None:
    found = SlurmCluster().obstacle(program)
    assert obstacle in found
    assert bool(obstacle) == bool(found)
