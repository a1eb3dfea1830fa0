"""Git processes of one repository, with explicit directories: git does not search for a repository.

Commands that only need objects run on an isolated git directory that ships with the program: it has no refs,
no attributes and no configuration except the object format, and reads the objects of the repository.
Therefore no program in a repository's configuration or attributes can start: no merge driver, filter, text
conversion or remote helper. Commands that need refs, the index or the work tree run on the repository itself,
with these settings overridden.
"""

import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from registry.git.environment import OPTIONS, TIMEOUT_S, environment, for_hooks, for_remotes, git_python
from registry.git.error import GitError, command_of, first_line
from registry.git.location import Location
from registry.git.running import as_options, run_limited

_REMOTE_TIMEOUT_S = 300
_ISOLATED = Path(__file__).parent / "isolated"
# Settings that name a program which a read command could start, and that no option disables.
_NAMES_A_PROGRAM = r"^(filter\..*\.(clean|smudge|process|required)|hook\..*)$"


class Git:
    """Runs git for one repository."""

    def __init__(self, location: Location, *, in_hook: bool = False) -> None:
        """`in_hook`: also use the objects of the push that a hook checks."""
        self.location = location
        self._runner = git_python().Git(str(location.top or location.git_dir))
        names = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
        self._objects = {name: for_hooks[name] for name in names if in_hook and name in for_hooks}
        self._scratch: Mapping[str, str] = {}

    @cached_property
    def _on_repository(self) -> tuple[str, ...]:
        where = self.location
        if where.top is None:
            return (*OPTIONS, "--bare", f"--git-dir={where.git_dir}")
        return (*OPTIONS, f"--git-dir={where.git_dir}", f"--work-tree={where.top}")

    @cached_property
    def _on_objects(self) -> tuple[str, ...]:
        return (*OPTIONS, "--bare", f"--git-dir={_ISOLATED / self.location.object_format}")

    @cached_property
    def _no_programs(self) -> dict[str, str]:
        """Overrides for settings of the repository that name programs."""
        asked = ("config", "--includes", "--name-only", "-z", "--get-regexp", _NAMES_A_PROGRAM)
        names = self._execute(self._on_repository, asked, environment(), ok=(0, 1))
        found: dict[str, str] = {}
        for name in filter(None, names.decode("utf-8", "surrogateescape").split("\0")):
            if name.startswith("hook."):
                found[f"{name.rpartition('.')[0]}.enabled"] = "false"  # hooks in the configuration: git 2.54
            else:
                found[name] = "false" if name.endswith(".required") else ""
        return found

    def _variables(self, env: Mapping[str, str]) -> dict[str, str]:
        return {**environment(), **self._objects, **_as_variables(self._no_programs), **env}

    def _object_variables(self) -> dict[str, str]:
        """Variables that give the isolated git directory access to the repository's objects."""
        common = self.location.common_dir
        variables = {
            **environment(),
            "GIT_OBJECT_DIRECTORY": str(common / "objects"),
            **self._objects,
            **self._scratch,
        }
        # Without this file, git would take the missing parents of a shallow clone for a damaged repository.
        shallow = common / "shallow"
        if shallow.exists():
            variables["GIT_SHALLOW_FILE"] = str(shallow)
        return variables

    def run(
        self,
        *arguments: str,
        ok: Sequence[int] = (0,),
        env: Mapping[str, str] = {},
        stdin: IO[bytes] | None = None,
    ) -> bytes:
        """Run a command that needs refs, the index or the work tree; returns its output.

        Raises GitError for a status not in `ok`.
        """
        return self._execute(self._on_repository, arguments, self._variables(env), ok=ok, stdin=stdin)

    def query(self, *arguments: str, ok: Sequence[int] = (0,)) -> tuple[int, str, str]:
        """Return status, output and errors of a command that reads refs, settings or the index.

        Only for commands that cannot start a program through a setting.
        """
        status, output, stderr = self._run_to_end(
            (*self._on_repository, *arguments), {**environment(), **self._objects}
        )
        if status not in ok:
            raise self.error(arguments, stderr)
        return status, os.fsdecode(output), stderr

    def run_on_objects(
        self,
        *arguments: str,
        ok: Sequence[int] = (0,),
        env: Mapping[str, str] = {},
        stdin: IO[bytes] | None = None,
    ) -> bytes:
        """Run a command that only reads objects, all named by ids; returns its output.

        Raises GitError for a status not in `ok`.
        """
        return self._execute(
            self._on_objects, arguments, {**self._object_variables(), **env}, ok=ok, stdin=stdin
        )

    def stream(self, *arguments: str, env: Mapping[str, str] = {}) -> Any:
        """Start a command that needs the work tree; read its output from `stdout` of the result."""
        return self._popen((*self._on_repository, *arguments), self._variables(env))

    def stream_on_objects(
        self, *arguments: str, stdin: IO[bytes] | int | None = None, env: Mapping[str, str] = {}
    ) -> Any:
        """Start a command that only reads objects."""
        return self._popen((*self._on_objects, *arguments), {**self._object_variables(), **env}, stdin)

    def start(
        self,
        *arguments: str,
        settings: Sequence[tuple[str, str]] = (),
        env: Mapping[str, str] = {},
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a command that changes refs or objects, with pipes for input, output and errors.

        It has a process group of its own: Ctrl-C on the terminal must not end it in the middle of a write.
        """
        return _popen_group(
            ("git", *self._on_repository, *as_options(settings), *arguments), self._variables(env), pass_fds
        )

    def run_for_remote_within(
        self, limit_s: float, *arguments: str, settings: Sequence[tuple[str, str]] = ()
    ) -> tuple[int | None, str, str]:
        """As `run_for_remote`, without a terminal: git and its transport are killed after the limit.

        The status is then None.
        """
        process = _popen_group(
            ("git", *self._on_repository, *as_options(settings), *arguments), self._remote_variables()
        )
        status, output, errors = run_limited(process, limit_s)
        return status, os.fsdecode(output), errors

    def _remote_variables(self) -> dict[str, str]:
        return {
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            **for_remotes,
            **_as_variables(self._no_programs, for_remotes),
        }

    def run_for_remote(self, *arguments: str, ok: Sequence[int] = (0,)) -> tuple[int, str, str]:
        """Return status, output and errors, with the user's settings: credentials, proxies, addresses.

        Raises GitError for a status not in `ok`, or when git is killed after 300 seconds.
        """
        status, output, stderr = self._runner.execute(
            ["git", *self._on_repository, *arguments],
            env=self._remote_variables(),
            with_exceptions=False,
            with_extended_output=True,
            kill_after_timeout=None if os.name == "nt" else _REMOTE_TIMEOUT_S,
        )
        if status not in ok:
            raise GitError(
                f"{command_of(arguments)} failed: {first_line(str(stderr))}",
                "check that this machine can reach the remote and has access to it",
            )
        return int(status), str(output), str(stderr)

    def write_objects_elsewhere(self) -> None:
        """Let commands on objects write to a temporary folder from now on, and read from it as well.

        A read-only command then leaves the repository unchanged, and works in a read-only repository.
        """
        if self._scratch:
            return
        folder = tempfile.mkdtemp(prefix="registry-objects-")
        # Not for a fork: a child that ends first must not remove the folder of its parent.
        weakref.finalize(self, _remove_if_ours, folder, os.getpid())
        variables = self._object_variables()
        behind = [
            _quoted(variables["GIT_OBJECT_DIRECTORY"]),
            variables.get("GIT_ALTERNATE_OBJECT_DIRECTORIES", ""),
        ]
        self._scratch = {
            "GIT_OBJECT_DIRECTORY": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(filter(None, behind)),
        }

    def _execute(
        self,
        base: Sequence[str],
        arguments: Sequence[str],
        variables: Mapping[str, str],
        *,
        ok: Sequence[int],
        stdin: IO[bytes] | None = None,
    ) -> bytes:
        status, output, stderr = self._run_to_end((*base, *arguments), variables, stdin)
        if status not in ok:
            raise self.error(arguments, stderr)
        return output

    def _run_to_end(
        self, words: Sequence[str], variables: Mapping[str, str], stdin: IO[bytes] | None = None
    ) -> tuple[int, bytes, str]:
        execute: Any = self._runner.execute  # its overloads do not cover files
        status, output, stderr = execute(
            ["git", *words],
            env=dict(variables),
            istream=stdin,
            with_exceptions=False,
            with_extended_output=True,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            # GitPython refuses a time limit on Windows.
            kill_after_timeout=None if os.name == "nt" else TIMEOUT_S,
        )
        return int(status), bytes(output), str(stderr)

    def _popen(
        self, words: Sequence[str], variables: Mapping[str, str], stdin: IO[bytes] | int | None = None
    ) -> Any:
        return self._runner.execute(["git", *words], env=dict(variables), as_process=True, istream=stdin)

    def error(self, arguments: Sequence[str], stderr: str) -> GitError:
        """Return the error for a failed command with the error output `stderr`."""
        return GitError(f"{command_of(arguments)} failed: {first_line(stderr)}", self.missing_hint())

    def missing_hint(self) -> str:
        """Return the command that completes a partial clone, for missing objects; "" for other clones."""
        if not any((self.location.common_dir / "objects" / "pack").glob("*.promisor")):
            return ""
        _, remotes, _ = self.query("config", "--get-regexp", r"^remote\..*\.promisor$", ok=(0, 1))
        named = [line.removeprefix("remote.").partition(".promisor ")[0] for line in remotes.splitlines()]
        return (
            "this is a partial clone; complete it: "
            f"git fetch --refetch --no-filter {named[0] if named else 'origin'}"
        )


def _popen_group(
    words: Sequence[str], variables: Mapping[str, str], pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
        pass_fds=pass_fds,
        process_group=0,
    )


def _as_variables(settings: Mapping[str, str], after: Mapping[str, str] = {}) -> dict[str, str]:
    """Return settings as variables, after those in `after`; `-c` would end a name at its first `=`."""
    if not settings:
        return {}
    given = after.get("GIT_CONFIG_COUNT", "")
    start = int(given) if given.isdecimal() and given.isascii() and len(given) < 5 else 0
    variables = {"GIT_CONFIG_COUNT": str(start + len(settings))}
    for number, (name, value) in enumerate(settings.items(), start):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _quoted(path: str) -> str:
    """Quote a path for git's list of alternates."""
    if os.pathsep not in path and not path.startswith('"'):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _remove_if_ours(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a process that was forked from the owner
        shutil.rmtree(folder, ignore_errors=True)
