"""Batch scripts of Slurm: one file for each process, one job for each message.

Source of the format: sbatch(1). Lines with `#SBATCH` are not shell and have no common rules for quotes, so
their values have no blanks. If the folder of `--chdir` is missing, Slurm starts the job in another one: the
script changes the folder itself.
"""

import math
import re
import shlex

from registry.exchange.exporter import (
    Exportable,
    ExportedText,
    Exporter,
    identity,
    require_expressible,
)
from registry.exchange.fields import Carried, FieldTable, Loss, Lost, Refused, is_reference, losses
from registry.exchange.messages import INPUT_FILE, OUTPUT_FILE, MessageFile, message_file
from registry.exchange.quantities import core_count, mebibytes
from registry.model.values import map_of, text_of

_NO_METADATA = "a batch script has no place for it"
_NO_MESSAGES = "a job gets one message, as a file"

_TABLE: FieldTable = {
    "title": Carried("comment"),
    "description": Carried("comment"),
    "owners": Lost(_NO_METADATA),
    "tags": Lost(_NO_METADATA),
    "lifecycle": Lost(_NO_METADATA),
    "links": Lost(_NO_METADATA),
    "interface": Lost(_NO_METADATA),
    "examples": Lost(_NO_METADATA),
    "exec": Carried("last line of the script"),
    "argv": Carried("quoted words"),
    "environment": Carried("`env NAME=value`; `--export=NONE` keeps out other variables of the submitter"),
    "references": Carried("`--export=NAME`: a variable of the submitter"),
    "cwd": Carried("`cd DIR`"),
    "single": Carried("the job"),
    "service": Refused("a job of Slurm is a program that ends"),
    "timeout": Carried(
        "`--time`, rounded up to minutes; SIGKILL follows after the `KillWait` of the cluster"
    ),
    # Its cores and memory are carried: --cpus-per-task and --mem.
    "application": Lost("how a job runs in a container depends on the cluster"),
    "standard_streams": Carried("`--input`, `--output`, `--error` of `sbatch`"),
    "files": Carried("arguments of the script"),
    "stream": Lost(_NO_MESSAGES),
    "append": Lost(_NO_MESSAGES),
    "pipe": Refused("a batch script creates no named pipes"),
    "network": Lost(_NO_MESSAGES),
    "other_adapters": Lost(_NO_MESSAGES),
    "message_details": Lost("the script does not read the messages"),
    "extensions": Lost(_NO_METADATA),
}

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PLACEHOLDERS = re.compile(rf"({re.escape(INPUT_FILE)}|{re.escape(OUTPUT_FILE)})")
_PATH_OF = """\
path_of() { # PATH: prints it as an absolute path, with the number of the task of a job array instead of %a
    case $1 in *%a*) set -- "${1%%"%a"*}${SLURM_ARRAY_TASK_ID-}${1#*"%a"}" ;; esac
    case $1 in /*) printf '%s' "$1" ;; *) printf '%s' "$PWD/$1" ;; esac
}
"""


def _export(one: Exportable) -> ExportedText:
    """Return a batch script. Raises NotExportableError."""
    require_expressible(_TABLE, one)
    found = losses(_TABLE, one.document)
    messages = [message_file(one.document, side) for side in ("input", "output")]
    found += [loss for message in messages if message is not None for loss in _lost_of(message)]
    timeout = one.inside.get("timeout", 0)
    if timeout % 60:
        found.append(Loss("/definition/timeout", f"Slurm counts minutes: rounded up to {_minutes(timeout)}"))
    files = [message for message in messages if message is not None and message.is_placeholder]
    text = "".join(
        (
            "#!/bin/sh\n",
            _comments(one, messages, files),
            *(f"#SBATCH {option}\n" for option in _options(one)),
            "\n",
            _body(one, files),
        )
    )
    return ExportedText(text, tuple(found))


def _lost_of(message: MessageFile) -> list[Loss]:
    """Return what the submitter has to take care of."""
    where = f"/definition/{message.side}_adapter"
    if message.is_fixed and message.side == "input":
        return [Loss(where, "put the message there before the job starts")]
    if message.is_fixed:
        return [Loss(where, "take the answer from there after the job")]
    if message.suffix:
        return [Loss(where, f"the suffix: give the file a name that ends in {message.suffix}")]
    return []


def _minutes(seconds: float) -> int:
    return math.ceil(seconds / 60)


def _comments(one: Exportable, messages: list[MessageFile | None], files: list[MessageFile]) -> str:
    """Return the identity, the texts for people, and how to submit the script."""
    streams = {message.stream: message.side for message in messages if message is not None}
    names = {"input": "MESSAGE", "output": "ANSWER"}
    options = [
        f"--{option}={names[streams[stream]] if stream in streams else 'LOG'}"
        for option, stream in (("input", "STDIN"), ("output", "STDOUT"), ("error", "STDERR"))
        if stream != "STDIN" or stream in streams
    ]
    words = [*options, _file_name(one.name), *(names[message.side] for message in files)]
    command = " ".join(words)
    array = re.sub(r"(MESSAGE|ANSWER|LOG)\b", lambda name: f"{name[0].lower()}-%a", command)
    lines = [
        identity(one),
        *text_of(one.document.get("title")).split("\n"),
        *text_of(one.document.get("description")).splitlines(),
        "",
        f"One message:   sbatch --wait {command}",
        f"Many messages: sbatch --wait --array=1-20 {array}",
    ]
    return "".join(f"# {' '.join(line.split())}".rstrip() + "\n" for line in lines)


def _options(one: Exportable) -> list[str]:
    resources = map_of(map_of(one.application).get("container_resources"))
    options = [f"--job-name={one.name.replace('/', '-')}"]
    options.append(f"--comment={one.name}" + (f"@{one.revision}" if one.revision else ""))
    if "timeout" in one.inside:
        options.append(f"--time={_minutes(one.inside['timeout'])}")
    if "cpu" in resources:
        options.append(f"--cpus-per-task={math.ceil(core_count(resources['cpu']))}")
    if "memory" in resources:
        options.append(f"--mem={mebibytes(resources['memory'])}M")
    options.append(f"--export={','.join(_references(one)) or 'NONE'}")
    return options


def _references(one: Exportable) -> list[str]:
    """Return the names of the variables that the submitter supplies."""
    values = one.inside.get("environment", {}).values()
    return list(dict.fromkeys(value[2:-1] for value in values if is_reference(value)))


def _body(one: Exportable, files: list[MessageFile]) -> str:
    lines = ['export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}"']
    lines += [f': "${{{name}?is a variable of the submitter}}"' for name in _references(one)]
    if files:
        lines += _PATH_OF.splitlines()
    words = {}
    for place, message in enumerate(files, 1):
        what = "message" if message.side == "input" else "answer"
        lines.append(f'registry_{message.side}=$(path_of "${{{place}:?is the path of the {what}}}") || exit')
        words[message.path] = f'"$registry_{message.side}"'
    if "cwd" in one.inside:
        lines.append(f"cd {_quoted(one.inside['cwd'])} || exit")
    command = _command(one, words)
    if "$registry_cr" in "\n".join((*lines, command)):
        # sbatch refuses scripts in which a line ends with CR LF.
        lines.insert(0, "registry_cr=$(printf '\\r')")
    return "".join(f"{line}\n" for line in (*lines, command))


def _command(one: Exportable, paths: dict[str, str]) -> str:
    """Return the lines that start the program. `paths` are the shell words for placeholders."""
    exports = []
    assignments = []
    for name, value in one.inside.get("environment", {}).items():
        if not is_reference(value):
            assignments.append(_quoted(f"{name}={value}"))
        elif name == value[2:-1]:
            pass  # --export exports it
        elif _IDENTIFIER.match(name):
            exports.append(f'{name}="${{{value[2:-1]}}}"')  # unlike a word of `env`, no other user sees it
        else:
            assignments.append(f'{_quoted(name)}="${{{value[2:-1]}}}"')
    program = one.inside["exec"]
    # `env` takes a program with `=` for a variable. `nice` starts it without a change.
    prefix = ["env", "--"] if assignments or program.startswith("-") else []
    starter = ["/usr/bin/nice", "-n", "0", "--"] if prefix and "=" in program else []
    arguments = [
        "".join(paths.get(piece) or _quoted(piece) for piece in _PLACEHOLDERS.split(text) if piece) or "''"
        for text in one.inside.get("argv", ())
    ]
    command = " ".join(["exec", *prefix, *assignments, *starter, _quoted(program), *arguments])
    # One command: each value is that of the submitter, also if two variables are exchanged.
    return f"export {' '.join(exports)}\n{command}" if exports else command


def _quoted(text: str) -> str:
    return shlex.quote(text).replace("\r", "'\"$registry_cr\"'")


def _file_name(name: str) -> str:
    return f"{name.replace('/', '-')}.sbatch"


EXPORTER = Exporter(
    "slurm",
    "Slurm",
    _TABLE,
    _export,
    _file_name,
)
"""One batch script for each definition. Its comments show how to submit it, also as a job array."""
