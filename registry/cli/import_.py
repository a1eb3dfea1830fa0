"""`registry import`: definitions from other formats."""

from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import Format, FormatOption, RegistryOption, err, find_root, out, write_json


def command(
    files: Annotated[list[Path], typer.Argument(help="Files to import.", metavar="FILE...")],
    registry: RegistryOption = None,
    folder: Annotated[
        str,
        typer.Option("--folder", help="Put them into this folder of names, as in `weather`.", metavar="NAME"),
    ] = "",
    repair: Annotated[bool, typer.Option("--repair", help="Make the known repairs; they are shown.")] = False,
    modern: Annotated[
        bool, typer.Option("--modern", help="Bring old spellings of adapter parameters up to date.")
    ] = False,
    secrets_from_env: Annotated[
        bool, typer.Option("--secrets-from-env", help="Write ${NAME} in place of FIXME and its like.")
    ] = False,
    new_ids: Annotated[
        bool, typer.Option("--new-ids", help="Leave out the ids of a list; `registry index` gives new ones.")
    ] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Import the 2013 service's JSON: single definitions as files, or a list that the service answered (ids are kept).

    Either every file is imported, or none. What is there already is never overwritten. Kept ids are noted in the ledger, if it has lines
    already: then commit on the main branch itself, since a change must not bring ids. Exit code 3: an id belongs to another definition.

    Examples: `registry import old/*.json --folder weather` · `registry import manual.json --repair`
    """
    from registry.exchange import import_files
    from registry.exchange.importer import ImportOptions

    options = ImportOptions(repair=repair, modern=modern, secrets_from_env=secrets_from_env, new_ids=new_ids)
    written = import_files(find_root(registry), files, folder.strip("/"), options)
    if format_ is Format.JSON:
        write_json(
            {"imported": [{"file": one.file, "path": one.path, "notes": list(one.notes)} for one in written]}
        )
        return
    for one in written:
        out.print(f"{one.file} → {one.path}", markup=False)
        for note in one.notes:
            err.print_lines("\n".join(f"  {line}" for line in note.split("\n")))
    out.print(f"{len(written)} imported. Next: `registry check`.")
    if any(one.id is not None for one in written):
        out.print(
            "Their ids are kept. Commit on the main branch itself: a change for review must not bring ids."
        )
