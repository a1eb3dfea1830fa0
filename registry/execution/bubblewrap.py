"""Starts programs in a sandbox of bubblewrap (https://github.com/containers/bubblewrap).

Inside, a program has no network, no other processes, its own /tmp of limited size, and no files except the
system's programs and libraries and what it names, which it cannot change. It ends with the sandbox.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from registry.execution.launcher import LaunchCommand, Program, find_on_this_host, obstacle_on_this_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROGRAM = "bwrap"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Links to folders in /usr on systems of today, folders on older ones.
_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# What programs need of /etc: shared libraries, names of commands, the time zone, fonts.
_SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/fonts",
)
# Mounted by the sandbox itself: these of the host are never shown.
_OWN_FOLDERS = ("/proc", "/dev")
# A change before its review may not name these: they contain people's files and credentials.
_PRIVATE_FOLDERS = ("/root", "/home", "/etc", "/run", "/var", "/tmp", "/boot", "/sys", "/mnt", "/media")
_TEMPORARY_BYTES = 256 * 1024 * 1024
_PROBE_LIMIT_S = 60
# The process that waits outside, and the first process inside.
_WRAPPERS = 2


class Bubblewrap:
    """A sandbox for programs that need not be trusted. Linux only."""

    name = "in a sandbox (bubblewrap)"
    is_sandbox = True

    def __init__(self, *, shows_private: bool = True) -> None:
        """`shows_private`: a definition may name a folder below /home, /etc and other private places.

        False for definitions of a change before its review: their output is shown to others.
        """
        self._shows_private = shows_private

    @cached_property
    def unusable_because(self) -> str:
        """Why programs cannot run in this sandbox here; "" if they can.

        A container or a hardened kernel can forbid the namespaces that the sandbox consists of, so one
        program is run in it.
        """
        if shutil.which(_PROGRAM) is None:
            return "bubblewrap (bwrap) is not installed"
        with tempfile.TemporaryDirectory(prefix="registry-try-") as folder:
            probe = Program(("/usr/bin/env",), {}, folder, writable=(folder,))
            with self.command(probe) as command:
                try:
                    done = subprocess.run(
                        command.arguments,
                        env=command.environment,
                        pass_fds=command.inherited,
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        timeout=_PROBE_LIMIT_S,
                        check=False,
                    )
                except subprocess.TimeoutExpired:
                    return "bubblewrap does not answer"
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return "" if done.returncode == 0 else f"bubblewrap fails: {reason[-1] if reason else 'no reason'}"

    def base_environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return a small environment: the variables of this process can contain credentials."""
        kept = {name: own[name] for name in ("LANG", "LC_ALL", "TZ") if name in own}
        return {"PATH": _SYSTEM_PATH, "HOME": "/tmp", "TMPDIR": "/tmp", **kept}

    def find(self, executable: str, environment: Mapping[str, str]) -> str:
        """Return the path of an executable on this host; "" if it is not there."""
        return find_on_this_host(executable, environment)

    def obstacle(self, program: Program) -> str:
        """Return why this host cannot run the program, or why the sandbox must not show what it needs."""
        needed = needed_paths(program)
        refused = _OWN_FOLDERS if self._shows_private else (*_OWN_FOLDERS, *_PRIVATE_FOLDERS)
        hidden = [path for path in needed if _is_below(path, refused)]
        if hidden:
            return f"the sandbox does not show {hidden[0]}, which the definition needs"
        return obstacle_on_this_host(program)

    @contextmanager
    def command(self, program: Program) -> Iterator[LaunchCommand]:
        """Return the command that runs the program in a new sandbox.

        All options are in a file: the list of processes shows the arguments of a command, and the program's
        environment must not be that of bwrap itself, where it could load code (`LD_PRELOAD`).
        """
        with tempfile.TemporaryFile() as options:
            options.write(b"".join(os.fsencode(word) + b"\0" for word in _options(program)))
            options.flush()
            options.seek(0)
            number = options.fileno()
            arguments = (_PROGRAM, "--args", str(number), "--", *program.arguments)
            environment = {"PATH": os.defpath if shutil.which(_PROGRAM, path=os.defpath) else _bwrap_folder()}
            yield LaunchCommand(arguments, environment, "/", (number,), _WRAPPERS, f"{_PROGRAM}: ")


def _bwrap_folder() -> str:
    return str(Path(shutil.which(_PROGRAM) or "/usr/bin").parent)


def _options(program: Program) -> Iterator[str]:
    yield from ("--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox")
    yield from ("--ro-bind", "/usr", "/usr")
    for folder in _SYSTEM_FOLDERS:
        if Path(folder).is_symlink():
            yield from ("--symlink", str(Path(folder).readlink()), folder)
        else:
            yield from ("--ro-bind-try", folder, folder)
    for file in _SYSTEM_FILES:
        yield from ("--ro-bind-try", file, file)
    yield from ("--proc", "/proc", "--dev", "/dev")
    for folder in ("/dev/shm", "/tmp"):
        yield from ("--size", str(_TEMPORARY_BYTES), "--tmpfs", folder)
    for path in needed_paths(program):
        yield from ("--ro-bind", path, path)
    for path in program.writable:
        yield from ("--bind", path, path)
    # For root, the kernel's settings below /proc/sys would be writable even without capabilities.
    for folder in ("/proc", "/dev", "/"):
        yield from ("--remount-ro", folder)
    yield from ("--chdir", program.cwd, "--clearenv")
    for name, value in program.environment.items():
        yield from ("--setenv", name, value)


def needed_paths(program: Program) -> list[str]:
    """Return the paths outside of the system's folders that the program needs.

    These are the folder of its executable, its working directory and the paths in `readable`. A path below
    another one is omitted.
    """
    wanted = [*_folders_of(program.arguments[0]), program.cwd, *program.readable]
    shown = ("/usr", *_SYSTEM_FOLDERS, *program.writable)
    paths = sorted({os.path.normpath(path) for path in wanted})
    found: list[str] = []
    for path in paths:
        if path != "/" and not _is_below(path, shown) and not _is_below(path, tuple(found)):
            found.append(path)
    return found


def _folders_of(executable: str) -> Iterator[str]:
    """Yield the folder of an executable, and that of the file that it is a link to.

    The folder above it, if that is where an installed package or a virtual environment begins.
    """
    for path in dict.fromkeys((executable, os.path.realpath(executable))):
        folder = Path(path).parent
        steps = folder.parts
        if steps[:2] == ("/", "opt") and len(steps) > 2:
            yield str(Path(*steps[:3]))
        elif (folder.parent / "pyvenv.cfg").is_file():
            yield str(folder.parent)
        else:
            yield str(folder)


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
