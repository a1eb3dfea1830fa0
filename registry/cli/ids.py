"""`registry ids`: the ids in the ledger."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.options import Format, format_option, kind_option, registry_option, source_option
from registry.cli.terminal import (
    counted,
    find_root,
    out,
    show_problems,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.ids import Ledger
    from registry.load.source import Source
    from registry.model.definition import Definition
    from registry.model.problem import Problem


@click.command("ids")
@click.argument("action", type=click.Choice(["list", "verify"]), default="list")
@registry_option
@source_option
@kind_option
@format_option
def command(action: str, registry: Path | None, source: str, kind: str | None, format_: Format) -> None:
    """List all assigned ids, or verify the ledger.

    `list` includes ids of deleted definitions. `verify` checks the hash chain of the ledger, duplicate ids, and that
    ledger and files agree.

    \b
    Exit codes of verify:
      0  no problems
      1  problems

    \b
    Examples:
      registry ids
      registry ids list --kind application --format json
      registry ids verify --source main
    """
    from registry.load.source import open_source

    opened = open_source(find_root(registry), source)
    if action == "list":
        _list(opened, kind, format_)
    else:
        _verify(opened, format_)


def _list(source: "Source", kind: str | None, format_: Format) -> None:
    from registry.ids import parse_ledger_files
    from registry.load.ledger_files import read_ledger_files

    ledger, problems = parse_ledger_files(read_ledger_files(source), source.settings.registry_id)
    if problems:
        show_problems(problems, source.read)
    latest = sorted(
        (entry for entry in ledger.latest.values() if kind in (None, entry.kind)),
        key=lambda entry: (entry.kind, entry.id),
    )
    if format_ == "json":
        listed = [
            {"kind": entry.kind, "id": entry.id, "name": entry.name, "state": entry.state} for entry in latest
        ]
        write_json({"ids": listed})
        return
    for entry in latest:
        out.print(f"{entry.kind} {entry.id:>5}  {entry.state:<5}  {entry.name}", markup=False)
    if not latest:
        out.print("No ids yet: `registry index` assigns them.")


def _verify(source: "Source", format_: Format) -> None:
    """Report all problems of ids and exit with 1 if there are any."""
    from registry.ids import parse_ledger_files, verify
    from registry.load.ledger_files import read_ledger_files
    from registry.pipeline import check_source

    checked = check_source(source)
    own_id = checked.settings.registry_id
    ledger, unreadable = parse_ledger_files(read_ledger_files(source), own_id)
    problems = (
        # `verify` does not know the ids of files that cannot be read.
        *checked.loaded.problems,
        *unreadable,
        *_of_another_registry(ledger, own_id),
        *verify(checked.loaded.definitions, ledger),
    )
    if format_ == "json":
        from registry.reports.json import problems_body

        write_json(problems_body(problems))
    elif problems:
        show_problems(problems, source.read, to_stdout=True)
    else:
        _report_verified(ledger, checked.loaded.definitions)
    if problems:
        sys.exit(1)


def _of_another_registry(ledger: "Ledger", own_id: str) -> "tuple[Problem, ...]":
    """Return the problem of a ledger that came with a fork, if any."""
    from registry.load.settings import SETTINGS_PATH
    from registry.model.problem import Problem, Severity, Span

    if ledger.registry_id == own_id:
        return ()
    message = f"the ledger belongs to registry {ledger.registry_id}, but registry.yaml has {own_id or 'none'}"
    return (Problem("I026", Severity.ERROR, Span(SETTINGS_PATH), message, "a fork assigns no ids"),)


def _report_verified(ledger: "Ledger", definitions: "Sequence[Definition]") -> None:
    waiting = sum(one.id is None for one in definitions)
    live = sum(entry.state != "gone" for entry in ledger.latest.values())
    lines, used = counted(len(ledger.entries), "line"), counted(live, "id")
    out.print(
        f"{lines}, {used} in use, {len(ledger.latest) - live:,} of deleted definitions; "
        f"{counted(waiting, 'definition')} without an id."
    )
