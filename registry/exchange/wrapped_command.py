"""The command of a definition, through the script `registry-run` where a format cannot do its part.

The script hands messages over in files and limits the time of a run. Its header documents its options.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from registry.exchange.exporter import Exportable, NotExportableError
from registry.exchange.fields import adapter
from registry.exchange.messages import INPUT_FILE, OUTPUT_FILE, message_file
from registry.model.pointer import pointer_of
from registry.model.values import map_of

WRAPPER_FILE = "registry-run"
WRAPPER_LIMITS = (
    "`pipe` adapters whose path is `${input_file}` or `${output_file}`: nothing makes the named pipe",
    "started through `registry-run`: variables whose names a shell cannot set, or that a shell sets itself "
    "(`PWD`, `IFS`, `SHLVL` …), `REGISTRY_INPUT`, `REGISTRY_OUTPUT`, and names that begin with `rr_`",
)
"""What `wrapped_command` refuses, in Markdown."""

_SHELL_VARIABLES = frozenset(
    (
        "BASHOPTS", "BASHPID", "BASH_ENV", "COMP_WORDBREAKS", "DIRSTACK", "EUID", "FUNCNAME",
        "GROUPS", "HISTCMD", "HOSTTYPE", "IFS", "LINENO", "MACHTYPE", "OLDPWD", "OPTARG", "OPTERR",
        "OPTIND", "OSTYPE", "PIPESTATUS", "POSIXLY_CORRECT", "PPID", "PS4", "PWD", "RANDOM",
        "SECONDS", "SHELLOPTS", "SHLVL", "UID", "_",
    )
)  # fmt: skip
"""Variables that dash, bash or BusyBox set or read when they start a script, by their manuals."""


@dataclass(frozen=True, slots=True)
class WrappedCommand:
    """The words of a command, and whether the first one is the wrapper."""

    words: tuple[str, ...]
    is_wrapped: bool


def wrapped_command(
    one: Exportable, *, limits_time: bool = True, passes_streams: bool = False
) -> WrappedCommand:
    """Return the command of a definition, through `registry-run` if it needs that.

    It needs it for file adapters with the placeholders as their paths, with `limits_time` for the time limit
    of a run, and with `passes_streams` for file adapters on standard input and output. Raises
    NotExportableError for a variable that the script would change or not pass on, and for a named pipe with a
    placeholder as its path.
    """
    inside = one.inside
    options: list[str] = []
    is_single = inside.get("process_type", "single") == "single"
    if limits_time and is_single and "timeout" in inside:
        options += ["-t", seconds_text(inside["timeout"])]
    for side, placeholder, option in (("input", INPUT_FILE, "i"), ("output", OUTPUT_FILE, "o")):
        if adapter(one.document, side)[1].get("pipe_path") == placeholder:
            field = pointer_of(("definition", f"{side}_adapter"))
            raise NotExportableError(field, "nothing makes a named pipe for each run")
        message = message_file(one.document, side)
        if message is not None and message.path == placeholder:
            options.append(f"-{option}")
            if message.suffix:
                options += [f"-{option.upper()}", message.suffix]
    command = (inside["exec"], *inside.get("argv", ()))
    if not options and not (passes_streams and _has_streams(one.document)):
        return WrappedCommand(command, False)
    _check_variables(map_of(inside.get("environment")))
    return WrappedCommand((WRAPPER_FILE, *options, "--", *command), True)


def _has_streams(document: Mapping[str, Any]) -> bool:
    sides = [adapter(document, side) for side in ("input", "output")]
    return any(
        type_ == "file" and parameters.get("stream_name") in ("STDIN", "STDOUT")
        for type_, parameters in sides
    )


def seconds_text(seconds: float) -> str:
    """Return a number of seconds without an exponent: `60`, `0.00001`."""
    return format(Decimal(str(seconds)).normalize(), "f")


def _check_variables(environment: Mapping[str, str]) -> None:
    for name in environment:
        why = ""
        if not (name.isascii() and name.isidentifier()):
            why = "does not pass on a variable that no shell can set"
        elif (
            name in _SHELL_VARIABLES
            or name.startswith("rr_")
            or name in ("REGISTRY_INPUT", "REGISTRY_OUTPUT")
        ):
            why = "and its shell use this variable themselves"
        if why:
            field = pointer_of(("definition", "environment", name))
            raise NotExportableError(field, f"registry-run, which the definition needs, {why}")
