"""Procfiles, as foreman and honcho read them: one line of shell for each process.

Source of the format: the documentation of Foreman, "Procfiles"; of the line: POSIX.1-2024, "Shell Command
Language".
"""

import re
import shlex
from collections.abc import Sequence

from registry.exchange.exporter import Exportable, ExportedText, Exporter
from registry.exchange.fields import Carried, FieldTable, Lost, is_reference, losses

_NO_METADATA = "a Procfile has names and commands only"
_NO_MESSAGES = "a Procfile does not say how messages reach the process"

_TABLE: FieldTable = {
    "title": Carried("comment"),
    "description": Lost(_NO_METADATA),
    "owners": Lost(_NO_METADATA),
    "tags": Lost(_NO_METADATA),
    "lifecycle": Lost(_NO_METADATA),
    "links": Lost(_NO_METADATA),
    "interface": Lost(_NO_METADATA),
    "examples": Lost(_NO_METADATA),
    "exec": Carried("word after `exec`"),
    "argv": Carried("quoted words"),
    "environment": Carried("`env NAME=value`"),
    "references": Carried("shell variable, which must be set"),
    "cwd": Carried("`cd DIR &&`"),
    "single": Lost("a Procfile starts all processes alike"),
    "service": Carried("the line"),
    "timeout": Lost("a Procfile has no time limit"),
    "application": Lost("a Procfile has no images"),
    "standard_streams": Lost(_NO_MESSAGES),
    "files": Lost(_NO_MESSAGES),
    "stream": Lost(_NO_MESSAGES),
    "append": Lost(_NO_MESSAGES),
    "pipe": Lost(_NO_MESSAGES),
    "network": Lost(_NO_MESSAGES),
    "other_adapters": Lost(_NO_MESSAGES),
    "message_details": Lost(_NO_MESSAGES),
    "extensions": Lost(_NO_METADATA),
}


def export(one: Exportable) -> ExportedText:
    """Return one line of a Procfile, after a comment with the title."""
    inside = one.inside
    words = ["exec"]
    assignments = [
        f'{name}="${{{value[2:-1]}:?}}"' if is_reference(value) else shlex.quote(f"{name}={value}")
        for name, value in inside.get("environment", {}).items()
    ]
    if assignments:
        words += ["env", *assignments]
    words += map(shlex.quote, (inside["exec"], *inside.get("argv", ())))
    folder = f"cd {shlex.quote(inside['cwd'])} && " if "cwd" in inside else ""
    line = f"{_process_name(one.name)}: {folder}{' '.join(words)}\n"
    return ExportedText(line, tuple(losses(_TABLE, one.document)))


def _process_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def _join(written: Sequence[tuple[Exportable, str]]) -> str:
    return "\n".join(text for _, text in written)


EXPORTER = Exporter(
    "procfile", "Procfile", _TABLE, export, lambda _: "Procfile", joined_file="Procfile", join=_join
)
