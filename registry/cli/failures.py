"""Errors that end a command: the message and the exit code."""

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import click

from registry.cli.streams import OutputError
from registry.cli.terminal import err, report_bug, show_error, show_problems, write_text
from registry.errors import ProblemsError, RegistryError, UsageError

INTERRUPTED = 130
OUR_BUG = 70

_HINTS = {
    errno.EMFILE: "raise the limit on open files: `ulimit -n 1024`",
    errno.ENFILE: "too many files are open on this machine: end other programs",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space: the quota is used up",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOMEM: "end other programs, or give this one more memory",
    errno.EAGAIN: "too many processes or threads: raise the limit (`ulimit -u`)",
    errno.EIO: "the disk or the terminal does not respond",
}


def wants_json(words: Sequence[str]) -> bool:
    """True if a command line asks for JSON output. The command line itself may be wrong."""
    words = words[: words.index("--")] if "--" in words else words
    given = [word.partition("=")[2] for word in words if word.startswith("--format=")]
    given += [after for word, after in pairwise(words) if word == "--format"]
    return given[-1:] == ["json"]


def report_failure(error: BaseException, *, as_json: bool) -> int:
    """Report an error that ended a command. Returns the exit code. Never raises: stderr itself may fail."""
    if isinstance(error, KeyboardInterrupt):
        with suppress(OSError, ValueError):
            err.print("Interrupted; nothing was left incomplete.")
        return INTERRUPTED
    is_output = isinstance(error, OutputError)
    if isinstance(error, OutputError) and error.errno == errno.EPIPE:
        return 0  # `registry list | head`: the reader needs no more
    if (cause := _machine_cause(error)) is not None:
        error = machine_error(cause)
    code = error.exit_code if isinstance(error, RegistryError) else OUR_BUG
    try:
        _report(error, code, as_json=as_json and not is_output)
    except (OSError, ValueError, ImportError, OutputError):
        # The code that shows errors could not be imported, or the file with the details could not be written.
        with suppress(OSError, ValueError):
            sys.stderr.write(f"error: {error}\n")
    return code


def _report(error: BaseException, code: int, *, as_json: bool) -> None:
    body: dict[str, Any] = {}
    if isinstance(error, RegistryError):
        message, hint = error.message, error.hint
        if isinstance(error, ProblemsError):
            if as_json:
                from registry.reports.json import problems_body

                body = problems_body(error.problems)
            else:
                show_problems(error.problems, error.read)
        show_error(error)
    else:
        message, hint = report_bug(error), ""
    if as_json:
        from registry.reports.envelope import error_body, to_text

        write_text(to_text({**error_body(message, hint, code), **body}))


def report_misuse(error: click.ClickException, *, as_json: bool) -> int:
    """Report a wrong command line, which click found. Returns the exit code. Never raises."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "registry"
    # Click lists the choices of an option on lines of their own.
    message = " ".join(error.format_message().split())
    misuse = UsageError(message, f"see `{command} --help`")
    return report_failure(misuse, as_json=as_json)


# Errors of the machine even if a library wraps them in an error of its own.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN)


def _machine_cause(error: BaseException) -> OSError | MemoryError | None:
    """The error of the operating system that ended the command, or None."""
    if isinstance(error, (OSError, MemoryError)):
        return error
    if isinstance(error, RegistryError):
        return None
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))  # the number that Python omits
    for cause in _causes(error):
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in _EXHAUSTED):
            return cause
    # GitPython keeps only the text of an error that occurs during its import.
    number = next((number for number in _EXHAUSTED if f"[Errno {number}]" in str(error)), None)
    return OSError(number, os.strerror(number)) if number is not None else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, then what caused it, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def machine_error(error: OSError | MemoryError) -> RegistryError:
    """An error of the operating system as a RegistryError with a hint: it is not a bug."""
    if isinstance(error, MemoryError):
        return UsageError("there is not enough memory", _HINTS[errno.ENOMEM])
    try:
        os.getcwd()  # noqa: PTH109 - only asks the system
    except OSError:
        return UsageError("the current folder was deleted", "change to a folder that exists: `cd`")
    reason = error.strerror or str(error) or type(error).__name__
    files = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    hint = _HINTS.get(error.errno or 0, "")
    if not files:
        return UsageError(f"the operating system refused a request: {reason}", hint)
    return UsageError(f"{files}: {reason}", hint)
