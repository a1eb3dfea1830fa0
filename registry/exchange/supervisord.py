"""Programs of supervisord: one section for each process, in one file for `[include]`.

Sources of the format: the manual of Supervisor 4, "Configuration File"; where it is silent, its code:
options.py reads lines as Python's configparser does, datatypes.py splits `environment`, and process.py splits
`command`.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from registry.exchange.exporter import (
    Exportable,
    ExportedText,
    Exporter,
    NotExportableError,
    identity,
    joined_blocks,
)
from registry.exchange.fields import Carried, FieldTable, Loss, Lost, is_reference, losses, lost_metadata
from registry.exchange.messages import message_file
from registry.exchange.narrow_name import narrow_name
from registry.exchange.wrapped_command import WRAPPER_LIMITS, WrappedCommand, wrapped_command
from registry.model.pointer import pointer_of
from registry.model.values import list_of, map_of, text_of

_NO_METADATA = "a program of supervisord has no setting for this"
_NO_STREAM = "supervisord connects no messages to a long-running process"
_OWN_FILE = "the program opens the file itself"
_FILE = "registry.conf"
_COMMENT = "; "
_LONGEST_NAME = 100
_GRACE_S = 10
_WRAPPED_GRACE_S = 15  # registry-run sends KILL after 10 s, and must outlive that
_DEFAULT_ADAPTERS = {
    "input_adapter": {"input_type": "file", "input_params": {"file_type": "stream", "stream_name": "STDIN"}},
    "output_adapter": {
        "output_type": "file",
        "output_params": {"file_type": "stream", "stream_name": "STDOUT"},
    },
}

_TABLE: FieldTable = {
    "title": Carried("comment"),
    **lost_metadata(_NO_METADATA),
    "exec": Carried("first word of `command`"),
    "argv": Carried("quoted words of `command`"),
    "environment": Carried('`environment=NAME="value"`'),
    "references": Carried(
        "`%(ENV_NAME)s`, from the environment of supervisord; without quotation marks in it"
    ),
    "cwd": Carried("`directory`"),
    "single": Carried("`autostart=false`, `autorestart=false`, `startsecs=0`"),
    "service": Carried("`autorestart=unexpected`"),
    "timeout": Carried("`registry-run -t`", by_wrapper=True),
    "application": Lost("supervisord starts the program of the host"),
    "standard_streams": Carried(
        "`registry-run`, from and to the files `/run/NAME.input` and `/run/NAME.output`", by_wrapper=True
    ),
    "files": Carried(f"`registry-run`, as for streams; with a fixed path {_OWN_FILE}", by_wrapper=True),
    "stream": Lost(_NO_STREAM),
    "append": Carried(_OWN_FILE),
    "pipe": Lost("supervisord creates no named pipes: create it first"),
    "network": Lost("supervisord does not know on which port a process listens"),
    "other_adapters": Lost(_NO_METADATA),
    "message_details": Lost(_NO_METADATA),
}

_COMMENT_START = re.compile(r"(?<=\s)(?=[;#])")
_LINE_BREAK = re.compile(r"[\n\r]")
# Characters of a word for the splitter of `environment`.
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_/.+():-]+", re.ASCII)


def _export(one: Exportable) -> ExportedText:
    """Return the section of a program. Raises NotExportableError."""
    is_single = text_of(one.inside.get("process_type", "single")) == "single"
    command = _command(one, is_single=is_single)
    settings = [("command", _joined(one, command.words))]
    if "cwd" in one.inside:
        settings.append(("directory", _folder(one.inside["cwd"])))
    environment = [*_environment(map_of(one.inside.get("environment"))), *_messages(one, command)]
    if environment:
        settings.append(("environment", ",".join(environment)))
    if is_single:
        settings += [("autostart", "false"), ("autorestart", "false"), ("startsecs", "0")]
    else:
        settings.append(("autorestart", "unexpected"))
    grace_s = _WRAPPED_GRACE_S if command.is_wrapped else _GRACE_S
    settings += [("stopwaitsecs", str(grace_s)), ("stopasgroup", "true"), ("killasgroup", "true")]
    title = " ".join(text_of(one.document.get("title")).split())
    lines = [
        *(f"{_COMMENT}{line}" for line in (title, identity(one)) if line),
        f"[program:{_program_name(one.name)}]",
        *(f"{key}={value}" for key, value in settings),
    ]
    text = "".join(f"{line}\n" for line in lines)
    return ExportedText(text, (*losses(_TABLE, one.document), *_lost(one)), command.is_wrapped)


def _command(one: Exportable, *, is_single: bool) -> WrappedCommand:
    """Return the command. Without an adapter, a single process has a message on a standard stream."""
    if not is_single:
        return wrapped_command(one)
    inside = {**_DEFAULT_ADAPTERS, **one.inside}
    return wrapped_command(replace(one, document={**one.document, "definition": inside}), passes_streams=True)


def _joined(one: Exportable, words: Sequence[str]) -> str:
    first = len(words) - len(list_of(one.inside.get("argv")))
    return " ".join(
        (
            *(_word(word, "exec") for word in words[:first]),
            *(_word(word, "argv", place) for place, word in enumerate(words[first:])),
        )
    )


def _word(text: str, *steps: str | int) -> str:
    """Return a word of `command`. Even in quotes, a comment would start at `;` or `#` after a blank."""
    if _LINE_BREAK.search(text):
        raise _refusal(steps, "supervisord cannot read a line break in a command")
    return _COMMENT_START.sub("''", shlex.quote(text)).replace("%", "%%")


def _environment(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        steps = ("environment", name)
        if not _VARIABLE_NAME.fullmatch(name):
            raise _refusal(steps, "supervisord cannot read the name of this variable")
        if is_reference(value):
            yield f'{name}="%(ENV_{value[2:-1]})s"'
        else:
            yield f"{name}={_quoted_value(value, steps)}"


def _quoted_value(value: str, steps: Sequence[str]) -> str:
    why = ""
    if _LINE_BREAK.search(value):
        why = "supervisord cannot read a line break in a variable"
    elif _COMMENT_START.search(value):
        why = "supervisord takes `;` or `#` after a blank for the start of a comment"
    elif value.strip("'\"") != value:
        why = "supervisord removes quotation marks at the ends of a value"
    elif "'" in value and '"' in value:
        why = "supervisord cannot read a value with both kinds of quotation marks"
    if why:
        raise _refusal(steps, why)
    quote = "'" if '"' in value else '"'
    return f"{quote}{value.replace('%', '%%')}{quote}"


def _messages(one: Exportable, command: WrappedCommand) -> Iterator[str]:
    """Yield the variables of registry-run that name the files of the messages."""
    if not command.is_wrapped:
        return
    for side, variable in (("input", "REGISTRY_INPUT"), ("output", "REGISTRY_OUTPUT")):
        message = message_file(one.document, side)
        if message is not None and not message.is_fixed and message.stream != "STDERR":
            yield f'{variable}="/run/{_program_name(one.name)}.{side}"'


def _lost(one: Exportable) -> Iterator[Loss]:
    message = message_file(one.document, "output")
    if message is not None and message.stream == "STDERR":
        yield Loss("/definition/output_adapter", "supervisord writes standard error to a log")


def _folder(path: str) -> str:
    if path != path.strip() or _COMMENT_START.search(path):
        why = "supervisord removes white space at the end, and what follows `;` or `#` after a blank"
        raise _refusal(("cwd",), why)
    return path.replace("%", "%%")


def _refusal(steps: Sequence[str | int], why: str) -> NotExportableError:
    return NotExportableError(pointer_of(("definition", *steps)), why)


def _program_name(name: str) -> str:
    return narrow_name(name, signs="._-", longest=_LONGEST_NAME)


EXPORTER = Exporter(
    "supervisord",
    "supervisord",
    _TABLE,
    _export,
    lambda _: _FILE,
    comment=_COMMENT,
    joined_file=_FILE,
    join=partial(joined_blocks, _program_name),
    limits=(
        "line breaks in `exec`, `argv` and `environment`",
        "a variable whose value has `;` or `#` after white space, begins or ends with a quotation mark, or "
        "contains both kinds of quotation marks",
        "a variable whose name has other characters than letters of ASCII, digits and `_/.+():-`",
        "`cwd` that ends in white space, or has `;` or `#` after white space",
        *WRAPPER_LIMITS,
    ),
)
