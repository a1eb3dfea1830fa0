"""`registry blame`: the commit that last set each field."""

from pathlib import Path

import click

from registry.cli.completers import complete_definitions
from registry.cli.options import Format, format_option, kind_option, registry_option, source_option
from registry.cli.terminal import find_root, out, write_json


@click.command("blame")
@click.argument("wanted", metavar="NAME|ID", shell_complete=complete_definitions)
@registry_option
@kind_option
@source_option
@format_option
def command(wanted: str, registry: Path | None, kind: str | None, source: str, format_: Format) -> None:
    """Show which commit last set each field of a definition.

    NAME|ID is the name or the id of a definition. Put the kind in front if two kinds have it, as in
    application/7. Renames and merges are followed.

    \b
    Examples:
      registry blame weather/qc
      registry blame 7 --format json
    """
    from registry.cli.lookup import load_found
    from registry.model.characters import visible
    from registry.model.revision import blobs_of
    from registry.render.json_api import short_facts
    from registry.reports.changes.words import value
    from registry.review.blame import blame

    snapshot, found = load_found(find_root(registry), source, wanted, kind)
    revisions = snapshot.revisions_of_any(found)
    snapshot.contents.prefetch(blobs_of(revisions))
    origins = blame(snapshot, revisions)
    if format_ == "json":
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
        out.print("The history is incomplete: fields that the oldest commit shows may be older.")
