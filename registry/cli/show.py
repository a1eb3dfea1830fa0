"""`registry show`: one definition."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.completers import complete_definitions
from registry.cli.options import Format, format_option, kind_option, registry_option, source_option
from registry.cli.terminal import counted, find_root, out, write_api_answer
from registry.errors import UsageError

if TYPE_CHECKING:
    from registry.model.definition import Definition
    from registry.snapshot import Snapshot, Tombstone


_MOST_DIGITS = 9


@click.command("show")
@click.argument("wanted", metavar="NAME|ID[@REVISION]", shell_complete=complete_definitions)
@registry_option
@kind_option
@source_option
@format_option
def command(wanted: str, registry: Path | None, kind: str | None, source: str, format_: Format) -> None:
    """Show a definition: id, number of revisions, and its file.

    NAME|ID is the name or the id of a definition. Put the kind in front if two kinds have it, as in application/7.
    @3 selects revision 3, @v1.2 the state at a commit, branch or tag. JSON output is the same as the answer of the API.

    \b
    Examples:
      registry show weather/qc
      registry show 7
      registry show weather/qc@3
      registry show application/1@v1.2 --format json
    """
    from registry.cli.lookup import load_found
    from registry.render.json_api import detail_body, tombstone_body
    from registry.snapshot import Tombstone

    wanted, _, revision = wanted.partition("@")
    # Digits are the number of a revision, even if a tag has this name.
    if revision.isdecimal() and revision.isascii():
        if len(revision) > _MOST_DIGITS:
            raise UsageError(
                f"the number of a revision has at most {_MOST_DIGITS} digits",
                "`registry log` lists the revisions of a definition",
            )
        _show_revision(*load_found(find_root(registry), source, wanted, kind), int(revision), format_)
        return
    snapshot, found = load_found(find_root(registry), revision or source, wanted, kind)
    if isinstance(found, Tombstone):
        body = tombstone_body(snapshot, found)
        if format_ == "json":
            write_api_answer(body)
        else:
            out.print(
                f"{found.kind} {found.id}: {found.name} was deleted; "
                f"`registry log {found.kind}/{found.id}` shows when.",
                markup=False,
            )
        return
    if format_ == "json":
        write_api_answer(detail_body(snapshot, found))
        return
    number = f"id {found.id}" if found.id is not None else "no id yet"
    revisions = snapshot.revisions_of(found)
    out.print(
        f"{found.kind} {found.name} ({number}, {counted(len(revisions), 'revision')})",
        style="bold",
        markup=False,
    )
    out.print(found.path, markup=False)
    out.print()
    for line in found.raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines():
        out.print(line, markup=False)


def _show_revision(
    snapshot: "Snapshot", found: "Definition | Tombstone", number: int, format_: Format
) -> None:
    """Show one revision.

    Credentials are hidden, so the output is the content and not the bytes of the file.
    """
    from registry.load.yaml.writer import to_yaml
    from registry.render.json_api import revision_body, revision_with_content

    revisions = snapshot.revisions_of_any(found)
    chosen = next((one for one in revisions if one.number == number), None)
    if chosen is None:
        there = f"it has the revisions 1 to {len(revisions)}" if revisions else "it has no known revisions"
        raise UsageError(
            f"{found.name} has no revision {number}", f"{there}; `registry log {found.name}` lists them"
        )
    if format_ == "json":
        write_api_answer(revision_body(snapshot, found.id, revision_with_content(snapshot, chosen)))
        return
    who = f"{chosen.commit[:10]}, {chosen.date[:10]}, {chosen.author}" if chosen.commit else "not committed"
    out.print(
        f"{found.kind} {chosen.name}, revision {number} of {len(revisions)} ({who})",
        style="bold",
        markup=False,
    )
    out.print(chosen.message.split("\n", 1)[0], markup=False)
    out.print()
    document = snapshot.document_of(chosen)
    if document is None:
        out.print("Deleted." if chosen.blob is None else "The file could not be read at this commit.")
        return
    for line in to_yaml(document).splitlines():
        out.print(line, markup=False)
