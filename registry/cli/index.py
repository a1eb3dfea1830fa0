"""`registry index`: give ids."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import Format, FormatOption, RegistryOption, err, find_root, out, write_json


def command(
    registry: RegistryOption = None,
    commit: Annotated[
        bool,
        typer.Option(
            "--commit/--no-commit", help="Commit the ids, or write them into the files for you to commit."
        ),
    ] = True,
    push: Annotated[
        bool,
        typer.Option(
            "--push",
            help="Give them on the remote's branch: fetch, commit, push; again if somebody was faster.",
        ),
    ] = False,
    remote: Annotated[str, typer.Option("--remote", help="The remote for --push.")] = "origin",
    branch: Annotated[
        str | None,
        typer.Option("--branch", help="The branch that gets the ids; left out: the one that HEAD is on."),
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(
            "--published",
            help="What was published before: the site's address or folder, a snapshot.json, or a revision.",
            metavar="WHERE",
        ),
    ] = None,
    accept_mark: Annotated[
        int | None,
        typer.Option(
            "--accept-mark",
            help="In a shallow clone where nothing published is within reach: no id is above this.",
            min=0,
        ),
    ] = None,
    recover: Annotated[
        bool,
        typer.Option(
            "--recover", help="The branch was set back: take the published ledger back, then go on."
        ),
    ] = False,
    give_up_after: Annotated[
        float, typer.Option("--give-up-after", help="Seconds to try while others are faster.", min=0)
    ] = 120,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Give every new definition its id, and note in the ledger what moved or was deleted. For the main branch.

    One line `id: N` goes into each new file; nothing else in it changes. Running it again changes nothing. Exit code 3:
    going on could give an id twice.

    Examples: `registry index` · `registry index --push --branch main --published https://registry.example.org/`
    """
    from registry.indexing.indexer import IndexOptions, index

    root = find_root(registry) if registry is None else registry
    options = IndexOptions(
        commit, remote if push else None, branch, published, accept_mark, recover, give_up_after
    )
    if push and not commit:
        from registry.errors import UsageError

        raise UsageError("--push and --no-commit do not go together", "leave out one of the two")
    result = index(Path(root), options)
    for note in result.notes:
        err.print(f"note: {note}", markup=False)
    if format_ is Format.JSON:
        given = [
            {
                "kind": one.definition.kind,
                "id": one.id,
                "name": one.definition.name,
                "path": one.definition.path,
                "taken_off": one.taken_off,
            }
            for one in result.assignments
        ]
        events = [
            {"kind": entry.kind, "id": entry.id, "name": entry.name, "state": entry.state}
            for entry in result.entries
        ]
        write_json({"given": given, "events": events, "commit": result.commit, "notes": list(result.notes)})
        return
    for entry in result.entries:
        out.print(f"{entry.kind} {entry.id:>5}  {entry.state:<5}  {entry.name}", markup=False)
    for one in result.assignments:
        if one.taken_off is not None:
            out.print(
                f"{one.definition.path}: the id {one.taken_off} is not its own; it has {one.id} now",
                markup=False,
            )
        elif not one.is_new:
            out.print(f"{one.definition.path}: has its {one.id} back", markup=False)
    if result.commit:
        out.print(
            f"Committed as {result.commit[:12]}{f' and pushed to {remote}' if push else ''}.", markup=False
        )
    elif not result.entries and not result.assignments:
        out.print("Nothing to do: every definition has its id.")
    else:
        out.print("Not committed: that is left to you.")
