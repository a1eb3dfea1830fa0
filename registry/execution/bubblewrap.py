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
    from collections.abc import Iterator, Mapping, Sequence

_PROGRAM = "bwrap"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Links to folders in /usr on systems of today, folders on older ones.
_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
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
_TEMPORARY_BYTES = 256 * 1024 * 1024
_PROBE_LIMIT_S = 60
_LONGEST_FIRST_LINE = 256
# The process that waits outside, and the first process inside.
_WRAPPERS = 2


class Bubblewrap:
    """A sandbox for programs that need not be trusted. Linux only."""

    name = "in a sandbox (bubblewrap)"
    is_sandbox = True

    def __init__(self, only_below: Sequence[str] | None = None) -> None:
        """`only_below` are folders: a definition that needs others, besides the system's, is not run.

        None: it gets what it names. Use folders for a change before its review: its output is shown to
        others, and a working directory can contain credentials, such as the clone of a CI job.
        """
        self._only_below = tuple(only_below) if only_below is not None else None

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
        for path in needed_paths(program):
            is_allowed = self._only_below is None or _is_below(path, self._only_below)
            if not is_allowed or _is_below(path, _OWN_FOLDERS):
                return f"the sandbox does not show {path}, which the definition needs"
        return obstacle_on_this_host(program)

    @contextmanager
    def command(self, program: Program) -> Iterator[LaunchCommand]:
        """Return the command that runs the program in a new sandbox.

        All options are in a file: the list of processes shows the arguments of a command, and the program's
        environment must not be that of bwrap itself, where it could load code (`LD_PRELOAD`).
        """
        with tempfile.TemporaryFile() as options:
            words = (word.encode("utf-8", "surrogateescape") for word in _options(program))
            options.write(b"".join(word + b"\0" for word in words))
            options.flush()
            options.seek(0)
            number = options.fileno()
            arguments = (_PROGRAM, "--args", str(number), "--", *program.arguments)
            environment = {"PATH": os.defpath if shutil.which(_PROGRAM, path=os.defpath) else _bwrap_folder()}
            yield LaunchCommand(arguments, environment, "/", (number,), _WRAPPERS, failure=_failure)


def _failure(status: int | None, errors: str) -> str:
    """Return why bwrap could not start the program, which is the last line of its own error."""
    return errors.strip().splitlines()[-1] if status == 1 and errors.startswith(f"{_PROGRAM}: ") else ""


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
    """Yield the folders of an executable, of the file that it is a link to, and of a script's interpreter."""
    for path in dict.fromkeys((executable, os.path.realpath(executable))):
        yield _package_of(Path(path).parent)
    interpreter = _interpreter_of(executable)
    if interpreter:
        yield from _folders_of(interpreter)


def _package_of(folder: Path) -> str:
    """Return the folder where the installed package or virtual environment with these programs begins.

    A folder of a user is no package, even if it has a folder for libraries.
    """
    above, steps = folder.parent, folder.parts
    if steps[:2] == ("/", "opt") and len(steps) > 2:
        return str(Path(*steps[:3]))
    is_home = above in (Path("/"), Path("/root")) or above.parent == Path("/home")
    is_package = (above / "lib").is_dir() or (above / "pyvenv.cfg").is_file()
    return str(above if folder.name == "bin" and is_package and not is_home else folder)


def _interpreter_of(path: str) -> str:
    """Return the program in the first line of a script; "" for other programs and for invalid lines.

    An interpreter that is a script itself is not followed: it may name itself.
    """
    words = _first_line(path).removeprefix(b"#!").split()
    found = os.fsdecode(words[0]) if words else ""
    return found if found.startswith("/") and Path(found).is_file() and not _first_line(found) else ""


def _first_line(path: str) -> bytes:
    """Return the first line of a script, with `#!`; empty for other files."""
    try:
        with Path(path).open("rb") as file:
            line = file.readline(_LONGEST_FIRST_LINE)
    except OSError:
        return b""
    return line if line.startswith(b"#!") else b""


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
