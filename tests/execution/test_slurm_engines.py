"""Runs on a real cluster of one node, by `make test-engines`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.execution.running import End
from registry.execution.slurm import SlurmCluster
from tests.conftest import Run
from tests.execution.definitions import PATIENT, by_frames, by_path, run, shell
from tests.support.repo import RepoBuilder
from tests.support.reporter import HOSTILE_ARGUMENTS, HOSTILE_ENVIRONMENT, reported, reporter
from tests.support.slurm import Slurm, slurm
from tests.support.waiting import eventually

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def running() -> Iterator[Slurm]:
    """One cluster for all tests."""
    with slurm() as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Slurm, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """The cluster that the commands of Slurm find."""
    for name, value in running.variables.items():
        monkeypatch.setenv(name, value)
    found = SlurmCluster()
    assert found.unusable_because == ""
    return found


def jobs(running: Slurm) -> str:
    """Jobs that wait or run."""
    return running.run("squeue", "--noheader", "--states=PENDING,RUNNING").stdout.decode()


@pytest.mark.parametrize("separator", [":", "::"])
def test_hostile_arguments_and_variables_arrive(
    cluster: SlurmCluster, tmp_path: Path, separator: str
) -> None:
    arguments = [separator if text == ":" else text for text in HOSTILE_ARGUMENTS]
    assert separator in arguments
    own = {
        "LD_LIBRARY_PATH": "/nowhere",
        "SLURM_TIMELIMIT": "nonsense",
        "a.b": "odd name",
        "LC_ALL": "C.UTF-8",
    }
    environment = HOSTILE_ENVIRONMENT | own
    inside = reporter(*arguments, environment=environment) | {"cwd": str(tmp_path)}
    result = run(inside, b"one\r\nmessage", launcher=cluster)
    assert result.status == 0, result
    report = reported(result.output or b"")
    assert report["arguments"] == arguments
    assert (report["message"], report["folder"]) == ("one\r\nmessage", str(tmp_path))
    assert {name: report["environment"].get(name) for name in environment} == environment
    assert report["environment"]["SLURM_JOB_ID"].isdecimal()


def test_a_program_gets_few_variables_of_this_host(
    cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "a, b")
    monkeypatch.setenv("PRIVATE", "1")
    result = run(reporter(environment={"OTHER": "${TOKEN}"}), launcher=cluster)
    environment = reported(result.output or b"")["environment"]
    assert environment["OTHER"] == "a, b"
    assert not {"TOKEN", "PRIVATE"} & set(environment)


def test_messages_pass_in_files(cluster: SlurmCluster) -> None:
    files = {"input_adapter": by_path("input", suffix=".a"), "output_adapter": by_path("output", suffix=".b")}
    copy = {"exec": "cp", "argv": ["${input_file}", "${output_file}"], **files}
    assert run(copy, b"\0\xff", launcher=cluster).output == b"\0\xff"


def test_a_program_can_have_an_equals_sign(cluster: SlurmCluster, tmp_path: Path) -> None:
    program = tmp_path / "a=b"
    program.write_text('#!/bin/sh\necho "$A"\n')
    program.chmod(0o755)
    assert run({"exec": str(program), "environment": {"A": "1"}}, launcher=cluster).output == b"1\n"


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("exit 127", 127), ("kill -9 $$", 137)])
def test_the_exit_status_is_that_of_the_program(cluster: SlurmCluster, script: str, status: int) -> None:
    result = run(shell(script), launcher=cluster)
    assert (result.end, result.status, result.output) == (End.EXITED, status, None)


def test_a_late_program_gets_sigterm_and_then_its_job_is_cancelled(
    cluster: SlurmCluster, running: Slurm, tmp_path: Path
) -> None:
    sleep = f"sleep 1000.{os.getpid()}"
    trap = f"trap 'echo TERM >>{tmp_path}/log' TERM"
    script = f"{trap}; setsid {sleep} & while :; do sleep 0.1; done"
    limits = replace(PATIENT, seconds=2, grace_s=1)
    result = run(shell(script), limits=limits, launcher=cluster)
    assert result.end is End.TIMED_OUT
    assert (tmp_path / "log").read_text() == "TERM\n"
    eventually(lambda: jobs(running) == "", "the end of the job")
    eventually(
        lambda: sleep.encode() not in running.run("ps", "-eo", "args").stdout, "the end of all processes"
    )


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        ({"exec": "/nowhere/x"}, "/nowhere/x"),
        ({"exec": "x-not-there"}, "x-not-there"),
        ({"exec": "true", "cwd": "/nowhere"}, "cannot change directory to '/nowhere'"),
        ({"exec": "/opt/a=b"}, "/opt/a=b"),
        (
            {"exec": "cat", "process_type": "service", "input_adapter": by_frames("input", "lines")},
            "not a service",
        ),
    ],
)
def test_what_cannot_run_is_reported(cluster: SlurmCluster, inside: dict[str, Any], why: str) -> None:
    assert why in run(inside, launcher=cluster).obstacle


def test_a_refused_allocation_is_reported(cluster: SlurmCluster) -> None:
    limits = replace(PATIENT, seconds=10_000_000_000)
    assert "Slurm grants no allocation" in run(shell("true"), limits=limits, launcher=cluster).obstacle


def test_the_command_runs_examples_on_the_cluster(
    cluster: SlurmCluster, running: Slurm, repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    repo.define(
        "text/remove-x",
        "title: Remove every x\nowners: [a]\n"
        'examples: [{title: three letters, input_text: "axbxc\\n", output_text: "abc\\n"}]\n'
        "definition: {exec: tr, argv: [-d, x]}\n",
    )
    done = run("try", "text/remove-x", "-C", str(repo.root), "--on", "slurm")
    assert (done.code, "on Slurm" in done.out) == (0, True), done
    message = tmp_path / "message"
    message.write_text("x1x")
    done = run("try", "text/remove-x", "-C", str(repo.root), "--on", "slurm", "--input", str(message))
    assert (done.code, done.out) == (0, "1"), done
    assert run("try", "text/remove-x", "-C", str(repo.root), "--on", "slurm", "--no-sandbox").code == 2
    eventually(lambda: jobs(running) == "", "the end of the jobs")


def test_an_interrupted_command_leaves_no_job(
    cluster: SlurmCluster, running: Slurm, repo: RepoBuilder
) -> None:
    repo.define("slow", "title: Slow\nowners: [a]\ndefinition: {exec: sleep, argv: ['1000'], timeout: 900}\n")
    words = ["try", "slow", "-C", str(repo.root), "--on", "slurm", "--input", os.devnull]
    process = subprocess.Popen([sys.executable, "-m", "registry", *words], stderr=subprocess.DEVNULL)
    eventually(lambda: "registry" in jobs(running), "the job")
    process.send_signal(signal.SIGTERM)
    process.wait(120)
    eventually(lambda: jobs(running) == "", "the end of the job")
