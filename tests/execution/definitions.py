"""Contents of `definition` for tests, and how they are run."""

import os
from typing import Any

from registry.execution.launcher import DirectLauncher, Launcher
from registry.execution.runner import Runner, RunResult, run_definition
from registry.execution.running import Limits

PATIENT = Limits(seconds=120, grace_s=60, first_answer_s=60, idle_s=0.3)
"""No test waits for these limits, except for the silence of a service."""


def by_stream(side: str, name: str) -> dict[str, Any]:
    return {f"{side}_type": "file", f"{side}_params": {"file_type": "stream", "stream_name": name}}


def by_path(side: str, path: str = "", **more: str) -> dict[str, Any]:
    return {f"{side}_type": "file", f"{side}_params": {"file_path": path or f"${{{side}_file}}", **more}}


def by_frames(side: str, framing: str, stream: str = "") -> dict[str, Any]:
    name = stream or {"input": "STDIN", "output": "STDOUT"}[side]
    return {f"{side}_type": "stream", f"{side}_params": {"stream_name": name, "framing": framing}}


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"exec": "/bin/sh", "argv": ["-c", script], **more}


def run(
    inside: dict[str, Any],
    message: bytes = b"",
    *,
    limits: Limits = PATIENT,
    launcher: Launcher | None = None,
    **more: Any,
) -> RunResult:
    environment = more.pop("own_environment", dict(os.environ))
    runner = Runner(launcher or DirectLauncher(), environment, limits, **more)
    return run_definition(inside, message, runner)
