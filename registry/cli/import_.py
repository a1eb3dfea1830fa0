"""`registry import`: definitions from other formats."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.options import Format, format_option, registry_option
from registry.cli.terminal import counted, err, find_root, out, write_json
from registry.errors import UsageError
from registry.exchange.formats import importers
from registry.load.settings import import_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.exchange.fields import Loss
    from registry.exchange.importing import ForeignText, ImportPlan

_LIST_FORMAT = "json-2013"
_PASSWORD_VARIABLE = "REGISTRY_IMPORT_PASSWORD"
IMPORT_FORMATS = tuple(one.name for one in importers())


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE|URL...")
@registry_option
@click.option(
    "--from",
    "format_name",
    type=click.Choice(IMPORT_FORMATS),
    help="Format of the files. Default: found by the name and the content of each file.",
)
@click.option(
    "--folder",
    default="",
    show_default=False,
    metavar="NAME",
    help="Folder for the new definitions, as the first part of their names, for example weather.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Fixed value for a parameter of a CWL tool; can be repeated.",
)
@click.option("--strict", is_flag=True, help="Write nothing if anything would be lost.")
@click.option("--repair", is_flag=True, help="Repair known mistakes, and show each repair.")
@click.option("--modern", is_flag=True, help="Replace old spellings of adapter parameters.")
@click.option(
    "--secrets-from-env", is_flag=True, help="Replace placeholders for secrets, such as FIXME, by ${NAME}."
)
@click.option("--new-ids", is_flag=True, help="Drop the ids of a list. `registry index` assigns new ones.")
@format_option
def command(
    files: tuple[str, ...],
    registry: Path | None,
    format_name: str | None,
    folder: str,
    settings: tuple[str, ...],
    strict: bool,
    repair: bool,
    modern: bool,
    secrets_from_env: bool,
    new_ids: bool,
    format_: Format,
) -> None:
    """Import definitions from files of other formats.

    A JSON file of the 2013 service is a single definition, or a list of definitions with ids. The ids of a list are
    kept; if the ledger already has entries, they are recorded there. Commit imported ids on the main branch: a pull
    request must not contain ids.

    The address of a list is read with all its pages. If it needs a login, name the user in the address, and set the
    variable REGISTRY_IMPORT_PASSWORD; on a terminal, the password is asked for.

    What a definition cannot express is listed on standard error; --strict refuses instead. docs/exchange.md has a table
    of every format. Either all files are imported or none. Existing files are never overwritten.

    \b
    Exit codes:
      0  imported
      1  --strict, and something would be lost; nothing was imported
      2  nothing was imported
      3  an id belongs to another definition; nothing was imported

    \b
    Examples:
      registry import old/*.json --folder weather
      registry import manual.json --repair
      registry import /etc/supervisor/conf.d/*.conf --folder web
      registry import https://admin@old.example.org/api/process_definition/
      registry import blast.cwl --set threads=4
    """
    from registry.exchange.importer import ImportOptions
    from registry.exchange.importing import plan_import, write_import

    options = ImportOptions(
        repair=repair,
        modern=modern,
        secrets_from_env=secrets_from_env,
        new_ids=new_ids,
        values=_values(settings),
    )
    sources = [partial(_read, file, format_name) for file in files]
    plan = plan_import(find_root(registry), sources, folder.strip("/"), options)
    is_refused = strict and plan.lost > 0
    if not is_refused:
        write_import(plan)
    if format_ == "json":
        write_json(_as_json(plan, is_written=not is_refused))
    else:
        _report(plan, is_written=not is_refused)
    if is_refused:
        sys.exit(1)


def _values(settings: tuple[str, ...]) -> dict[str, str]:
    """Return the values of --set. Raises UsageError for one without `=`."""
    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise UsageError(f"--set {setting} has no name and value", "write it as NAME=VALUE")
        values[name] = value
    return values


def _read(file: str, format_name: str | None) -> "ForeignText":
    from registry.exchange.importing import ForeignText, read_file
    from registry.exchange.list_2013 import Login, is_address, read_list, user_of

    if not is_address(file):
        return read_file(Path(file), format_name)
    if format_name not in (None, _LIST_FORMAT):
        raise UsageError(f"an address is read as {_LIST_FORMAT}", "download files of other formats first")
    user = user_of(file)
    login = Login(user, _password(file)) if user else None
    return ForeignText(file, read_list(file, login), _LIST_FORMAT)


def _password(address: str) -> str:
    password = import_password()
    if password is not None:
        return password
    if not sys.stdin.isatty():
        raise UsageError(f"{address} needs a password", "set the variable REGISTRY_IMPORT_PASSWORD")
    answer: str = click.prompt(f"Password for {address}", hide_input=True, err=True)
    return answer


def _report(plan: "ImportPlan", *, is_written: bool) -> None:
    if is_written:
        for one in plan.files:
            out.print(f"{one.file} → {one.path}", markup=False)
            for note in one.notes:
                err.print_lines("\n".join(f"  {line}" for line in note.split("\n")))
    for file, _, loss in _losses(plan):
        place = f"{file}:{loss.line}" if loss.line else file
        err.print(f"{place}: {loss.field} is lost: {loss.why}", markup=False)
    if not is_written:
        err.print("Nothing was written, because of --strict.", markup=False)
        return
    lost = f", {counted(plan.lost, 'value')} lost" if plan.lost else ""
    out.print(f"{len(plan.files)} imported{lost}. Next: `registry check`.")
    if any(one.id is not None for one in plan.files):
        out.print("Their ids are kept. Commit on the main branch: a pull request must not contain ids.")


def _losses(plan: "ImportPlan") -> "Iterator[tuple[str, str | None, Loss]]":
    """Yield the file, the path of the definition if the loss belongs to one, and the loss."""
    for one in plan.files:
        for loss in one.losses:
            yield one.file, one.path, loss
    for file, losses in plan.losses.items():
        for loss in losses:
            yield file, None, loss


def _as_json(plan: "ImportPlan", *, is_written: bool) -> dict[str, object]:
    return {
        "imported": [
            {"file": one.file, "format": one.format, "path": one.path, "notes": list(one.notes)}
            for one in plan.files
            if is_written
        ],
        "lost": [
            {"file": file, "path": path, "line": loss.line or None, "field": loss.field, "why": loss.why}
            for file, path, loss in _losses(plan)
        ],
    }
