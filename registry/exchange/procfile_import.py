"""Imports Procfiles, as foreman and honcho read them: one line of shell for each process.

Source of the format: the documentation of Foreman, "Procfiles".
"""

import re
from collections.abc import Sequence
from functools import partial

from registry.exchange.fields import Loss
from registry.exchange.imported_process import ImportedParts, ProcessDraft, imported_process, take_identity
from registry.exchange.importer import Imported, ImportedText, Importer, ImportOptions, suggested_name
from registry.exchange.shell_words import simple_command

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)\Z")
_SHELL = "/bin/sh"


def read_procfile(origin: str, text: str, options: ImportOptions) -> ImportedText:
    """Return the processes of a Procfile. Raises UsageError when none can be imported."""
    parts = ImportedParts(origin)
    comments: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        found = _LINE.match(line.rstrip("\r"))
        if found:
            read = partial(_process, f"{origin}:{number}", found, comments, options)
            parts.add(found["name"], number, read)
        elif line.strip() and not line.lstrip().startswith("#"):
            parts.losses.append(Loss(line.strip()[:40], "it is not a line `name: command`", number))
        comments = [*comments[-1:], line.removeprefix("#").removeprefix(" ")] if line.startswith("#") else []
    return parts.result("a Procfile has lines `name: command`")


def _process(
    place: str, found: re.Match[str], comments: Sequence[str], options: ImportOptions
) -> list[Imported]:
    name, line = found["name"], found["command"]
    draft = ProcessDraft(place, suggested_name(name))
    take_identity(draft, name, comments)
    command = simple_command(line)
    if command is None:
        draft.command = (_SHELL, "-c", line)
        draft.notes.append(f"{name}: the command needs a shell, so {_SHELL} -c starts it")
    else:
        draft.command = command.words
        draft.environment = command.environment
        draft.references = set(command.references)
        draft.cwd = command.cwd
    return [imported_process(draft, options)]


IMPORTER = Importer(
    "procfile",
    "Procfile",
    ("procfile", "procfile.*"),
    read_procfile,
    gives=(
        "a line that starts one program as its words, with `cd DIR &&`, `exec`, `env` and variables",
        "any other line as an argument of `/bin/sh -c`, which a note says",
    ),
    refuses=("a file without lines `name: command`",),
)
