"""Procfiles, as foreman and honcho read them: one line of shell for each process.

Sources of the format: the documentation of Foreman, "Procfiles"; of the line: POSIX.1-2024, "Shell Command
Language". Foreman replaces `$NAME` in a line even inside single quotes (`lib/foreman/process.rb`).
"""

import re
import shlex
from collections.abc import Sequence
from functools import partial

from registry.exchange.exporter import (
    Exportable,
    ExportedText,
    Exporter,
    NotExportableError,
    identity,
    joined_blocks,
)
from registry.exchange.fields import Carried, FieldTable, Lost, is_reference, losses, lost_metadata
from registry.exchange.narrow_name import narrow_name
from registry.exchange.wrapped_command import WRAPPER_LIMITS, wrapped_command
from registry.model.pointer import pointer_of
from registry.model.values import map_of

_NO_METADATA = "a Procfile has names and commands only"
_NO_MESSAGES = "a Procfile does not say how messages reach the process"
_OWN_FILE = "the program opens the file itself"
_FILE = "Procfile"
_LONGEST_NAME = 100

_TABLE: FieldTable = {
    "title": Carried("comment"),
    **lost_metadata(_NO_METADATA),
    "exec": Carried("the word after `exec`"),
    "argv": Carried("quoted words"),
    "environment": Carried("`env NAME=value`"),
    "references": Carried('`NAME="${OTHER?}"`: the shell refuses to start the process without the variable'),
    "cwd": Carried("`cd DIR &&`"),
    "single": Lost("a Procfile starts all processes alike, and managers end all of them when one ends"),
    "service": Carried("the line"),
    "timeout": Carried("`registry-run -t`", by_wrapper=True),
    "application": Lost("a Procfile starts the program of the host"),
    "standard_streams": Lost(_NO_MESSAGES),
    "files": Carried(
        f"`registry-run`, from and to standard streams; with a fixed path {_OWN_FILE}", by_wrapper=True
    ),
    "stream": Lost(_NO_MESSAGES),
    "append": Carried(_OWN_FILE),
    "pipe": Lost("a Procfile creates no named pipes: create it first"),
    "network": Lost(_NO_MESSAGES),
    "other_adapters": Lost(_NO_MESSAGES),
    "message_details": Lost(_NO_MESSAGES),
}


def export(one: Exportable) -> ExportedText:
    """Return one line of a Procfile, after comments with the title and the identity."""
    command = wrapped_command(one)
    environment = map_of(one.inside.get("environment"))
    program = command.words[0]
    if program.startswith("-"):
        raise NotExportableError(
            "/definition/exec", "a shell takes a program that begins with `-` for an option"
        )
    if "=" in program and environment:
        raise NotExportableError("/definition/exec", "env takes a program with `=` for a variable")
    folder = [f"cd {_quoted(one.inside['cwd'], 'cwd')} &&"] if "cwd" in one.inside else []
    words = [
        *folder,
        *(_reference(name, text) for name, text in environment.items() if is_reference(text)),
        "exec",
        *_literals({name: text for name, text in environment.items() if not is_reference(text)}),
        *_command(one, command.words),
    ]
    text = f"{_process_name(one.name)}: {' '.join(words)}\n"
    return ExportedText(_comments(one) + text, tuple(losses(_TABLE, one.document)), command.is_wrapped)


def _comments(one: Exportable) -> str:
    title = " ".join(str(one.document.get("title", "")).split())
    return "".join(f"# {line}\n" for line in (title, identity(one)) if line)


def _reference(name: str, value: str) -> str:
    """Return an assignment: unlike an argument of env, other users of the host cannot see it."""
    if not (name.isascii() and name.isidentifier()):
        raise NotExportableError(
            pointer_of(("definition", "environment", name)), "no shell can set this variable"
        )
    return f'{name}="${{{value[2:-1]}?}}"'


def _literals(environment: dict[str, str]) -> list[str]:
    words = [_quoted(f"{name}={text}", "environment", name) for name, text in environment.items()]
    return ["env", *words] if words else []


def _command(one: Exportable, words: Sequence[str]) -> list[str]:
    first = len(words) - len(one.inside.get("argv", ()))
    return [
        *(_quoted(word, "exec") for word in words[:first]),
        *(_quoted(word, "argv", place) for place, word in enumerate(words[first:])),
    ]


def _quoted(text: str, *steps: str | int) -> str:
    """Return a word of the shell. Raises NotExportableError, with the steps below `definition`."""
    if text.splitlines() not in ([], [text]):
        raise NotExportableError(pointer_of(("definition", *steps)), "a Procfile cannot contain a line break")
    return re.sub(r"\$(?=\w)", "$''", shlex.quote(text), flags=re.ASCII)


def _process_name(name: str) -> str:
    return narrow_name(name, signs="_-", longest=_LONGEST_NAME)


EXPORTER = Exporter(
    "procfile",
    "Procfile",
    _TABLE,
    export,
    lambda _: _FILE,
    joined_file=_FILE,
    join=partial(joined_blocks, _process_name),
    limits=(
        "line breaks, also those of Unicode, in `exec`, `argv`, `environment` and `cwd`",
        "`exec` that begins with `-`, or that contains `=` while there are variables",
        "a variable with the value `${NAME}` whose own name no shell can set",
        *WRAPPER_LIMITS,
    ),
)
