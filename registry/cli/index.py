"""`registry index`: give ids."""

from typing import Annotated

import typer

from registry.cli.terminal import Format, FormatOption, RegistryOption, find_root, out, write_json


def command(
    registry: RegistryOption = None,
    commit: Annotated[bool, typer.Option("--commit/--no-commit", help="Commit the ids, or leave that to you.")] = True,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Give every new definition its id, and note in the ledger what moved or was deleted. For the main branch.

    One line `id: N` goes into each new file; nothing else in it changes. Running it again changes nothing.

    Examples: `registry index` · `registry index --no-commit`
    """
    from registry.index import index
    from registry.source import WorkTree, open_source

    source = open_source(find_root(registry))
    assert isinstance(source, WorkTree)
    result = index(source, make_commit=commit)
    if format_ is Format.JSON:
        given = [{"kind": one.definition.kind, "id": one.id, "name": one.definition.name, "path": one.definition.path} for one in result.assignments]
        events = [{"kind": entry.kind, "id": entry.id, "name": entry.name, "state": entry.state} for entry in result.entries]
        write_json({"given": given, "events": events, "commit": result.commit})
        return
    if not result.entries:
        out.print("Nothing to do: every definition has its id.")
        return
    for entry in result.entries:
        out.print(f"{entry.kind} {entry.id:>5}  {entry.state:<5}  {entry.name}", markup=False)
    if result.commit:
        out.print(f"Committed as {result.commit[:12]}.")
    elif commit is False:
        out.print("Not committed: that is left to you.")
