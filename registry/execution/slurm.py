"""Starts programs on a cluster with Slurm: each in an allocation of its own, through srun(1).

The allocation is made first, so that waiting for it does not count as time of the program, and it is released
after the run, with all processes. The program and its arguments are passed as a list, without a shell.
"""

from __future__ import annotations

import math
import re
import shlex
import shutil
import subprocess
import uuid
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from registry.execution.channels import CannotTryError
from registry.execution.launcher import LaunchCommand, Program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROGRAMS = ("salloc", "srun", "scancel", "sinfo")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIGURATION = "SLURM_CONF"
_PASSED_ON = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", _CONFIGURATION)
# srun itself reads these, as options, and libraries to load; shells pass on no names with other characters.
_NOT_PASSED = re.compile(r"(?:LD_|SLURM_|SRUN_|PMI|GLIBC_)|(?![A-Za-z_][A-Za-z0-9_]*\Z)")
# GNU env changes the folder, or fails if it is missing: srun would start the program in another one.
_ENV = "/usr/bin/env"
_NICE = "/usr/bin/nice"
_NOT_STARTED = (125, 126, 127)
_ANSWER_LIMIT_S = 60
# Slurm ends a program only if this process was killed: it counts minutes, and not exactly.
_RESERVE_S = 60


class SlurmCluster:
    """The cluster that the commands of Slurm on this host belong to."""

    name = "on Slurm"
    is_sandbox = False

    @cached_property
    def unusable_because(self) -> str:
        """Why programs cannot run on the cluster; "" if they can."""
        missing = [name for name in _PROGRAMS if shutil.which(name) is None]
        if missing:
            return f"{missing[0]} is not installed"
        try:
            done = _run("sinfo", "--noheader")
        except subprocess.TimeoutExpired:
            return "the cluster does not answer"
        return "" if done.returncode == 0 else _last_line(done.stderr)

    def base_environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return a small environment: most variables of this host mean nothing on a node."""
        return {"PATH": _SYSTEM_PATH} | {name: own[name] for name in _PASSED_ON if name in own}

    def find(self, executable: str, environment: Mapping[str, str]) -> str:
        """Return the executable as it is: the node looks it up in the `PATH` of `environment`."""
        return executable

    def obstacle(self, program: Program) -> str:
        """Return why no job can run the program."""
        return "a job of Slurm is a program that ends, not a service" if program.is_service else ""

    @contextmanager
    def command(self, program: Program) -> Iterator[LaunchCommand]:
        """Wait for an allocation, and return the command that runs the program in it.

        Raises CannotTryError if the cluster refuses the allocation.
        """
        name = f"registry-try-{uuid.uuid4()}"
        try:
            number = _allocation(name, math.ceil((program.longest_s + _RESERVE_S) / 60))
            arguments, environment = _srun(number, program)
            yield LaunchCommand(
                arguments,
                environment,
                "/",
                terminate=lambda: _cancel("--signal=TERM", number),
                failure=_failure,
            )
        finally:
            # Processes remain if the run was cut off, and a request if waiting for it was.
            _cancel("--signal=KILL", f"--name={name}")
            _cancel(f"--name={name}")


def _srun(number: str, program: Program) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the command for a program in an allocation, and the environment of srun, which it passes on.

    Variables that srun would take for its own become words of env(1). A word `:` would begin the options of
    another program, so a shell starts programs that have such an argument.
    """
    passed, assignments = {}, []
    for name, value in program.environment.items():
        if _NOT_PASSED.match(name) and name != _CONFIGURATION:
            assignments.append(f"{name}={value}")
        else:
            passed[name] = value
    options = (f"--jobid={number}", "--nodes=1", "--ntasks=1", "--export=ALL", "--chdir=/")
    # env(1) takes a program with `=` for a variable. nice(1) starts it without a change.
    starter = [_NICE, "-n", "0", "--"] if "=" in program.arguments[0] else []
    words = [_ENV, "-C", program.cwd, "--", *assignments, *starter, *program.arguments]
    if ":" in words:
        words = ["/bin/sh", "-c", f"exec {shlex.join(words)}"]
    return (shutil.which("srun") or "srun", *options, *words), passed


def _allocation(name: str, minutes: int) -> str:
    """Wait until the cluster grants an allocation, and return its number. Raises CannotTryError."""
    options = ("--no-shell", "--ntasks=1", f"--job-name={name}", f"--time={minutes}")
    done = _run("salloc", *options, limit_s=None)  # the queue may be long
    granted = re.search(r"Granted job allocation ([0-9]+)", done.stderr)
    if granted is None:
        raise CannotTryError(f"Slurm grants no allocation: {_last_line(done.stderr)}")
    return granted[1]


def _cancel(*words: str) -> None:
    # A cluster that no longer answers must not hide how the run ended.
    with suppress(OSError, subprocess.TimeoutExpired):
        _run("scancel", "--quiet", *words)


def _run(*command: str, limit_s: float | None = _ANSWER_LIMIT_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=limit_s,
        check=False,
    )


def _failure(status: int | None, errors: str) -> str:
    """Return why env(1), nice(1) or srun could not start the program."""
    lines = errors.splitlines()
    reasons = [line.partition(": ")[2] for line in lines if line.startswith((f"{_ENV}: ", f"{_NICE}: "))]
    if status in _NOT_STARTED and reasons:
        return reasons[0]
    refused = [line for line in lines if line.startswith("srun: error: Unable to")]
    return refused[0] if refused else ""


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason"])[-1]
