"""`registry show`: one definition."""

from typing import Annotated

import typer

from registry.cli.terminal import Format, FormatOption, RegistryOption, SourceOption, counted, find_root, out, write_json


def command(
    wanted: Annotated[str, typer.Argument(help="A name or an id, with the kind in front where both are the same.", metavar="NAME|ID")],
    registry: RegistryOption = None,
    kind: Annotated[str | None, typer.Option("--kind", help="The kind, as in `application`.")] = None,
    source: SourceOption = "worktree",
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show one definition: what it is, and its file. With `--format json` exactly what the API answers.

    Examples: `registry show weather/qc` · `registry show 7` · `registry show application/1 --format json`
    """
    from registry.cli.lookup import find, load_snapshot
    from registry.render.json_api import detail_body, tombstone_body
    from registry.reports.text import visible
    from registry.snapshot import Tombstone

    snapshot = load_snapshot(find_root(registry), source)
    found = find(snapshot, wanted, kind)
    if isinstance(found, Tombstone):
        body = tombstone_body(snapshot, found)
        if format_ is Format.JSON:
            write_json(body)
        else:
            out.print(f"{found.kind} {found.id}: {found.name} was deleted; `registry log {found.kind}/{found.id}` tells when.", markup=False)
        return
    if format_ is Format.JSON:
        write_json(detail_body(snapshot, found))
        return
    number = f"id {found.id}" if found.id is not None else "no id yet"
    revisions = snapshot.revisions_of(found)
    out.print(f"{found.kind} {found.name} ({number}, {counted(len(revisions), 'revision')})", style="bold", markup=False)
    out.print(f"{found.path}\n", markup=False)
    for line in found.raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines():
        out.print(visible(line), markup=False)
