"""`registry show`: one definition."""

from typing import TYPE_CHECKING, Annotated

import typer

from registry.cli.terminal import (
    Format,
    FormatOption,
    RegistryOption,
    SourceOption,
    counted,
    find_root,
    out,
    write_api_answer,
)
from registry.errors import UsageError

if TYPE_CHECKING:
    from registry.snapshot import Snapshot


_MOST_DIGITS = 9


def command(
    wanted: Annotated[
        str,
        typer.Argument(
            help="A name or an id, with the kind in front where both are the same; `@3` for its revision 3, `@v1.2` as a commit has it.",
            metavar="NAME|ID[@REVISION]",
        ),
    ],
    registry: RegistryOption = None,
    kind: Annotated[str | None, typer.Option("--kind", help="The kind, as in `application`.")] = None,
    source: SourceOption = "worktree",
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show one definition: what it is, and its file. With `--format json` exactly what the API answers.

    Examples: `registry show weather/qc` · `registry show 7` · `registry show weather/qc@3` · `registry show application/1@v1.2 --format json`
    """
    from registry.cli.lookup import find, load_snapshot
    from registry.render.json_api import detail_body, tombstone_body
    from registry.snapshot import Tombstone

    wanted, _, revision = wanted.partition("@")
    if revision.isdecimal() and revision.isascii():
        if len(revision) > _MOST_DIGITS:
            raise UsageError(
                f"the number of a revision has at most {_MOST_DIGITS} digits",
                "`registry log` lists the revisions of a definition",
            )
        _show_revision(load_snapshot(find_root(registry), source), wanted, kind, int(revision), format_)
        return
    source = revision or source
    snapshot = load_snapshot(find_root(registry), source)
    found = find(snapshot, wanted, kind)
    if isinstance(found, Tombstone):
        body = tombstone_body(snapshot, found)
        if format_ is Format.JSON:
            write_api_answer(body)
        else:
            out.print(
                f"{found.kind} {found.id}: {found.name} was deleted; `registry log {found.kind}/{found.id}` tells when.",
                markup=False,
            )
        return
    if format_ is Format.JSON:
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


def _show_revision(snapshot: "Snapshot", wanted: str, kind: str | None, number: int, format_: Format) -> None:
    """One revision as it was; credentials are hidden, so it is the content that is shown, not the bytes of the file."""
    from registry.cli.lookup import find, revisions_of
    from registry.load.yaml.writer import to_yaml
    from registry.render.json_api import revision_body, revision_facts

    found = find(snapshot, wanted, kind)
    revisions = revisions_of(snapshot, found)
    chosen = next((one for one in revisions if one.number == number), None)
    if chosen is None:
        there = f"it has the revisions 1 to {len(revisions)}" if revisions else "no revision of it is known"
        raise UsageError(
            f"{found.name} has no revision {number}", f"{there}; `registry log {found.name}` lists them"
        )
    if format_ is Format.JSON:
        write_api_answer(
            revision_body(snapshot, found.id, chosen, revision_facts(snapshot, found.kind, found.id, chosen))
        )
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
