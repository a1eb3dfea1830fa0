"""Run scripts on another machine through ssh, and send files there through rsync.

The user's configuration of ssh applies. No question is asked: keys come from files and ssh-agent.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn

from registry.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from registry.progress import Progress

_ADDRESS = re.compile(
    r"(?P<host>(?:[\w.+~][\w.+~-]*@)?(?:\[(?P<ipv6>[0-9A-Fa-f:.]+(?:%\w+)?)\]|[\w.][\w.-]*)):(?P<path>.+)",
    re.ASCII | re.DOTALL,
)
# An unknown key of the host must be an error, not a question; a connection must not hang for ever.
_SSH_OPTIONS = (
    ("BatchMode", "yes"),
    ("LogLevel", "ERROR"),
    ("ConnectTimeout", "30"),
    ("ServerAliveInterval", "30"),
)
_SSH_FAILED = 255
# Of a shell; of rsync when the other side did not start.
_NOT_FOUND = (127, 12)
# In parentheses, ssh lists methods, and other programs the number of an error.
_LOGIN_REFUSED = re.compile(r"Permission denied \([a-z]|Host key verification failed")
_ANSWER = "registry-publish: "
_RSYNC_OPTIONS = (
    "--checksum",  # builds give files new times; the content decides
    "--times",
    "--omit-dir-times",
    "--compress",
    "--chmod=ugo=rwX",  # the host's umask decides who can read
    "--delete-missing-args",
    "--force",
    "--secluded-args",  # no shell interprets the path
    "--from0",
    "--out-format=%n",
    "--outbuf=L",  # a line for each file; without a reader, as after a kill, rsync ends
)
_REPORT_EVERY = 100


class RemotePlace(NamedTuple):
    """A link on another machine.

    `host` can have a user, and an IPv6 address in brackets. `path` is as the user wrote it. `parent` is the
    folder of the link, absolute or relative to the home folder; `name` is that of the link.
    """

    host: str
    path: str
    parent: str
    name: str


def parse_place(text: str) -> RemotePlace:
    """Return the place in `HOST:PATH` or `USER@HOST:PATH`. Raises UsageError."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{text!r} does not have the form HOST:PATH", "as in rsync:web@www.example.org:/srv/registry/site"
        )
    path = found["path"].removeprefix("~/")
    parent, _, name = path.rstrip("/").rpartition("/")
    if not path.isprintable() or path.startswith("~"):
        raise UsageError(
            f"{found['path']!r} is not a path that can be published to", "write an absolute path"
        )
    if name in ("", ".", ".."):
        raise UsageError(
            f"{found['path']!r} does not name a link",
            "add a name, as in rsync:www.example.org:/srv/registry/site",
        )
    if not path.startswith("/"):
        parent = f"./{parent}"  # neither an option nor rsync's HOST::MODULE
    return RemotePlace(found["host"], found["path"], parent or "/", name)


class SshHost:
    """Another machine."""

    def __init__(self, host: str, connect: Sequence[str] = ("ssh",)) -> None:
        """Take a host or `user@host`, an IPv6 address in brackets, and the command that connects."""
        self.name = host
        options = (word for key, value in _SSH_OPTIONS for word in ("-o", f"{key}={value}"))
        self._connect = [*connect, *options]

    def run(self, script: str, *words: str) -> bytes:
        """Return the output of a script of POSIX sh with these arguments. Raises RegistryError."""
        with tempfile.TemporaryFile() as errors:
            with self._start(script, words, errors) as process:
                output, _ = process.communicate()
            if process.returncode:
                self._fail(process.returncode, errors, "the commands there")
        return output

    @contextmanager
    def session(self, script: str, *words: str) -> Iterator[Session]:
        """Run a script while the context lasts. At its end, the script's input ends. Raises RegistryError."""
        with tempfile.TemporaryFile() as errors:
            process = self._start(script, words, errors)
            try:
                yield Session(process, lambda: self._fail(process.returncode, errors, "the commands there"))
            finally:
                process.communicate()

    def _start(self, script: str, words: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        command = f"exec sh -c {shlex.quote(script)} registry-publish {shlex.join(words)}"
        words = [*self._connect, self.name.replace("[", "").replace("]", ""), command]
        return _popen(words, "Debian: openssh-client", subprocess.PIPE, errors)

    def send(self, paths: Sequence[str], folder: str, progress: Progress) -> None:
        """Make files and folders of a folder on the host like those here.

        In `paths`, `/./` separates the folder here from the path in both: `/home/a/site/./api/index.html`.
        Those that do not exist here are removed there. Raises RegistryError; what was sent stays.
        """
        with tempfile.NamedTemporaryFile() as listed, tempfile.TemporaryFile() as errors:
            listed.write("\0".join(paths).encode())
            listed.flush()
            options = (*_RSYNC_OPTIONS, f"--files-from={listed.name}", f"--rsh={shlex.join(self._connect)}")
            command = ["rsync", *options, "/", f"{self.name}:{folder}/"]
            with _popen(command, "Debian: rsync", subprocess.DEVNULL, errors) as process:
                assert process.stdout is not None
                try:
                    for number, _ in enumerate(process.stdout, 1):
                        if number % _REPORT_EVERY == 0:
                            progress("sending files", number, len(paths))
                except BaseException:
                    process.terminate()
                    raise
            if process.returncode:
                self._fail(process.returncode, errors, "rsync")

    def _fail(self, code: int, errors: IO[bytes], what: str) -> NoReturn:
        errors.seek(0)
        lines = [line for line in errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
        text = "\n".join(lines)
        # rsync and ssh end with a summary; the first line says what happened.
        reason = lines[0].strip() if lines else f"exit code {code}"
        raise self._error(text, reason, code, what)

    def _error(self, text: str, reason: str, code: int, what: str) -> RegistryError:
        if "No space left on device" in text or "Disk quota exceeded" in text:
            return RegistryError(
                f"the disk of {self.name} is full", "free some space and publish again: what was sent is kept"
            )
        if login := _line_with(text, _LOGIN_REFUSED):
            return RegistryError(
                f"{self.name} does not accept the login: {login}",
                f"no question is asked here: `ssh -o BatchMode=yes {self.name} true` must work",
            )
        if forbidden := _line_with(text, re.compile("Permission denied")):
            return RegistryError(
                f"no permission on {self.name}: {forbidden}",
                "give this account the right to write to the folder",
            )
        if code in _NOT_FOUND and (missing := _line_with(text, re.compile("not found"))):
            return RegistryError(f"a program is missing on {self.name}: {missing}", "install rsync there")
        if code == _SSH_FAILED or "connection unexpectedly closed" in text:
            return RegistryError(
                f"the connection to {self.name} failed: {reason}", "publish again: what was sent is kept"
            )
        return RegistryError(
            f"{what} failed on {self.name}: {reason}", "publish again: what was sent is kept"
        )


class Session:
    """A script that runs on another machine, and answers in lines."""

    def __init__(self, process: subprocess.Popen[bytes], fail: Callable[[], NoReturn]) -> None:
        """Take the local end of the connection, and what raises the error of a script that has failed."""
        self._process = process
        self._fail = fail

    def answers(self) -> Iterator[str]:
        """Yield the lines of the script until it ends. Raises RegistryError if it fails."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text.startswith(_ANSWER):  # a profile of the login can print something, too
                yield text.removeprefix(_ANSWER)
        if self._process.wait():
            self._fail()

    def say(self, word: str) -> None:
        """Send a line to the script. A connection that is gone shows in the answers."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{word}\n".encode())
            self._process.stdin.flush()


def answer_in(output: bytes) -> tuple[str, bytes]:
    """Return the answer of a script, and what follows it. Raises ValueError for an output without one."""
    _, found, rest = output.partition(_ANSWER.encode())
    if not found:
        raise ValueError("the output has no answer")
    line, _, rest = rest.partition(b"\n")
    return line.decode("utf-8", "replace"), rest


def _line_with(text: str, pattern: re.Pattern[str]) -> str:
    return next((line.strip() for line in text.splitlines() if pattern.search(line)), "")


def _popen(command: Sequence[str], package: str, stdin: int, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    if shutil.which(command[0]) is None:
        raise UsageError(f"{command[0]} is not installed", f"install it ({package})")
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=errors)
