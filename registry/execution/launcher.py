"""The interface of everything that can start a program, and the launcher that starts it directly.

A launcher turns a program into the command that runs it: unchanged, in a sandbox, or on another machine. The
rest (messages, limits, the end of all processes) is the same for all launchers.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class Program:
    """A program to start.

    `arguments` has the executable, as `Launcher.find` returned it, and then its arguments. `environment` is
    complete: the program gets no other variables. `cwd` is an absolute path. `readable` are absolute paths
    that the program needs besides those of the system, `writable` is the folder for its messages; a launcher
    that hides files must show these. `longest_s` is the longest time until the program is killed, for
    launchers that reserve time. `is_service`: it does not end by itself.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    longest_s: float = 0.0
    is_service: bool = False


@dataclass(frozen=True, slots=True)
class LaunchCommand:
    """The command that runs a program: what `subprocess.Popen` needs.

    `inherited` are open file descriptors that the command reads. `wrappers` is the number of processes that
    the launcher puts above the program, one below the other: they get no SIGTERM, since they would end
    without giving the program its time. 0 if the started process is the program, or forwards signals to it.
    `terminate` sends SIGTERM to the program, if its processes are not below the started one. `failure`
    returns, for an exit status and error output, why the launcher could not start the program; "" if it did.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str
    inherited: tuple[int, ...] = ()
    wrappers: int = 0
    terminate: Callable[[], None] | None = None
    failure: Callable[[int | None, str], str] = lambda _status, _errors: ""


class Launcher(Protocol):
    """A way to run a program.

    `name` is for messages. `is_sandbox`: the program cannot change files of this machine or use its network.
    """

    @property
    def name(self) -> str:
        """Name in messages and reports."""

    @property
    def is_sandbox(self) -> bool:
        """True if a program that cannot be trusted may run."""

    def base_environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that a program gets besides its own; `own` are those of this process."""

    def find(self, executable: str, environment: Mapping[str, str]) -> str:
        """Return the executable that a definition names, with its path; "" if it is not there.

        `environment` is that of the program, whose `PATH` counts for bare names.
        """

    def obstacle(self, program: Program) -> str:
        """Return why this host cannot run the program, such as a missing folder; "" if nothing is known."""

    def command(self, program: Program) -> AbstractContextManager[LaunchCommand]:
        """Return the command that runs the program. What it needs exists until the context ends.

        Raises CannotTryError if what the launcher needs cannot be had.
        """


class DirectLauncher:
    """Starts the program directly: it can do everything that this process can do."""

    name = "without a sandbox"
    is_sandbox = False

    def base_environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return all variables of this process, as a dispatcher passes its own."""
        return dict(own)

    def find(self, executable: str, environment: Mapping[str, str]) -> str:
        """Return the path of an executable on this host; "" if it is not there."""
        return find_on_this_host(executable, environment)

    def obstacle(self, program: Program) -> str:
        """Return why this host cannot run the program."""
        return obstacle_on_this_host(program)

    @contextmanager
    def command(self, program: Program) -> Iterator[LaunchCommand]:
        """Return the program itself."""
        yield LaunchCommand(program.arguments, program.environment, program.cwd)


def find_on_this_host(executable: str, environment: Mapping[str, str]) -> str:
    """Return the absolute path of an executable file; "" if there is none.

    A bare name is looked up in the `PATH` of `environment`.
    """
    if "/" in executable:
        is_there = Path(executable).is_file() and os.access(executable, os.X_OK)
        return str(Path(executable).absolute()) if is_there else ""
    return shutil.which(executable, path=environment.get("PATH", "")) or ""


def obstacle_on_this_host(program: Program) -> str:
    """Return why the program cannot start here: its working directory is missing, or it cannot be read."""
    cwd = Path(program.cwd)
    if not cwd.is_dir():
        return f"the folder {program.cwd} (cwd) does not exist here"
    if not os.access(cwd, os.X_OK):
        return f"the folder {program.cwd} (cwd) cannot be entered by this user"
    return ""
