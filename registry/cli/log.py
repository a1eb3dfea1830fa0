"""`registry log`: the history of one definition."""

from typing import Annotated

import typer

from registry.cli.terminal import (
    Format,
    FormatOption,
    RegistryOption,
    SourceOption,
    find_root,
    out,
    write_api_answer,
)


def command(
    wanted: Annotated[
        str,
        typer.Argument(
            help="A name or an id, with the kind in front where both are the same.", metavar="NAME|ID"
        ),
    ],
    registry: RegistryOption = None,
    kind: Annotated[str | None, typer.Option("--kind", help="The kind, as in `application`.")] = None,
    source: SourceOption = "worktree",
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show the revisions of one definition, newest first, with the fields that each changed.

    Examples: `registry log weather/qc` · `registry log 7 --format json`
    """
    import json

    from registry.cli.lookup import find, load_snapshot, revisions_of
    from registry.model.diff import MISSING
    from registry.render.json_api import history_body, revision_facts

    snapshot = load_snapshot(find_root(registry), source)
    found = find(snapshot, wanted, kind)
    revisions = revisions_of(snapshot, found)
    if format_ is Format.JSON:
        facts = [revision_facts(snapshot, found.kind, found.id, revision) for revision in revisions]
        write_api_answer(history_body(snapshot, found.id, found.name, facts))
        return

    def shown(value: object) -> str:
        return (
            "(not set)"
            if value is MISSING
            else (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        )

    for revision in reversed(revisions):
        who = (
            f"{revision.commit[:10]}  {revision.date[:10]}  {revision.author}"
            if revision.commit
            else "not committed"
        )
        out.print(f"[bold yellow]{revision.number}[/]  ", end="")
        out.print(who, style="yellow", markup=False)
        name = f"  as {revision.name}" if revision.name != found.name else ""
        out.print(f"   {revision.message.split(chr(10), 1)[0]}{name}", markup=False)
        for change in snapshot.changes_of(revision):
            out.print(
                f"     {change.pointer}: {shown(change.old)} → {shown(change.new)}", markup=False, style="dim"
            )
    if not snapshot.history_complete:
        out.print("History is not complete here.")
