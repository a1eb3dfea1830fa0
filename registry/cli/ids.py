"""`registry ids`: the ids in the ledger."""

import sys
from pathlib import Path

import click

from registry.cli.options import Format, format_option, kind_option, registry_option, source_option
from registry.cli.terminal import (
    counted,
    find_root,
    out,
    show_problems,
    write_json,
)


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
    from registry.ids import parse_ledger_files, verify
    from registry.load.ledger_files import read_ledger_files
    from registry.load.settings import SETTINGS_PATH
    from registry.load.source import open_source
    from registry.model.problem import Problem, Severity, Span
    from registry.pipeline import check_source

    opened = open_source(find_root(registry), source)
    checked = check_source(opened)
    ledger, problems = parse_ledger_files(read_ledger_files(opened), checked.settings.registry_id)
    if action == "list":
        latest = sorted(
            (entry for entry in ledger.latest.values() if kind in (None, entry.kind)),
            key=lambda entry: (entry.kind, entry.id),
        )
        if problems:
            show_problems(problems, opened.read)
        if format_ == "json":
            listed = [
                {"kind": entry.kind, "id": entry.id, "name": entry.name, "state": entry.state}
                for entry in latest
            ]
            write_json({"ids": listed})
            return
        for entry in latest:
            out.print(f"{entry.kind} {entry.id:>5}  {entry.state:<5}  {entry.name}", markup=False)
        if not latest:
            out.print("No ids yet: `registry index` assigns them.")
        return
    if ledger.registry_id != checked.settings.registry_id:
        message = (
            f"the ledger belongs to registry {ledger.registry_id}, "
            f"but registry.yaml has {checked.settings.registry_id or 'none'}"
        )
        problems = (
            *problems,
            Problem("I026", Severity.ERROR, Span(SETTINGS_PATH), message, "a fork assigns no ids"),
        )
    problems = (*checked.loaded.problems, *problems, *verify(checked.loaded.definitions, ledger))
    if format_ == "json":
        from registry.reports.json import problems_body

        write_json(problems_body(problems))
    elif problems:
        show_problems(problems, opened.read, to_stdout=True)
    else:
        waiting = sum(one.id is None for one in checked.loaded.definitions)
        live = sum(entry.state != "gone" for entry in ledger.latest.values())
        lines, used = counted(len(ledger.entries), "line"), counted(live, "id")
        out.print(
            f"{lines}, {used} in use, {len(ledger.latest) - live:,} of deleted definitions; "
            f"{counted(waiting, 'definition')} without an id."
        )
    if problems:
        sys.exit(1)
