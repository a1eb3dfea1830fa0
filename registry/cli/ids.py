"""`registry ids`: the ledger."""

from enum import StrEnum
from typing import Annotated

import typer

from registry.cli.terminal import (
    Format,
    FormatOption,
    RegistryOption,
    SourceOption,
    counted,
    find_root,
    out,
    show_problems,
    write_json,
)


class IdsAction(StrEnum):
    """What to do with the ledger."""

    LIST = "list"
    VERIFY = "verify"


def command(
    action: Annotated[
        IdsAction, typer.Argument(help="`list` every id ever given, or `verify` that ledger and files agree.")
    ] = IdsAction.LIST,
    registry: RegistryOption = None,
    source: SourceOption = "worktree",
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind, as in `application`.")] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """List the ids that were given, deleted ones too; or verify them: the ledger's chain, duplicates, and the files.

    Exit code of `verify` 0: all agree; 1: they do not.

    Examples: `registry ids` · `registry ids --kind application --format json` · `registry ids verify --source main`
    """
    from registry.ids import parse_ledger, verify
    from registry.load.settings import SETTINGS_PATH
    from registry.load.source import MAX_LEDGER_BYTES, open_source
    from registry.model.definition import LEDGER_PATH
    from registry.model.problem import Problem, Severity, Span
    from registry.pipeline import check_source

    opened = open_source(find_root(registry), source)
    checked = check_source(opened)
    ledger, problems = parse_ledger(
        opened.read(LEDGER_PATH, at_most=MAX_LEDGER_BYTES), checked.settings.registry_id
    )
    if action is IdsAction.LIST:
        latest = sorted(
            (entry for entry in ledger.latest.values() if kind in (None, entry.kind)),
            key=lambda entry: (entry.kind, entry.id),
        )
        if problems:
            show_problems(problems, opened.read)
        if format_ is Format.JSON:
            listed = [
                {"kind": entry.kind, "id": entry.id, "name": entry.name, "state": entry.state}
                for entry in latest
            ]
            write_json({"ids": listed})
            return
        for entry in latest:
            out.print(f"{entry.kind} {entry.id:>5}  {entry.state:<5}  {entry.name}", markup=False)
        if not latest:
            out.print("No ids yet: `registry index` gives them.")
        return
    if ledger.registry_id != checked.settings.registry_id:
        message = f"the ledger is of the registry {ledger.registry_id}, and registry.yaml says {checked.settings.registry_id or 'none'}"
        problems = (
            *problems,
            Problem("I026", Severity.ERROR, Span(SETTINGS_PATH), message, "a fork gives no ids"),
        )
    problems = (*checked.loaded.problems, *problems, *verify(checked.loaded.definitions, ledger))
    if format_ is Format.JSON:
        from registry.reports.json import body

        write_json(body(problems))
    elif problems:
        show_problems(problems, opened.read, to_stdout=True)
    else:
        waiting = sum(one.id is None for one in checked.loaded.definitions)
        live = sum(entry.state != "gone" for entry in ledger.latest.values())
        lines, used = counted(len(ledger.entries), "line"), counted(live, "id")
        out.print(
            f"{lines}, {used} in use, {len(ledger.latest) - live:,} of deleted definitions, {waiting:,} waiting for one."
        )
    if problems:
        raise typer.Exit(1)
