"""Runs a definition on one message, as the stream agent of the 2013 system did."""

from __future__ import annotations

import math
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.check.placeholders import PLACEHOLDERS
from registry.execution.channels import CannotTryError, Channel, Medium, channels_of
from registry.execution.framing import frame, joined_messages
from registry.execution.launcher import Program
from registry.execution.running import End, Finished, Limits, Streams, Talk, run_with_files, run_with_pipes
from registry.files.safe_paths import link_on_the_way
from registry.model.host_variable import host_variable
from registry.model.values import list_of, map_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry.execution.launcher import Launcher


@dataclass(frozen=True, slots=True)
class Runner:
    """How definitions are run on this host.

    `own_environment` are the variables of this process. `readable` are further paths that programs need.
    `passes_references`: a definition may take variables from it (`${NAME}`). `allows_more`: the `timeout` and
    `max_message_size` of a definition may be larger than `limits`.
    """

    launcher: Launcher
    own_environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    readable: tuple[str, ...] = ()
    passes_references: bool = True
    allows_more: bool = True


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of one run.

    `obstacle` says why it could not run on this host; the other values say nothing then. `output` is the
    message that is published: None unless the run succeeded. `notes` are for the user.
    """

    obstacle: str = ""
    end: End = End.EXITED
    status: int | None = None
    output: bytes | None = None
    errors: bytes = b""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def has_succeeded(self) -> bool:
        """True if there is an output to publish."""
        return self.output is not None


def run_definition(inside: Mapping[str, Any], message: bytes, runner: Runner) -> RunResult:
    """Run a definition on one message; `inside` is the content of `definition`.

    What this host cannot run is a result, not an error.
    """
    try:
        channels = channels_of(inside)
        environment = _environment(inside, runner)
        executable = runner.launcher.find(text_of(inside.get("exec")), environment)
        if not executable:
            raise CannotTryError(f"the program {text_of(inside.get('exec'))} is not on this host")
    except CannotTryError as error:
        return RunResult(error.reason)
    if len(message) > channels[0].most_bytes:
        return RunResult(f"the message is larger than the input adapter allows ({len(message):,} bytes)")
    with _new_folder() as folder:
        try:
            return _Run(inside, channels, folder, runner).result(executable, environment, message)
        except CannotTryError as error:
            return RunResult(error.reason)


@contextmanager
def _new_folder() -> Iterator[Path]:
    """A new folder, which is removed at the end with everything in it."""
    place = tempfile.TemporaryDirectory(prefix="registry-try-", ignore_cleanup_errors=True)
    try:
        yield Path(place.name).resolve()
    finally:
        try:
            place.cleanup()
        except RecursionError:  # a program can nest folders deeper than functions of Python
            subprocess.run(["rm", "-rf", "--", place.name], check=False)


def _environment(inside: Mapping[str, Any], runner: Runner) -> dict[str, str]:
    """Return the variables of the program: those of the runner, and over them those of the definition.

    Raises CannotTryError for a reference to a variable that the runner does not have or pass on.
    """
    found = runner.launcher.base_environment(runner.own_environment)
    for name, value in map_of(inside.get("environment")).items():
        variable = host_variable(value)
        if variable is None:
            found[name] = str(value)
        elif not runner.passes_references:
            raise CannotTryError(f"it needs the variable {variable} of the host, which is not passed on")
        elif variable not in runner.own_environment:
            raise CannotTryError(f"the variable {variable}, which its environment refers to, is not set")
        else:
            found[name] = runner.own_environment[variable]
    return found


class _Run:
    """One run in a folder of its own."""

    def __init__(
        self, inside: Mapping[str, Any], channels: tuple[Channel, Channel], folder: Path, runner: Runner
    ) -> None:
        self._inside = inside
        self._input, self._output = channels
        self._folder = folder
        self._runner = runner
        # The program can write here, and nowhere else in a sandbox.
        self._exchange = folder / "messages"
        self._exchange.mkdir()
        self._files = {
            side: self._exchange / (f"{side}{one.suffix}" if one.path == PLACEHOLDERS[side] else one.path)
            for side, one in zip(PLACEHOLDERS, channels, strict=True)
            if one.medium is Medium.FILE
        }

    def result(self, executable: str, environment: Mapping[str, str], message: bytes) -> RunResult:
        is_service, limits = self._inside.get("process_type") == "service", self._limits()
        program = Program(
            (executable, *self._arguments()),
            environment,
            text_of(self._inside.get("cwd")) or str(self._exchange),
            self._runner.readable,
            (str(self._exchange),),
            limits.seconds + limits.grace_s,
            is_service,
        )
        launcher = self._runner.launcher
        if obstacle := launcher.obstacle(program):
            return RunResult(obstacle)
        if "input" in self._files:
            self._files["input"].parent.mkdir(parents=True, exist_ok=True)
            self._files["input"].write_bytes(message)
        with launcher.command(program) as command:
            if is_service:
                done = run_with_pipes(command, self._talk(message), limits)
            else:
                done = run_with_files(command, self._streams(message), self._exchange, limits)
        if done.end is End.NOT_STARTED:
            return RunResult(f"the program cannot be started: {done.reason}")
        return self._interpreted(done)

    def _arguments(self) -> list[str]:
        arguments = []
        for item in list_of(self._inside.get("argv")):
            text = str(item)
            for side, one in zip(PLACEHOLDERS, (self._input, self._output), strict=True):
                if one.path == PLACEHOLDERS[side]:
                    text = text.replace(PLACEHOLDERS[side], str(self._files[side]))
            arguments.append(text)
        return arguments

    def _streams(self, message: bytes) -> Streams:
        source = self._folder / "stdin"
        source.write_bytes(message if self._input.medium is Medium.STREAM else b"")
        is_swapped = self._output.stream == "STDERR"
        return Streams(source, self._folder / "messages-out", self._folder / "other-out", is_swapped)

    def _talk(self, message: bytes) -> Talk:
        has_input = self._input.medium is Medium.FRAMED
        return Talk(
            frame(message, self._input.framing) if has_input else None,
            ends=has_input and self._input.framing == "whole",
            has_answers=self._output.medium is not Medium.NOTHING,
            is_swapped=self._output.stream == "STDERR",
        )

    def _limits(self) -> Limits:
        """Return the limits of this run: those of the definition take precedence where it has some."""
        limits, timeout, size = self._runner.limits, self._inside.get("timeout"), self._output.most_bytes
        seconds, output_bytes = limits.seconds, limits.output_bytes
        is_single = self._inside.get("process_type") != "service"
        if is_single and isinstance(timeout, (int, float)) and not isinstance(timeout, bool):
            seconds = timeout
        if math.isfinite(size):
            output_bytes = int(size)
        if not self._runner.allows_more:
            seconds, output_bytes = min(seconds, limits.seconds), min(output_bytes, limits.output_bytes)
        return replace(limits, seconds=seconds, output_bytes=output_bytes)

    def _interpreted(self, done: Finished) -> RunResult:
        notes = []
        if done.is_late:
            notes.append("it answered only after its input was closed: it may buffer its output")
        end = done.end
        output: bytes | None = None
        if (end is End.EXITED and done.status == 0) or end is End.STOPPED:
            output = self._published(done)
            if output is None:
                end = End.NO_OUTPUT
        return RunResult("", end, done.status, output, done.errors, done.seconds, tuple(notes))

    def _published(self, done: Finished) -> bytes | None:
        """Return the output of a run that succeeded; None if its file is not there."""
        if self._output.medium is Medium.NOTHING:
            return b""
        if self._output.medium is Medium.FILE:
            file = self._files["output"]
            # A link that the program made could lead to any file of the host.
            name = str(file.relative_to(self._exchange))
            if link_on_the_way(self._exchange, name) is not None or not file.is_file():
                return None
            with file.open("rb") as opened:
                return opened.read(self._limits().output_bytes)
        return joined_messages(done.output, self._output.framing)
