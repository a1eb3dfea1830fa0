"""`registry log`: the history of one definition."""

from pathlib import Path

import click

from registry.cli.completers import complete_definitions
from registry.cli.options import Format, format_option, kind_option, registry_option, source_option
from registry.cli.terminal import find_root, out, write_api_answer


@click.command("log")
@click.argument("wanted", metavar="NAME|ID", shell_complete=complete_definitions)
@registry_option
@kind_option
@source_option
@format_option
def command(wanted: str, registry: Path | None, kind: str | None, source: str, format_: Format) -> None:
    """Show the revisions of a definition, newest first.

    NAME|ID is the name or the id of a definition. Put the kind in front if two kinds have it, as in
    application/7. Each revision is shown with the fields that it changed.

    \b
    Examples:
      registry log weather/qc
      registry log 7 --format json
    """
    import json

    from registry.cli.lookup import load_found
    from registry.model.diff import MISSING
    from registry.model.revision import blobs_of
    from registry.render.json_api import history_body, revision_facts

    snapshot, found = load_found(find_root(registry), source, wanted, kind)
    revisions = snapshot.revisions_of_any(found)
    if format_ == "json":
        snapshot.contents.prefetch(snapshot.blobs_shown(revisions))
        facts = [revision_facts(snapshot, revision) for revision in revisions]
        write_api_answer(history_body(snapshot, found.id, found.name, facts))
        return

    def shown(value: object) -> str:
        return (
            "(not set)"
            if value is MISSING
            else (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        )

    snapshot.contents.prefetch(blobs_of(revisions))
    for revision in reversed(revisions):
        who = (
            f"{revision.commit[:10]}  {revision.date[:10]}  {revision.author}"
            if revision.commit
            else "not committed"
        )
        out.print(str(revision.number), style="bold yellow", markup=False, end="  ")
        out.print(who, style="yellow", markup=False)
        name = f"  as {revision.name}" if revision.name != found.name else ""
        out.print(f"   {revision.message.split(chr(10), 1)[0]}{name}", markup=False)
        for change in snapshot.changes_of(revision):
            out.print(
                f"     {change.pointer}: {shown(change.old)} → {shown(change.new)}", markup=False, style="dim"
            )
    if not snapshot.history_complete:
        out.print("The history is incomplete.")
