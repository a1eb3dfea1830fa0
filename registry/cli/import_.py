"""`registry import`: definitions from other formats."""

from pathlib import Path

import click

from registry.cli.options import Format, format_option, registry_option
from registry.cli.terminal import err, find_root, out, write_json


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@registry_option
@click.option(
    "--folder",
    default="",
    show_default=False,
    metavar="NAME",
    help="Folder for the new definitions, as the first part of their names, for example weather.",
)
@click.option("--repair", is_flag=True, help="Repair known mistakes, and show each repair.")
@click.option("--modern", is_flag=True, help="Replace old spellings of adapter parameters.")
@click.option(
    "--secrets-from-env", is_flag=True, help="Replace placeholders for secrets, such as FIXME, by ${NAME}."
)
@click.option("--new-ids", is_flag=True, help="Drop the ids of a list. `registry index` assigns new ones.")
@format_option
def command(
    files: tuple[Path, ...],
    registry: Path | None,
    folder: str,
    repair: bool,
    modern: bool,
    secrets_from_env: bool,
    new_ids: bool,
    format_: Format,
) -> None:
    """Import JSON files of the 2013 service.

    A file is a single definition, or a list of definitions with ids. Either all files are imported or none. Existing files are never overwritten. The ids of a list are kept; if the
    ledger already has entries, they are recorded there. Commit imported ids on the main branch: a pull request must not
    contain ids.

    \b
    Exit codes:
      0  imported
      2  nothing was imported
      3  an id belongs to another definition; nothing was imported

    \b
    Examples:
      registry import old/*.json --folder weather
      registry import manual.json --repair
    """
    from registry.exchange.importer import ImportOptions
    from registry.exchange.importing import import_files

    options = ImportOptions(repair=repair, modern=modern, secrets_from_env=secrets_from_env, new_ids=new_ids)
    written = import_files(find_root(registry), files, folder.strip("/"), options)
    if format_ == "json":
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
        out.print("Their ids are kept. Commit on the main branch: a pull request must not contain ids.")
