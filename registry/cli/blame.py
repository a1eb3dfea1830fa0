"""`registry blame`: who set each field."""

from typing import Annotated

import typer

from registry.cli.terminal import (
    Format,
    FormatOption,
    RegistryOption,
    SourceOption,
    find_root,
    out,
    write_json,
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
    """Show for each field of one definition the commit that last set it, through renames and merges.

    Examples: `registry blame weather/qc` · `registry blame 7 --format json`
    """
    from registry.cli.lookup import find, load_snapshot, revisions_of
    from registry.model.characters import visible
    from registry.render.json_api import short_facts
    from registry.reports.changes.words import value
    from registry.review.blame import blame

    snapshot = load_snapshot(find_root(registry), source)
    found = find(snapshot, wanted, kind)
    origins = blame(snapshot, revisions_of(snapshot, found))
    if format_ is Format.JSON:
        fields = [
            {"pointer": one.pointer, "value": one.value, "revision": short_facts(one.revision)}
            for one in origins
        ]
        write_json(
            {
                "id": found.id,
                "name": found.name,
                "history_complete": snapshot.history_complete,
                "fields": fields,
            }
        )
        return
    authors = max((len(one.revision.author) for one in origins), default=0)
    numbers = max((len(str(one.revision.number)) for one in origins), default=1)
    for one in origins:
        revision = one.revision
        who = (
            f"{revision.commit[:10]}  {revision.date[:10]}  {visible(revision.author):<{authors}}"
            if revision.commit
            else "not committed".ljust(24 + authors)
        )
        out.print(f"{revision.number:>{numbers}}  {who}", style="yellow", markup=False, end="  ")
        out.print(f"{one.pointer}: {value(one.value).replace(chr(10), '⏎')}", markup=False)
    if not snapshot.history_complete:
        out.print("History is not complete here: what the oldest commit shows may be older.")
