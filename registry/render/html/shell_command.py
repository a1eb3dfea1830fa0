"""The command of a definition as text that a POSIX shell runs. The registry itself never uses a shell.

Source of the syntax: POSIX.1-2024, "Shell Command Language".
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from registry.check.placeholders import PLACEHOLDERS
from registry.model.adapter import adapter_parameters
from registry.model.host_variable import host_variable
from registry.model.pointer import value_at
from registry.model.values import list_of, map_of, text_of
from registry.render.html.filled_template import escape_all_html, escape_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from registry.load.kinds import Kind

_PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS.values())))
_PLAIN_SUFFIX = re.compile(r"[A-Za-z0-9._-]+")
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A terminal interprets them in pasted text, and HTML excludes most of them. A line end is safe in quotes.
_CONTROL = re.compile("([\x01-\x09\x0b-\x1f\x7f-\x9f]+)")
# Names that a shell does not look up in PATH: reserved words, and the utilities that shells have built in.
_OF_SHELL = """
! [ [[ { } . : alias bg bind break builtin caller case cd command compgen complete compopt
continue coproc declare dirs disown do done echo elif else enable esac eval exec exit export
false fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile
newgrp popd print printf pushd pwd read readarray readonly return select set shift shopt source
suspend test then time times trap true type typeset ulimit umask unalias unset until wait while
"""


def shell_command(kind: Kind, data: Mapping[str, Any]) -> list[list[str]]:
    """Return the words of each line for a POSIX shell that runs the command of a document like a runner.

    They change to the working directory, set the environment, and pass the arguments unchanged. Variables
    hold the paths in place of `${input_file}` and `${output_file}`. An input path is the sample file of the
    first example with one, relative to the registry's root; without such an example, the shell reports that
    the variable is not set.

    The result is empty if the document has no valid command, or one that no system can start.
    """
    program, argv = value_at(data, kind.traits.executable), value_at(data, kind.traits.arguments)
    argv = [] if argv is None else argv
    inside = map_of(data.get("definition")) if kind.uses("process") else {}
    folder, environment = inside.get("cwd", ""), inside.get("environment", {})
    if not isinstance(argv, list) or not isinstance(environment, dict):
        return []
    texts = [program, folder, *argv, *environment, *environment.values()]
    if not program or not all(isinstance(text, str) and "\0" not in text for text in texts):
        return []
    sample = _sample_input(data)
    reads_sample = bool(sample) and _reads_standard_input(inside)
    needed = {name for item in argv for name in _PLACEHOLDER.findall(item)}
    if reads_sample:
        needed.add(PLACEHOLDERS["input"])
    words = [*_start(program, environment), *map(_argument, argv)]
    if reads_sample:
        words += ["<", '"$input_file"']
    before = [[path] for path in _paths(needed, sample, _output_suffix(inside))]
    before += [["cd", _word(folder)]] if folder else []
    return [*([*line, "&&"] for line in before), words]


def command_text(lines: Sequence[Sequence[str]]) -> str:
    """Return the lines of a command as text."""
    return "\n".join(map(" ".join, lines))


def command_html(lines: Sequence[Sequence[str]]) -> bytes:
    """Return the lines of a command as markup with the same text; no word reorders the others."""
    text = command_text(lines)
    if text.isascii():
        return escape_html(text)
    return b"\n".join(
        [b" ".join([b"<bdi>%s</bdi>" % word for word in escape_all_html(words)]) for words in lines]
    )


def _paths(needed: set[str], sample: str, suffix: str) -> Iterator[str]:
    """Yield the assignments of paths. They are absolute, because the command may run in another folder.

    `sample` is the sample file with an input message or "", `suffix` that of the output file.
    """
    if PLACEHOLDERS["input"] in needed:
        yield (
            f'input_file="$PWD"/{_word(sample)}'
            if sample
            else ': "${input_file:?set it to the absolute path of a file}"'
        )
    if PLACEHOLDERS["output"] in needed:
        yield f'output_file="${{output_file:-$PWD/output{suffix}}}"'


def _start(program: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the words before the arguments."""
    by_shell = all(map(_SHELL_NAME.fullmatch, environment))
    needs_env = not by_shell or program in _OF_SHELL.split()
    if needs_env:
        yield "env"
        # Only then, because some systems lack it.
        if any(name.startswith("-") for name in environment) or program.startswith("-"):
            yield "--"
    for name, value in environment.items():
        yield f"{name if by_shell else _word(name)}={_value(value)}"
    if needs_env and "=" in program:
        # `env` takes a first word with `=` for a variable, and `nice` starts a program in the same way.
        yield from ("nice", "-n", "0")
    # An unquoted first word with `=` would be an assignment, one without a slash can be an alias.
    yield f"'{program}'" if "=" in program and _word(program) == program else _word(program)


def _value(value: str) -> str:
    """Return the value of a variable: `${NAME}` alone is taken from the environment, where it must exist."""
    variable = host_variable(value)
    return f'"${{{variable}?set it in the environment}}"' if variable else _word(value)


def _argument(item: str) -> str:
    parts = [_word(part) if part else "" for part in _PLACEHOLDER.split(item)]
    paths = [f'"${name[2:-1]}"' for name in _PLACEHOLDER.findall(item)]
    joined = parts[0] + "".join([path + part for path, part in zip(paths, parts[1:], strict=True)])
    return joined or "''"


def _word(text: str) -> str:
    """Return a text as one word in quotes; control characters are written as octal numbers of bytes."""
    if not _CONTROL.search(text):
        return shlex.quote(text)
    parts = _CONTROL.split(text)
    parts[::2] = [shlex.quote(part) if part else "" for part in parts[::2]]
    parts[1::2] = [f"\"$(printf '{_octal(part)}')\"" for part in parts[1::2]]
    return "".join(parts)


def _octal(text: str) -> str:
    return "".join([f"\\{byte:03o}" for byte in text.encode()])


def _sample_input(data: Mapping[str, Any]) -> str:
    """Return the path of the first sample file with an input message, or ""."""
    files = (map_of(example).get("input_file") for example in list_of(data.get("examples")))
    return next((file for file in files if isinstance(file, str) and "\0" not in file and file), "")


def _output_suffix(inside: Mapping[str, Any]) -> str:
    """Return the suffix that the output adapter states: some programs detect the format of a file by it."""
    params = adapter_parameters("output", map_of(inside.get("output_adapter")))
    suffix = text_of(params.get("suffix"))
    return suffix if _PLAIN_SUFFIX.fullmatch(suffix) else ""


def _reads_standard_input(inside: Mapping[str, Any]) -> bool:
    """True when one message arrives on standard input; this is also the case without an adapter."""
    if inside.get("process_type", "single") != "single":
        return False
    adapter = inside.get("input_adapter")
    if adapter is None:
        return True
    return adapter_parameters("input", map_of(adapter)).get("stream_name") == "STDIN"
