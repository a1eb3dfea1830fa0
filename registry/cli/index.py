"""`registry index`: assigns ids."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry.cli.options import Format, format_option, registry_option
from registry.cli.terminal import err, find_root, out, write_json
from registry.errors import UsageError

if TYPE_CHECKING:
    from registry.ids import Assignment
    from registry.indexing.indexer import IndexResult


@click.command("index")
@registry_option
@click.option(
    "--commit/--no-commit",
    default=True,
    help="Commit the ids, or only write them into the files.",
)
@click.option(
    "--push",
    is_flag=True,
    help="Assign ids on the branch of the remote: fetch, commit and push; retry if another push was faster.",
)
@click.option("--remote", default="origin", metavar="NAME", help="Remote for --push.")
@click.option(
    "--branch", metavar="BRANCH", help="Branch on which ids are assigned. Default: the branch of HEAD."
)
@click.option(
    "--published",
    metavar="WHERE",
    help="The published state: address or folder of the site, a snapshot.json, or a revision.",
)
@click.option(
    "--accept-mark",
    type=click.IntRange(min=0),
    metavar="N",
    help="Highest id assigned so far. For a shallow clone that cannot reach the published state.",
)
@click.option(
    "--recover",
    is_flag=True,
    help="Restore the published ledger first. For a branch that was reset to an older commit.",
)
@click.option(
    "--give-up-after",
    type=click.FloatRange(min=0),
    default=120,
    metavar="SECONDS",
    help="How long to retry while other pushes are faster.",
)
@format_option
def command(
    registry: Path | None,
    commit: bool,
    push: bool,
    remote: str,
    branch: str | None,
    published: str | None,
    accept_mark: int | None,
    recover: bool,
    give_up_after: float,
    format_: Format,
) -> None:
    """Assign ids to new definitions.

    For the main branch only. The command adds one line `id: N` to each new file and records new, moved and deleted
    definitions in the ledger. A second run changes nothing.

    \b
    Exit codes:
      0  all definitions have ids
      1  the definitions have errors
      2  the command could not run
      3  refused: an id could be assigned twice

    \b
    Examples:
      registry index
      registry index --push --branch main --published https://registry.example.org/
    """
    from registry.indexing.indexer import IndexOptions, index

    if push and not commit:
        raise UsageError("--push and --no-commit exclude each other", "omit one of them")
    options = IndexOptions(
        commit, remote if push else None, branch, published, accept_mark, recover, give_up_after
    )
    result = index(find_root(None) if registry is None else registry, options)
    for note in result.notes:
        err.print(f"note: {note}", markup=False)
    if format_ == "json":
        write_json(_as_json(result))
        return
    for entry in result.entries:
        out.print(f"{entry.kind} {entry.id:>5}  {entry.state:<5}  {entry.name}", markup=False)
    for text in map(_changed_id, result.assignments):
        if text:
            out.print(text, markup=False)
    if result.commit:
        pushed = f" and pushed to {remote}" if push else ""
        out.print(f"Committed as {result.commit[:12]}{pushed}.", markup=False)
    elif not result.entries and not result.assignments:
        out.print("Nothing to do: every definition has an id.")
    else:
        out.print("Not committed: commit the files yourself.")


def _as_json(result: "IndexResult") -> dict[str, Any]:
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
    return {"given": given, "events": events, "commit": result.commit, "notes": list(result.notes)}


def _changed_id(one: "Assignment") -> str:
    """Describe an id that differs from the one in the file; "" for a new id, which the ledger line shows."""
    if one.taken_off is not None:
        return f"{one.definition.path}: the id {one.taken_off} belongs to another definition; replaced by {one.id}"
    return "" if one.is_new else f"{one.definition.path}: the id {one.id} was restored"
